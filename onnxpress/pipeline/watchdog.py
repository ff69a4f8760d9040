"""Kill a process that does not end after a signal: ``python watchdog.py PID SECONDS LINE``.

Interpreted code stops at a signal. Native code does not: the handler in Python waits until the
native call returns, which may be never. But the interpreter's own handler, written in C, writes
the signal's number to a pipe at once (``signal.set_wakeup_fd``), and that pipe is the stdin of
this program. If the process still exists so many seconds later, it is killed. When the process
ends, its end of the pipe closes, and this program ends too.

It is run as a file and without site, so that it imports nothing else.
"""

import os
import select
import signal
import sys
import time

ENDING = {signal.SIGINT, signal.SIGTERM}


def main(pid: int, seconds: float, line: str) -> None:
    """Wait for a signal to the process ``pid``, then for its end, then kill it."""
    while received := os.read(0, 64):
        if ENDING & set(received):
            break
    if received and not _ended_within(seconds):
        os.write(2, f"{line}\n".encode(errors="backslashreplace"))
        os.kill(pid, signal.SIGKILL)


def _ended_within(seconds: float) -> bool:
    """Whether the process closes its end of the pipe in time."""
    end = time.monotonic() + seconds
    while select.select([0], [], [], max(0.0, end - time.monotonic()))[0]:
        if not os.read(0, 64):
            return True
    return False


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
