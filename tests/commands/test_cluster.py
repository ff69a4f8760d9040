"""`onnxpress cluster`: a cluster until a signal comes, of which nothing is left."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil

from tests.conftest import ROOT


def test_it_names_its_address_and_ends_with_all_its_processes_on_ctrl_c(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "onnxpress", "cluster", "--workers", "2", "--port", str(port)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert re.search(rf"scheduler: 'tcp://127.0.0.1:{port}'", line)
    begun = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, said = process.communicate(timeout=30)
    assert (process.returncode, out.splitlines()[-1], said) == (0, "  ended", "")
    assert len(begun) >= 2
    assert psutil.wait_procs(begun, timeout=10)[1] == []
