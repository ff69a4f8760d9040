"""What goes wrong around a stage rather than in its input.

Signals, full and locked disks, missing programs, a second dvc.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from onnxpress.pipeline.files import TEMPORARY, write_bytes
from tests.conftest import ROOT, default_params, write_params
from tests.support.programs import program
from tests.support.project import Project, finished_clone

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1  # <linux/prctl.h>, <linux/capability.h>
LONG_FIT = {"n_estimators": 200_000}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, chains: Path) -> Project:
    """A project whose chain has run up to convert."""
    return finished_clone(tmp_path_factory.mktemp("surroundings") / "project", chains, "convert")


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of it to change."""
    return finished.copy(tmp_path / "project")


def outputs(project: Project) -> dict[str, bytes]:
    """The content of outputs/."""
    return {path.name: path.read_bytes() for path in (project.folder / "outputs").iterdir()}


def started(project: Project, *command: str, **variables: str) -> subprocess.Popen[str]:
    """Start a command in a process group of its own, keeping what it says."""
    return subprocess.Popen(
        command,
        cwd=project.folder,
        env=project.environment() | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def waited_for(what: Callable[[], object]) -> None:
    """Wait until ``what`` is true."""
    end = time.monotonic() + 120
    while not what():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def fitting(pid: int) -> bool:
    """Whether a train stage below ``pid``, or that process itself, is past its imports."""
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
        return any(
            "stages.train" in process.cmdline() and process.cpu_times().user > 6
            for process in family
        )
    except psutil.Error:
        return False


def at_work(pid: int) -> bool:
    """Whether dvc has started a train stage below ``pid``, and so holds its lock."""
    try:
        return any(
            "stages.train" in process.cmdline()
            for process in psutil.Process(pid).children(recursive=True)
        )
    except psutil.Error:
        return False


def one_line(told: str, stage: str) -> str:
    """The only line on stderr, which is the stage's."""
    (line,) = told.splitlines()
    assert line.startswith(f"{stage}: ")
    return line


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_ends_a_stage_with_one_line_and_nothing_lost(
    project: Project, number: signal.Signals, code: int, word: str
) -> None:
    project.change(train__params=LONG_FIT)
    before = outputs(project)
    process = started(project, "python", "-m", "stages.train")
    waited_for(lambda: fitting(process.pid))
    process.send_signal(number)
    _, told = process.communicate(timeout=120)
    assert one_line(told, "train").startswith(f"train: {word}; finished stages are kept")
    assert process.returncode == code
    assert outputs(project) == before


def test_a_signal_during_the_imports_of_a_stage_ends_with_one_line_too(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = subprocess.run(
        [sys.executable, "-m", "stages.evaluate"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}", "PYTHONSAFEPATH": "", "DVC_STAGE": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        130,
        "interrupted while starting; nothing was changed\n",
    )


@pytest.mark.parametrize(
    "shell", ["/bin/sh", "/bin/bash"]
)  # dvc starts stages through it; dash stays between, bash does not
def test_a_stage_ends_when_its_dvc_is_killed(project: Project, shell: str) -> None:
    project.change(train__params=LONG_FIT)
    dvc = started(project, "dvc", "repro", "-q", "train", SHELL=shell)
    waited_for(lambda: fitting(dvc.pid))
    stages = psutil.Process(dvc.pid).children(recursive=True)
    dvc.kill()
    _, alive = psutil.wait_procs(stages, timeout=60)
    assert alive == []
    dvc.communicate(timeout=60)


IN_NATIVE_CODE = {
    "holding the interpreter's lock": "sum(range(10**13))",
    "without it": "__import__('hashlib').pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)",
}
"""Calls that last for minutes and look at no signal."""


def stage_of(call: str) -> list[str]:
    """The command of a stage that makes the ``call`` and no output."""
    return [
        sys.executable,
        "-c",
        f"from onnxpress.pipeline.running import run_stage; run_stage('train', lambda: {call})",
    ]


@pytest.mark.parametrize("call", IN_NATIVE_CODE.values(), ids=IN_NATIVE_CODE)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_stage_in_native_code_too(number: signal.Signals, call: str) -> None:
    alone = {key: value for key, value in os.environ.items() if key != "DVC_STAGE"}
    with subprocess.Popen(
        stage_of(call), cwd=ROOT, env=alone, stderr=subprocess.PIPE, text=True
    ) as process:
        waited_for(lambda: psutil.Process(process.pid).cpu_times().user > 1)
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert (
        told
        == "train: ended 5 s after a signal, in native code; finished stages are kept, run again\n"
    )
    assert process.returncode == -signal.SIGKILL


def test_a_stage_in_native_code_ends_when_its_dvc_is_killed(tmp_path: Path) -> None:
    command = stage_of(IN_NATIVE_CODE["holding the interpreter's lock"])
    (tmp_path / "dvc.py").write_text(f"import subprocess\nsubprocess.run({command})\n")
    with subprocess.Popen(
        [sys.executable, tmp_path / "dvc.py"],
        cwd=ROOT,
        env={**os.environ, "DVC_STAGE": "train"},
        start_new_session=True,
    ) as dvc:
        waited_for(
            lambda: any(child.cpu_times().user > 1 for child in psutil.Process(dvc.pid).children())
        )
        family = psutil.Process(dvc.pid).children(recursive=True)
        dvc.kill()
        _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


@pytest.mark.parametrize(
    ("name", "complaint"), [("dvc.lock", "validation failed"), (".dvc/tmp/rwlock", "is corrupted")]
)
@pytest.mark.parametrize("left", ["", '{"stages: ['])
def test_a_file_cut_off_by_a_killed_dvc_is_mended(
    project: Project, name: str, left: str, complaint: str
) -> None:
    before = outputs(project)
    (project.folder / name).write_text(left)
    broken = project.run("dvc", "repro", "convert", check=False)
    assert broken.returncode != 0
    assert left or complaint in broken.stderr
    assert (
        f"{name} was cut off by a killed dvc"
        in project.run("python", "-m", "onnxpress", "mend").stdout
    )
    project.run("dvc", "repro", "-q", "convert")
    assert project.run("git", "status", "--porcelain", "dvc.lock").stdout == ""
    assert outputs(project) == before
    assert project.run("python", "-m", "onnxpress", "mend").stdout == ""


def test_a_lock_that_git_does_not_have_is_removed_when_cut_off(project: Project) -> None:
    before = outputs(project)
    project.run("git", "rm", "-q", "--cached", "dvc.lock")
    (project.folder / "dvc.lock").write_text("")
    assert "removed" in project.run("python", "-m", "onnxpress", "mend").stdout
    project.run("dvc", "repro", "-q", "convert")
    assert outputs(project) == before


def test_a_second_dvc_says_that_the_first_is_at_work_and_disturbs_nothing(project: Project) -> None:
    project.change(train__params={"n_estimators": 2000})
    first = started(project, "dvc", "repro", "-q", "train")
    waited_for(lambda: at_work(first.pid))
    second = project.run("dvc", "repro", "train", check=False)
    assert second.returncode != 0
    assert "lock" in second.stderr
    assert "Traceback" not in second.stderr
    _, told = first.communicate(timeout=300)
    assert (first.returncode, told) == (0, "")


def limited_files() -> None:
    """A process that cannot write more than 200 bytes to a file.

    The same error path as a full disk (EFBIG for ENOSPC).
    """
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))


