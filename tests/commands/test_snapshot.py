"""The repository on a cluster's workers: which files it has, and what is left of it there."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.soak.cluster import kill_a_worker
from onnxpress.commands import snapshot
from onnxpress.commands.snapshot import Snapshot, present_files, take, tracked_files, unpacked
from onnxpress.commands.stability.chains import ChainFailed, attempt
from onnxpress.engine.choosing import engine_at
from onnxpress.engine.engine import HERE
from onnxpress.engine.sameness import computing_with
from onnxpress.errors import ServerError, UserError
from onnxpress.pipeline.external import run_bound
from tests.conftest import ROOT, default_params
from tests.support.clusters import local

__all__ = ["local"]

WAIT_SECONDS = 60


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with a changed, a removed, a new, an ignored and a linked file."""
    folder = tmp_path / "repository"
    (folder / "data").mkdir(parents=True)
    monkeypatch.chdir(folder)
    for name in ("code.py", "gone.py", "run"):
        Path(name).write_text("old\n")
    Path("run").chmod(0o755)
    Path(".gitignore").write_text("data/\n*.log\n")
    for command in (("init", "-q"), ("add", "-A"), ("-c", "user.name=A", "-c", "user.email=a@b.c",
                    "commit", "-q", "-m", "start")):  # fmt: skip
        subprocess.run(["git", *command], check=True)
    Path("code.py").write_text("changed\n")
    Path("gone.py").unlink()
    Path("new.py").write_text("new\n")
    Path("noise.log").write_text("noise\n")
    Path("data/rows.csv").write_text("a,b\n1,2\n")
    (tmp_path / "elsewhere.csv").write_text("c\n3\n")
    Path("data/linked.csv").symlink_to(tmp_path / "elsewhere.csv")
    return folder


def contents(_: int, sent: Snapshot) -> dict[str, tuple[str, bool]]:
    """Text and executable bit of each file, as a call finds them."""
    with unpacked(sent) as place:
        return {
            path.relative_to(place.folder).as_posix(): (path.read_text(), os.access(path, os.X_OK))
            for path in place.folder.rglob("*")
            if path.is_file()
        }


def place_of(_: int, sent: Snapshot, *, fails: bool = False) -> str:
    """Where the repository was, when it is no longer needed."""
    with suppress(ArithmeticError), unpacked(sent) as place:
        (place.folder / "made").mkdir()
        if fails:
            raise ArithmeticError
    return str(place.folder)


def failing(item: int, sent: Snapshot) -> str:
    return place_of(item, sent, fails=True)


def ask(cluster: Any, function: Any, *arguments: Any) -> Any:
    """What a call on a worker returns."""
    with engine_at(cluster.scheduler_address, print) as engine:
        return engine.submit(function, *arguments).result()


TRACKED = {
    ".gitignore": ("data/\n*.log\n", False),
    "code.py": ("changed\n", False),
    "run": ("old\n", True),
}


@pytest.mark.usefixtures("repository")
def test_a_worker_has_the_working_tree_as_it_is(local: Any) -> None:
    assert ask(local, contents, 0, take(tracked_files())) == TRACKED
    assert ask(local, contents, 0, take(present_files("data", "models"))) == TRACKED | {
        "new.py": ("new\n", False),
        "data/rows.csv": ("a,b\n1,2\n", False),
        "data/linked.csv": ("c\n3\n", False),
    }


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("function", [place_of, failing])
def test_nothing_is_left_on_a_worker(local: Any, function: Any) -> None:
    folder = Path(ask(local, function, 0, take(tracked_files())))
    assert folder.name.startswith("repository-")
    assert not folder.exists()


def on_a_full_disk(sent: Snapshot) -> None:
    with unpacked(sent) as place:
        raise OSError(errno.ENOSPC, "No space left on device", str(place.folder / "params.yaml"))


@pytest.mark.usefixtures("repository")
def test_a_full_disk_of_a_worker_is_told_in_one_line(local: Any) -> None:
    with pytest.raises(
        ServerError, match=r"worker \S+ fails \(.*No space left on device: .*; free"
    ):
        ask(local, on_a_full_disk, take(tracked_files()))


def first_hangs(said: Path, sent: Snapshot) -> int:
    """Start a program that runs for an hour, the first time."""
    with unpacked(sent) as place:
        if said.exists():
            return 7
        said.write_text(str(place.folder))
        program = f"import time; open({str(said)!r}, 'a').write(' runs'); time.sleep(3600)"
        environment = place.environment
        run_bound(sys.executable, "-c", program, folder=place.folder, environment=environment)
        return 8


@pytest.mark.usefixtures("repository")
def test_nothing_is_left_of_a_worker_that_is_killed(local: Any, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with engine_at(local.scheduler_address, print) as engine:
        task = engine.submit(first_hangs, said, take(tracked_files()))
        wait_until(lambda: said.exists() and said.read_text().endswith(" runs"))
        folder = Path(said.read_text().removesuffix(" runs"))
        assert processes_in(folder)
        for which in (0, 1):
            kill_a_worker(local, which)
        assert task.result() == 7
    wait_until(lambda: not folder.exists())
    assert not processes_in(folder)


def processes_in(folder: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cwd().startswith(str(folder)):
                found.append(process.pid)
    return found


def wait_until(condition: Any) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.usefixtures("repository")
def test_too_much_for_the_scheduler_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "LARGEST_MB", 1)
    Path("data/rows.csv").write_bytes(bytes(2**21))
    assert take(tracked_files())
    with pytest.raises(UserError, match=r"have 2 MB, most of them data/rows.csv; at most 1 MB go"):
        take(present_files("data"))


def test_a_folder_without_git_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="a cluster's workers get the files that git lists"):
        tracked_files()


def variables(sent: Snapshot) -> dict[str, str]:
    with unpacked(sent) as place:
        return {name: place.environment[name] for name in snapshot.THREADS}


@pytest.mark.usefixtures("repository")
def test_programs_on_a_worker_have_as_many_threads_as_here(local: Any) -> None:
    files = take(tracked_files())
    for number in (1, 2):
        with computing_with({"blas": number, "openmp": number}):
            assert set(ask(local, variables, files).values()) == {str(number)}
    with (
        computing_with({"blas": 64, "openmp": 64}),
        pytest.raises(ServerError, match=r"worker \S+ has \d+ cores, and 64 threads compute"),
    ):
        ask(local, variables, files)


def test_a_stage_that_rejects_its_input_is_told_as_here(
    local: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    content = default_params(data__source="data/absent.csv", data__target="y")
    there = ask(local, attempt, 1, content, take(present_files("data", "models")))
    here = HERE.submit(attempt, 1, content, None).result()
    assert isinstance(here, ChainFailed)
    assert (type(there), str(there)) == (type(here), str(here))
