"""A process that ends another which does not obey: ``python insist.py PID SECONDS LINE``, with a pipe as stdin.

What is interpreted stops at a signal; native code does not: its Python handler waits until the call returns, which may be
never. The interpreter's own handler, in C, writes the signal's number to the pipe at once (``signal.set_wakeup_fd``). If
the process is still there after so many seconds, it is killed. The pipe's end is the end of the process, and of this one.

Run as a file, without site: nothing is imported but what stands here.
"""

import os
import select
import signal
import sys
import time

ENDING = {signal.SIGINT, signal.SIGTERM}


def main(pid: int, seconds: float, line: str) -> None:
    """Wait for a signal to the process ``pid``, then for its end, then kill it."""
    while told := os.read(0, 64):
        if ENDING & set(told):
            break
    if told and not _ended_within(seconds):
        os.write(2, f"{line}\n".encode(errors="backslashreplace"))
        os.kill(pid, signal.SIGKILL)


def _ended_within(seconds: float) -> bool:
    end = time.monotonic() + seconds
    while select.select([0], [], [], max(0.0, end - time.monotonic()))[0]:
        if not os.read(0, 64):
            return True
    return False


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
