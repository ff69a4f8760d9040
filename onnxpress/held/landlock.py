"""Landlock (landlock(7)): which files a process may read.

It may write none, and reach no TCP port and no other process.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from contextlib import suppress

from onnxpress.held.kernel import PR_SET_NO_NEW_PRIVS, call, prctl

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on all architectures
VERSION, PATH_BENEATH = 1, 1
READ_FILE, READ_FOLDER = 1 << 2, 1 << 3  # <linux/landlock.h>
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""From an ABI version on.

How many rights over files the kernel handles (REFER, TRUNCATE, IOCTL_DEV came later).
"""
TCP_FROM, TCP = 4, 0b11  # bind, connect
SCOPES_FROM, SCOPES = 6, 0b11  # abstract unix sockets, signals


def version() -> int:
    """The ABI version that the kernel has; 0 if it has no landlock."""
    try:
        return call(CREATE_RULESET, None, 0, VERSION)
    except OSError:
        return 0


def restrict(readable: Iterable[str], opened: Iterable[int]) -> None:
    """Let this process read below ``readable`` and the ``opened`` descriptors, nothing else.

    A path that does not exist is passed over.

    Raises:
        OSError: the kernel has no landlock, or forbids it.
    """
    abi = version()
    rules = call(CREATE_RULESET, *_attributes(abi), 0)
    for path in readable:
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            found = os.open(path, os.O_PATH | os.O_CLOEXEC)
            _allow(rules, found)
            os.close(found)
    for descriptor in opened:
        _allow(rules, descriptor)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    call(RESTRICT_SELF, rules, 0)
    os.close(rules)


def _attributes(abi: int) -> tuple[ctypes.Array[ctypes.c_char], int]:
    """struct landlock_ruleset_attr as that ABI has it, and its size."""
    rights = max(
        (count for since, count in FILE_RIGHTS.items() if since <= abi), default=FILE_RIGHTS[1]
    )
    fields = [(1 << rights) - 1]
    fields += [TCP] if abi >= TCP_FROM else []
    fields += [SCOPES] if abi >= SCOPES_FROM else []
    packed = struct.pack(f"{len(fields)}Q", *fields)
    return ctypes.create_string_buffer(packed, len(packed)), len(packed)


def _allow(rules: int, descriptor: int) -> None:
    """A rule for what a descriptor stands for.

    Struct landlock_path_beneath_attr, which is packed.
    """
    folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
    packed = struct.pack("=Qi", READ_FILE | READ_FOLDER if folder else READ_FILE, descriptor)
    call(ADD_RULE, rules, PATH_BENEATH, ctypes.create_string_buffer(packed, len(packed)), 0)
