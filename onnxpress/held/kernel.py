"""System calls that Python has no function for, through libc."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

LINUX = sys.platform.startswith("linux")
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38  # <linux/prctl.h>


def call(number: int, *arguments: int | ctypes.Array[ctypes.c_char] | None) -> int:
    """Make a system call; what it returns.

    Raises:
        OSError: the kernel refuses.
    """
    given = [ctypes.c_void_p(item) if isinstance(item, int) else item for item in arguments]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return _checked(libc.syscall(ctypes.c_long(number), *given))


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process, or thread.

    Raises:
        OSError: the kernel refuses.
    """
    zero = ctypes.c_ulong(0)
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero))


def die_with(parent: int) -> None:
    """Have this process killed when its parent, whose id is ``parent``, dies.

    Not even native code delays it. Linux only.
    """
    if not LINUX:
        return
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before that
        os._exit(1)


def _checked(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
