"""What people see on a terminal and in a log, and what scripts get: colours, progress, JSON."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from onnxpress.pipeline.files import write_json
from tests.conftest import ROOT, default_params, write_params
from tests.support.results import DETAIL, LATENCY, METRICS

WAITING = """
import time
from onnxpress.pipeline.console import progress, say, working
with working("fitting something"):
    time.sleep(0.3)
for number in progress(range(3), 3, "trying candidates"):
    say(f"tried {number}")
    time.sleep(0.25)
say("done")
"""
SAID = "  tried 0\n  tried 1\n  tried 2\n  done\n"
WAIT, REPORT = ("-c", WAITING), ("-m", "onnxpress", "report")
STYLES = {
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR",
    "COLORTERM",
    "TERM",
    "COLUMNS",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
}
RESULTS: dict[str, Any] = {
    "metrics": METRICS,
    "metrics_detail": DETAIL,
    "latency": LATENCY,
    "quantization": {"summary": "forest/lossless chosen", "min_onnxruntime": "1.21"},
    "gate": {"max_size_ratio": {"passed": True}},
    "mlflow_run": {
        "run_id": "abc",
        "experiment": "lab",
        "tracking_uri": "sqlite:////somewhere/mlflow.db",
    },
}


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A folder with the JSON outputs of a chain."""
    write_params(tmp_path, default_params())
    for name, content in RESULTS.items():
        write_json(tmp_path / "outputs" / f"{name}.json", content)
    return tmp_path


def environment(**variables: str) -> dict[str, str]:
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in STYLES and not key.startswith("MLFLOW_")
    }
    return {**kept, "PYTHONPATH": str(ROOT), **variables}


