"""The system calls that a held process may make, by their numbers on x86_64 and on aarch64.

Computing needs these: memory, threads, time, and reading. Everything else (sockets, programs,
processes, signals to others, names of files to write, remove or change, mounts, keys, tracing,
modules) is left out. Numbers below :data:`NEWER` are given out once and for all, so the list is
closed; what came later behaves as on an older kernel.
"""

from __future__ import annotations

import errno

NEWER = 424
"""From this call on (Linux 5.1: io_uring, pidfd, clone3, openat2, …) a call is unknown (ENOSYS).

Libraries then take older ones.
"""

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH of <linux/audit.h>, in the order of the columns."""

NUMBERS: dict[str, tuple[int, int | None]] = {
    # Descriptors that are open
    "read": (0, 63),
    "write": (1, 64),
    "readv": (19, 65),
    "writev": (20, 66),
    "pread64": (17, 67),
    "pwrite64": (18, 68),
    "preadv": (295, 69),
    "pwritev": (296, 70),
    "preadv2": (327, 286),
    "pwritev2": (328, 287),
    "close": (3, 57),
    "lseek": (8, 62),
    "dup": (32, 23),
    "dup2": (33, None),
    "dup3": (292, 24),
    "fsync": (74, 82),
    "fdatasync": (75, 83),
    "ftruncate": (77, 46),
    "pipe": (22, None),
    "pipe2": (293, 59),
    "eventfd": (284, None),
    "eventfd2": (290, 19),
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
    "epoll_create": (213, None),
    "epoll_create1": (291, 20),
    "epoll_ctl": (233, 21),
    "epoll_wait": (232, None),
    "epoll_pwait": (281, 22),
    # What lies where
    "stat": (4, None),
    "fstat": (5, 80),
    "lstat": (6, None),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "access": (21, None),
    "faccessat": (269, 48),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getdents": (78, None),
    "getdents64": (217, 61),
    "getcwd": (79, 17),
    "chdir": (80, 49),
    "fchdir": (81, 50),
    "statfs": (137, 43),
    "fstatfs": (138, 44),
    "fadvise64": (221, 223),
    "readahead": (187, 213),
    # Memory
    "brk": (12, 214),
    "mmap": (9, 222),
    "munmap": (11, 215),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "mincore": (27, 232),
    "msync": (26, 227),
    "get_mempolicy": (239, 236),
    # Threads
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "set_tid_address": (218, 96),
    "rseq": (334, 293),
    "membarrier": (324, 283),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120),
    "sched_get_priority_max": (146, 125),
    "sched_get_priority_min": (147, 126),
    "gettid": (186, 178),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "arch_prctl": (158, None),
    "wait4": (61, 260),
    "waitid": (247, 95),
    "getcpu": (309, 168),
    "restart_syscall": (219, 128),
    # Signals to itself
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "rt_sigpending": (127, 136),
    "rt_sigsuspend": (130, 133),
    "rt_sigtimedwait": (128, 137),
    "sigaltstack": (131, 132),
    "pause": (34, None),
    # Time
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "times": (100, 153),
    "alarm": (37, None),
    "getitimer": (36, 102),
    "setitimer": (38, 103),
    "timer_create": (222, 107),
    "timer_settime": (223, 110),
    "timer_gettime": (224, 108),
    "timer_getoverrun": (225, 109),
    "timer_delete": (226, 111),
    # Who and where it is
    "getpid": (39, 172),
    "getppid": (110, 173),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getresuid": (118, 148),
    "getresgid": (120, 150),
    "getgroups": (115, 158),
    "getpgrp": (111, None),
    "getpgid": (121, 155),
    "getsid": (124, 156),
    "capget": (125, 90),
    "uname": (63, 160),
    "sysinfo": (99, 179),
    "getrusage": (98, 165),
    "getrlimit": (97, 163),
    "getpriority": (140, 141),
    "getrandom": (318, 278),
    # With conditions
    "open": (2, None),
    "openat": (257, 56),
    "clone": (56, 220),
    "tgkill": (234, 131),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "fcntl": (72, 25),
    "sched_setaffinity": (203, 122),
    "ioctl": (16, 29),
    # For the locks
    "capset": (126, 91),
    "seccomp": (317, 277),
}
"""None where an architecture lacks the call. The last two groups are no part of :data:`ALLOWED`."""

CONDITIONAL = {
    "open",
    "openat",
    "clone",
    "tgkill",
    "prctl",
    "prlimit64",
    "fcntl",
    "sched_setaffinity",
    "ioctl",
}
FOR_THE_LOCKS = {"capset", "seccomp"}
ALLOWED = NUMBERS.keys() - CONDITIONAL - FOR_THE_LOCKS


def numbers(machine: str) -> dict[str, int]:
    """The numbers of the calls that a machine has, which is called as in ``os.uname().machine``.

    Raises:
        OSError: its architecture is not known here.
    """
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"the system calls of {machine} are not known here")
    column = list(ARCHITECTURES).index(machine)
    return {name: found for name, row in NUMBERS.items() if (found := row[column]) is not None}
