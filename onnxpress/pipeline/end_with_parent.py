"""Run a command that ends with its parent: ``python end_with_parent.py PID COMMAND...``.

The kernel kills it when the process PID, which has started this one, dies, even by SIGKILL. Linux
only (prctl(2)): elsewhere an orphan runs on.

It is run as a file and without site, so that it imports nothing else.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
DEAD_BEFORE = 143


def main(parent: int, command: list[str]) -> None:
    """Become the command."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(DEAD_BEFORE)
    os.execvp(command[0], command)  # noqa: S606 - the commands are ours


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