def on_a_terminal(
    command: tuple[str, ...], folder: Path = ROOT, *, stdout: int | None = None, **variables: str
) -> str:
    """Return what a program writes to a terminal: its stderr, and its stdout unless given."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *command],
        stdout=theirs if stdout is None else stdout,
        stderr=theirs,
        cwd=folder,
        env=environment(**{"TERM": "xterm", **variables}),
    )
    os.close(theirs)
    shown = b""
    while chunk := read(ours):
        shown += chunk
    os.close(ours)
    assert process.wait() == 0
    return shown.decode()


def read(handle: int) -> bytes:
    """The next bytes; none once the other end is closed, which Linux reports as an error."""
    try:
        return os.read(handle, 65536)
    except OSError:
        return b""


def in_a_log(
    command: tuple[str, ...], folder: Path = ROOT, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        encoding=variables.get("PYTHONIOENCODING", "utf-8"),
        check=False,
        cwd=folder,
        env=environment(**variables),
    )


def test_long_work_shows_on_a_terminal_above_it_what_is_said_meanwhile() -> None:
    shown = on_a_terminal(WAIT)
    assert "fitting something" in shown
    assert "trying candidates" in shown
    assert "tried 1" in shown


def test_what_is_said_goes_to_a_file_though_the_progress_is_on_a_terminal(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        shown = on_a_terminal(WAIT, stdout=log.fileno())
    assert (tmp_path / "log").read_text(encoding="utf-8") == SAID
    assert "trying candidates" in shown


@pytest.mark.parametrize("force", ["", "1"])
def test_a_log_has_the_lines_of_a_stage_and_nothing_else(force: str) -> None:
    done = in_a_log(WAIT, FORCE_COLOR=force, TTY_COMPATIBLE=force)
    assert (done.stdout, done.stderr) == (SAID, "")


def test_a_terminal_that_cannot_redraw_has_no_bars() -> None:
    assert on_a_terminal(WAIT, TERM="dumb").replace("\r", "") == SAID


def test_the_summary_has_styles_on_a_terminal_but_not_under_no_color(finished: Path) -> None:
    assert "\x1b[" in on_a_terminal(REPORT, finished)
    assert "\x1b" not in on_a_terminal(REPORT, finished, NO_COLOR="1")


def test_the_summary_in_a_log_is_plain_and_the_same_everywhere(
    finished: Path,
) -> None:
    plain = in_a_log(REPORT, finished).stdout
    assert "next: make ui" in plain
    assert "\x1b" not in plain
    assert "163.8" in plain
    assert in_a_log(REPORT, finished, COLUMNS="40", TERM="dumb", NO_COLOR="1").stdout == plain
    assert "\x1b[" in in_a_log(REPORT, finished, FORCE_COLOR="1").stdout


def test_the_report_for_scripts_is_the_data_of_the_summary_alone(finished: Path) -> None:
    done = in_a_log(("-m", "onnxpress", "report", "--json"), finished)
    assert json.loads(done.stdout) == {
        "estimator": "RandomForestClassifier",
        "data": "iris",
        **RESULTS,
    }
    assert (done.returncode, done.stderr) == (0, "")


def test_the_doctor_for_scripts_has_every_check_and_the_same_exit_code(finished: Path) -> None:
    done = in_a_log(
        ("-m", "onnxpress", "doctor", "--json"),
        finished,
        MLFLOW_TRACKING_URI="http://127.0.0.1:9",
    )
    answer = json.loads(done.stdout)
    assert answer.keys() == {"checks", "ready"}
    assert {frozenset(check) for check in answer["checks"]} == {
        frozenset({"check", "passed", "found"})
    }
    failed = {check["check"]: check["found"] for check in answer["checks"] if not check["passed"]}
    assert "cannot read requirements/main.lock" in failed["packages"]
    assert "cannot be reached" in failed[answer["checks"][-1]["check"]]
    assert (answer["ready"], done.returncode) == (False, 4)
    assert done.stderr.endswith(
        "doctor: not ready to publish; the first FAIL above says what to do\n"
    )


@pytest.mark.parametrize("module", ["report", "doctor", "promote", "reproduce", "sweep"])
def test_every_command_for_scripts_says_so_in_its_help_and_refuses_other_arguments(
    module: str, finished: Path
) -> None:
    shown = in_a_log(("-m", "onnxpress", module, "--help"), finished)
    assert "--json" in shown.stdout
    wrong = in_a_log(("-m", "onnxpress", module, "--jsn=1"), finished)
    assert (wrong.returncode, wrong.stdout) == (2, "")


def in_a_shell(line: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line.replace("python", sys.executable)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment(**variables),
        timeout=60,
    )


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-", "2>&-"])
def test_a_closed_stream_stops_no_stage_and_reaches_no_file(closed: str, finished: Path) -> None:
    before = {path: path.read_bytes() for path in finished.rglob("*.json")}
    done = in_a_shell(f"python -m onnxpress report {closed}", finished)
    assert (done.returncode, done.stderr, bool(done.stdout)) == (0, "", closed == "2>&-")
    assert {path: path.read_bytes() for path in finished.rglob("*.json")} == before
    (finished / "outputs" / "metrics.json").unlink()
    done = in_a_shell(f"python -m onnxpress report {closed}", finished)
    assert (done.returncode, len(done.stderr.splitlines()), done.stdout) == (
        2,
        0 if "2>" in closed else 1,
        "",
    )


@pytest.mark.parametrize("encoding", ["ascii", "euc-kr"])
def test_names_reach_a_console_of_any_encoding(encoding: str, finished: Path) -> None:
    run: dict[str, str] = {**RESULTS["mlflow_run"], "experiment": "실험 🍣 \x9b31m\u202e"}
    write_json(finished / "outputs" / "mlflow_run.json", run)
    for variables in (
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ):
        variables["PYTHONIOENCODING"] = encoding
        shown = in_a_log(REPORT, finished, **variables)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert "\\x9b31m\\u202e at sqlite" in shown.stdout
        data = in_a_log((*REPORT, "--json"), finished, **variables)
        assert json.loads(data.stdout)["mlflow_run"] == run


def test_a_name_that_the_locale_has_no_letters_for_is_said_in_one_line(finished: Path) -> None:
    write_params(finished, default_params(data__source="data/표.csv", data__target="y"))
    done = in_a_log(
        ("-m", "stages.prepare"), finished, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"
    )
    (line,) = done.stderr.splitlines()
    assert "which the locale has no letters for; set PYTHONUTF8=1" in line
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("stage", "megabytes"), [("prepare", 150), ("train", 400), ("publish", 800)]
)
def test_a_limit_of_memory_is_said_in_one_line(stage: str, megabytes: int, finished: Path) -> None:
    done = in_a_shell(f"ulimit -v {megabytes * 1024}; python -m stages.{stage}", finished)
    limit = f"the limit of {megabytes} MB of memory (ulimit -v)"
    assert done.stderr == f"{stage}: {limit} should be 1024 MB or more; raise it\n"
    assert done.returncode == 2
