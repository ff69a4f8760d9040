"""The process of the `onnxpress` command: help, errors of one line, exit codes, signals, extras."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from onnxpress.commands.line.group import SECTIONS, onnxpress
from tests.conftest import ROOT
from tests.support.without_extras import WITHOUT_EXTRAS

AS_MODULE = ("-m", "onnxpress")
AS_SCRIPT = ("-c", "from onnxpress.cli import main; main()")
"""What an installed console script does."""


def ran(
    folder: Path, *words: str, program: tuple[str, ...] = AS_MODULE
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *program, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_help_lists_every_command_once(tmp_path: Path) -> None:
    shown = ran(tmp_path, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    words = [line.split()[0] for line in shown.stdout.splitlines() if line.startswith("  ")]
    names = [str(command.name) for commands in SECTIONS.values() for command in commands]
    assert [word for word in words if word in onnxpress.commands] == names
    assert sorted(names) == sorted(onnxpress.commands)
    assert ran(tmp_path).stdout == shown.stdout


@pytest.mark.parametrize("words", [("--help",), ("compress", "--help"), ("--version",)])
def test_help_imports_no_heavy_library(words: tuple[str, ...], tmp_path: Path) -> None:
    program = "import sys; from onnxpress.cli import main; main()"
    check = (
        "import atexit, sys; atexit.register(lambda: print(*sorted(set(sys.modules) & "
        "{'sklearn', 'onnxruntime', 'onnx', 'pandas', 'numpy', 'pydantic', 'yaml'})));"
    )
    shown = ran(tmp_path, *words, program=("-c", check + program))
    assert (shown.returncode, shown.stdout.splitlines()[-1]) == (0, "")


@pytest.mark.parametrize("program", [AS_MODULE, AS_SCRIPT])
@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("inspec",),
            "onnxpress: No such command 'inspec'. Did you mean 'inspect'?; see `onnxpress",
        ),
        (("report", "--jsn"), "report: No such option '--jsn'. Did you mean '--json'?; see `onnx"),
        (("compare", "a.onnx"), "compare: Missing argument 'MODEL'; see `onnxpress compare --help"),
        (("inspect", "a.onnx"), "inspect: cannot read a.onnx (No such file or directory); check"),
        (("report",), "report: cannot read params.yaml (No such file or directory); run from the"),
        (("mend", "x"), "mend: Got unexpected extra argument (x); see `onnxpress mend --help`"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    words: tuple[str, ...], line: str, program: tuple[str, ...], tmp_path: Path
) -> None:
    done = ran(tmp_path, *words, program=program)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert done.stderr.startswith(line)


@pytest.mark.parametrize("program", [AS_MODULE, AS_SCRIPT])
@pytest.mark.parametrize(
    ("number", "word", "code"),
    [(signal.SIGINT, "interrupted", 130), (signal.SIGTERM, "terminated", 143)],
)
def test_a_signal_ends_it_with_one_line(
    number: signal.Signals, word: str, code: int, program: tuple[str, ...], tmp_path: Path
) -> None:
    pipe = tmp_path / "model.onnx"
    os.mkfifo(pipe)  # reading it never ends
    process = subprocess.Popen(
        [sys.executable, *program, "inspect", pipe.name],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    with pipe_to(process, pipe):
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (code, f"inspect: {word}; nothing was changed\n")


@contextmanager
def pipe_to(process: subprocess.Popen[str], pipe: Path) -> Iterator[None]:
    """Wait until the process reads from the pipe, and keep it waiting there."""
    while True:
        with suppress(OSError):  # as long as nobody has opened the pipe to read
            writing = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            break
        assert process.poll() is None
        time.sleep(0.02)
    try:
        yield
    finally:
        os.close(writing)


def test_too_little_memory_is_one_line(tmp_path: Path) -> None:
    line = f"ulimit -v 500000; {sys.executable} -m onnxpress inspect a.onnx"
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("onnxpress: the limit of 488 MB of memory (ulimit -v) should be")


@pytest.mark.parametrize(("words", "extra"), [(("report",), "pipeline"), (("doctor",), "pipeline")])
def test_a_missing_extra_is_named(words: tuple[str, ...], extra: str, tmp_path: Path) -> None:
    done = ran(tmp_path, *words, program=("-c", WITHOUT_EXTRAS))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.endswith(f"which is not installed: pip install 'onnxpress[{extra}]'\n")


def test_models_are_inspected_without_extras(tmp_path: Path) -> None:
    import joblib
    from sklearn.linear_model import LinearRegression

    joblib.dump(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), tmp_path / "line.joblib")
    done = ran(tmp_path, "inspect", "line.joblib", "--json", program=("-c", WITHOUT_EXTRAS))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["loads"] is True
