"""Progress is shown on a terminal and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from tests.conftest import ROOT

WAITING = """
import time
from stages.common.console import progress, say, working
with working("fitting something"):
    time.sleep(0.3)
for _ in progress(range(3), 3, "trying candidates"):
    time.sleep(0.25)
say("done")
"""


def on_a_terminal() -> str:
    """What a program that waits writes to a terminal on its stderr."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    done = subprocess.run([sys.executable, "-c", WAITING], stderr=theirs, stdout=theirs, check=True, cwd=ROOT, env=environment)
    os.close(theirs)
    shown = b""
    while chunk := read(ours):
        shown += chunk
    os.close(ours)
    assert done.returncode == 0
    return shown.decode()


def read(handle: int) -> bytes:
    """The next bytes; none once the other end is closed, which Linux reports as an error."""
    try:
        return os.read(handle, 65536)
    except OSError:
        return b""


@pytest.mark.parametrize("what", ["fitting something", "trying candidates"])
def test_long_work_shows_on_a_terminal(what: str) -> None:
    assert what in on_a_terminal()


def test_a_log_has_the_lines_of_a_stage_and_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-c", WAITING], capture_output=True, text=True, check=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("  done\n", "")
