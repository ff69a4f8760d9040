"""All that a child locks itself up with, in the order in which it must be done."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Collection, Iterable
from ctypes import create_string_buffer
from pathlib import Path

from onnxpress.held import landlock, seccomp
from onnxpress.held.kernel import LINUX, call
from onnxpress.held.system_calls import numbers

BUBBLEWRAP, LANDLOCK, SECCOMP = "bubblewrap", "landlock", "seccomp"
ALL = (BUBBLEWRAP, LANDLOCK, SECCOMP)
OPEN_FILES = 256
MB = 1024**2
CAP_DAC_READ_SEARCH, CAPABILITY_VERSION = 2, 0x20080522  # <linux/capability.h>


def lock(
    wanted: Collection[str], readable: Iterable[str], opened: Iterable[int], memory_mb: int
) -> list[str]:
    """Lock this process up for good; the ``wanted`` locks of :data:`ALL` that could be set here.

    Files below ``readable`` and those of the ``opened`` descriptors may still be read.
    ``memory_mb`` of 1024**2 bytes are what may be mapped beside what is mapped now, and the most
    that a file may grow to.
    """
    limit(memory_mb)
    held: list[str] = []
    if not LINUX:
        return held
    with contextlib.suppress(OSError):
        _drop_capabilities()
    if LANDLOCK in wanted:
        with contextlib.suppress(OSError):
            landlock.restrict(readable, opened)
            held.append(LANDLOCK)
    if SECCOMP in wanted:  # last: it forbids what the others need
        with contextlib.suppress(OSError):
            seccomp.restrict()
            held.append(SECCOMP)
    return held


def missing(held: Collection[str]) -> str:
    """Say in words what a file could do because of locks that are not active (not in ``held``).

    Empty if they hold all that is promised.
    """
    wrapped, files, calls = (name in held for name in (BUBBLEWRAP, LANDLOCK, SECCOMP))
    found = []
    if not (calls or wrapped):
        found += ["use the network", "start programs"]
    elif not calls:
        found += ["start programs inside bubblewrap"]
    if not (files or wrapped):
        found += ["read your files"]
    if not (files or wrapped or calls):
        found += ["write files"]
    return ", ".join(found)


def limit(memory_mb: int) -> None:
    """Limits of memory, of the size and number of files, and none to be left behind by a crash."""
    import resource  # not everywhere

    most = memory_mb * MB
    limits = {
        resource.RLIMIT_FSIZE: most,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    if LINUX:
        limits[resource.RLIMIT_AS] = most + _mapped_bytes()
        with contextlib.suppress(OSError):  # where memory is short, this process goes first
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    for kind, wanted in limits.items():
        _, hard = resource.getrlimit(kind)
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (value, value))


def _mapped_bytes() -> int:
    """Of this process, now; libraries map much that they never use."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf(
        "SC_PAGE_SIZE"
    )


def _drop_capabilities() -> None:
    """Give up the rights of the superuser except reading.

    Without reading, it could not import files that belong to others.

    Raises:
        OSError: the kernel refuses.
    """
    known = numbers(os.uname().machine)
    header = create_string_buffer(struct.pack("Ii", CAPABILITY_VERSION, 0), 8)
    now = create_string_buffer(24)
    call(known["capget"], header, now)
    kept = struct.unpack_from("I", now)[0] & (1 << CAP_DAC_READ_SEARCH)
    call(
        known["capset"], header, create_string_buffer(struct.pack("6I", kept, kept, 0, 0, 0, 0), 24)
    )
