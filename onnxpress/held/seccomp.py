"""A filter of system calls (seccomp(2)).

What is not on the list is refused, for all threads and for good.

A call off the list fails with EPERM instead of killing the process, so that a library which only
tries its luck goes on.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator, Sequence

from onnxpress.held.kernel import PR_SET_NO_NEW_PRIVS, call, prctl
from onnxpress.held.system_calls import ALLOWED, ARCHITECTURES, NEWER, numbers

SET_MODE_FILTER, ALL_THREADS = 1, 1  # <linux/seccomp.h>
ALLOW, KILL, FAIL = 0x7FFF0000, 0x80000000, 0x00050000
LOAD, EQUAL, AT_LEAST, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06  # <linux/bpf_common.h>
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
HIGH = 4
"""Offset of an argument's upper half: both architectures are little-endian."""

CLONE_THREAD, CLONE_SPACES = 0x00010000, 0x7E020000  # <linux/sched.h>: CLONE_NEW*
NAMES_OF_THREADS = 15, 16  # PR_SET_NAME, PR_GET_NAME
HARMLESS_FCNTL = (
    0,
    1,
    2,
    3,
    4,
    1030,
)  # F_DUPFD to F_SETFL, F_DUPFD_CLOEXEC: not what has signals sent
WHOLE = 0xFFFFFFFF

Condition = tuple[int, int, Sequence[int]]
"""Offset of half an argument, a mask, and the values of which it must have one behind the mask."""
Step = tuple[int, int, int, int]


def restrict() -> None:
    """Let this process make no other calls from now on.

    Raises:
        OSError: the kernel has no seccomp or forbids it, or the architecture is unknown here.
    """
    machine = os.uname().machine
    code = b"".join(struct.pack("HBBI", *step) for step in program(machine))
    steps = ctypes.create_string_buffer(code, len(code))
    argument = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(steps))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    packed = ctypes.create_string_buffer(argument, len(argument))
    if call(numbers(machine)["seccomp"], SET_MODE_FILTER, ALL_THREADS, packed):
        raise OSError(errno.EBUSY, "a thread has a filter of its own")


def program(machine: str) -> list[Step]:
    """The filter: architecture, newer calls, calls with conditions, allowed calls; then EPERM.

    Raises:
        OSError: the machine is of an architecture that is not known here.
    """
    known = numbers(machine)
    steps: list[Step] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, ARCHITECTURES[machine]),
        _return(KILL),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, 0, 1, NEWER),
        _fail(errno.ENOSYS),
    ]
    for name, condition, refusal in _conditional():
        steps += _for_call(known.get(name), [*_checks(condition, refusal), _return(ALLOW)])
    steps += _for_call(known["ioctl"], [_fail(errno.ENOTTY)])
    for name in sorted(ALLOWED):
        steps += _for_call(known.get(name), [_return(ALLOW)])
    return [*steps, _fail(errno.EPERM)]


def _conditional() -> Iterator[tuple[str, list[Condition], int]]:
    """Calls that depend on their arguments, the conditions, and the error if they are not met."""
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | (os.O_TMPFILE & ~os.O_DIRECTORY)
    yield "open", [(_argument(1), writing, [0])], errno.EACCES
    yield "openat", [(_argument(2), writing, [0])], errno.EACCES
    yield "clone", [(_argument(0), CLONE_THREAD | CLONE_SPACES, [CLONE_THREAD])], errno.EPERM
    yield "tgkill", [(_argument(0), WHOLE, [os.getpid()])], errno.EPERM
    yield "prctl", [(_argument(0), WHOLE, NAMES_OF_THREADS)], errno.EPERM
    no_new_limit = [(_argument(2), WHOLE, [0]), (_argument(2) + HIGH, WHOLE, [0])]
    yield "prlimit64", [(_argument(0), WHOLE, [0]), *no_new_limit], errno.EPERM
    yield "fcntl", [(_argument(1), WHOLE, HARMLESS_FCNTL)], errno.EPERM
    yield "sched_setaffinity", [(_argument(0), WHOLE, [0])], errno.EPERM


def _checks(conditions: list[Condition], refusal: int) -> Iterator[Step]:
    for offset, mask, values in conditions:
        yield (LOAD, 0, 0, offset)
        yield (AND, 0, 0, mask)
        for position, value in enumerate(values):
            yield (EQUAL, len(values) - position, 0, value)
        yield _fail(refusal)


def _for_call(number: int | None, then: list[Step]) -> list[Step]:
    """Steps that one call is judged by.

    Other calls jump over them. None for a call that the machine lacks.
    """
    return [] if number is None else [(EQUAL, 0, len(then), number), *then]


def _argument(position: int) -> int:
    return ARGUMENTS + 8 * position


def _return(verdict: int) -> Step:
    return RETURN, 0, 0, verdict


def _fail(error: int) -> Step:
    return _return(FAIL | error)