def without_override() -> None:
    """A process that file permissions bind even if it runs as root."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)


@pytest.mark.parametrize("stage", ["prepare", "train"])
def test_a_full_disk_ends_with_one_line_and_keeps_the_old_outputs(
    project: Project, stage: str
) -> None:
    before = outputs(project)
    done = subprocess.run(
        ["python", "-m", program(stage)],
        cwd=project.folder,
        env=project.environment(),
        preexec_fn=limited_files,
        capture_output=True,
        text=True,
        check=False,
    )
    assert one_line(done.stderr, stage).startswith(f"{stage}: cannot write outputs/")
    assert done.returncode == 2
    assert outputs(project) == before


def test_read_only_outputs_end_with_one_line(project: Project) -> None:
    folder = project.folder / "outputs"
    folder.chmod(0o555)
    done = subprocess.run(
        ["python", "-m", "stages.convert"],
        cwd=project.folder,
        env=project.environment(),
        preexec_fn=without_override,
        capture_output=True,
        text=True,
        check=False,
    )
    folder.chmod(0o755)
    assert one_line(done.stderr, "convert").startswith(
        "convert: cannot write outputs/model.onnx: Permission denied"
    )
    assert done.returncode == 2


def test_a_console_that_is_full_or_gone_is_no_bug(project: Project) -> None:
    for console in ("/dev/full", "| true"):
        done = project.run(
            "bash",
            "-c",
            f"set -o pipefail; python -m stages.prepare {'> ' * (console[0] == '/')}{console}",
            check=False,
        )
        assert one_line(done.stderr, "prepare").startswith("prepare: cannot print"), console


def test_no_git_is_said_in_one_line(project: Project, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "python").symlink_to(sys.executable)
    done = project.run("python", "-m", "onnxpress", "reproduce", check=False, PATH=str(programs))
    assert done.returncode == 2
    assert "git is not installed" in one_line(done.stderr, "reproduce")


def test_a_folder_that_is_no_git_repository_is_said_in_one_line(tmp_path: Path) -> None:
    project = Project(tmp_path)
    write_params(tmp_path, default_params())
    for code in ("stages", "onnxpress"):
        shutil.copytree(ROOT / code, tmp_path / code)
    done = project.run(
        "python",
        "-m",
        "onnxpress",
        "reproduce",
        check=False,
        GIT_CEILING_DIRECTORIES=str(tmp_path.parent),
    )
    assert done.returncode == 2
    assert "run in a git repository with a commit" in one_line(done.stderr, "reproduce")


def test_an_old_python_is_refused_before_anything_is_set_up(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c "
        '"import sys; sys.version_info = (3, 9, 2); exec(sys.argv[1])" "$2"\n'
    )
    old.chmod(0o755)
    (tmp_path / "requirements").mkdir()
    for name in ("Makefile", "requirements/main.lock"):
        shutil.copy2(ROOT / name, tmp_path / name)
    done = Project(tmp_path).run("make", f"PYTHON={old}", "all", check=False)
    assert done.returncode != 0
    assert (
        done.stderr.splitlines()[0]
        == "onnxpress needs Python 3.11 or newer, this is 3.9; run: make PYTHON=python3.11"
    )
    assert not (tmp_path / ".venv").exists()


def test_what_a_killed_process_left_is_swept_and_what_a_live_one_writes_is_not(
    tmp_path: Path,
) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    left, live = (tmp_path / f"{TEMPORARY}{pid}-model-x" for pid in (dead.pid, os.getpid()))
    (left / "model.onnx").mkdir(parents=True)
    live.mkdir()
    (tmp_path / f"{TEMPORARY}{dead.pid}-as-older-versions-left-it.json").touch()
    write_bytes(tmp_path / "model.onnx", b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [live.name, "model.onnx"]
