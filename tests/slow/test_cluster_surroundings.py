"""A scheduler and workers as they should not be: each is one line, and nothing is left."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.soak.cluster import chosen
from onnxpress.commands.snapshot import take, unpacked
from onnxpress.engine import cluster as engine_room
from onnxpress.engine.choosing import engine_at
from onnxpress.engine.engine import HERE, in_order
from onnxpress.errors import ServerError
from tests.conftest import ROOT
from tests.support.clusters import connected

ALONE = "--no-nanny"
Process = subprocess.Popen[str]


def refuse(line: str) -> None:
    raise AssertionError(line)


@contextmanager
def running(
    *words: str, path: str, folder: Path, announces: str, umask: int = -1, **variables: str
) -> Iterator[Any]:
    """A program of Dask, once it has printed a line of this form; yields it and what matched."""
    others = {name: each for name, each in os.environ.items() if name != "PYTHONPATH"} | variables
    process = subprocess.Popen(
        [Path(sys.executable).with_name("dask"), *words, "--no-dashboard"],
        cwd=folder,
        env={**others, "PYTHONPATH": path} if path else others,
        umask=umask,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    try:
        found = next(filter(None, (re.search(announces, line) for line in process.stderr)))
        yield process, found
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[Process, str]]:
    """A scheduler in a process of its own, and its address."""
    with scheduling(tmp_path, str(ROOT)) as started:
        yield started


@contextmanager
def scheduling(folder: Path, path: str) -> Iterator[tuple[Process, str]]:
    words = ("--host", "127.0.0.1", "--port", "0")
    form = r"Scheduler at:\s+(\S+)"
    with running("scheduler", *words, path=path, folder=folder, announces=form) as started:
        process, found = started
        yield process, found[1]


@contextmanager
def worker(
    address: str, folder: Path, *words: str, path: str = str(ROOT), **surroundings: Any
) -> Iterator[Process]:
    """A worker that has joined."""
    options = ("worker", address, "--host", "127.0.0.1", "--nthreads", "1", *words)
    started = running(
        *options, path=path, folder=folder, announces=r"Registered to:", **surroundings
    )
    with started as (process, _):
        yield process


def of_another_version(folder: Path, package: str = "numpy") -> str:
    """A path of imports on which a package says that it is of another version."""
    folder = folder / f"{package}-versions"
    metadata = folder / f"{package}-0.0.1.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(
        f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.0.1\nRequires-Dist: numpy\n"
    )
    return f"{folder}:{ROOT}"


def of_other_code(folder: Path) -> str:
    """A path of imports with our code and one more module."""
    folder = folder / "code"
    package = folder / "onnxpress"
    package.mkdir(parents=True)
    for each in (ROOT / "onnxpress").iterdir():
        (package / each.name).symlink_to(each)
    engine = package / "engine"
    engine.unlink()
    engine.mkdir()
    for each in (ROOT / "onnxpress" / "engine").glob("*.py"):
        (engine / each.name).write_bytes(each.read_bytes())
    (engine / "more.py").write_text("")
    return f"{folder}:{ROOT}"


def nap(item: int) -> int:
    time.sleep(0.1)
    return item


def line_of(address: str) -> str:
    """What is said of a cluster when it is asked for a result."""
    with pytest.raises(ServerError) as caught, engine_at(address, refuse) as engine:
        engine.submit(nap, 1).result()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_room, "CONNECT_SECONDS", 1)
    line = line_of("tcp://127.0.0.1:9")
    assert line.startswith("engine.scheduler tcp://127.0.0.1:9 does not answer (")
    assert line.endswith("or set engine.scheduler to null, and run again; what is done is kept")


def test_no_worker(scheduler: tuple[Process, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_room, "WORKER_SECONDS", 1)
    assert "has had no worker for 1 seconds; start one, or" in line_of(scheduler[1])


def test_a_scheduler_without_our_code(tmp_path: Path) -> None:
    with scheduling(tmp_path, "") as (_, address):
        expected = f"the scheduler of {address} lacks our code (No module named 'onnxpress')"
        assert line_of(address).startswith(expected)


def test_a_scheduler_that_dies(
    scheduler: tuple[Process, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is known at once, and also when Dask has given it up while this machine computed."""
    monkeypatch.setattr(engine_room, "CONNECT_SECONDS", 4)
    process, address = scheduler
    with worker(address, tmp_path, ALONE), engine_at(address, refuse) as engine:
        first, second = (in_order(engine, nap, range(50)) for _ in range(2))
        assert next(first) == next(second) == 0
        process.kill()
        with pytest.raises(ServerError, match="is gone; start it again, or set"):
            list(first)
        time.sleep(5)
        assert engine.workers == 1
        for ask in (partial(next, second), partial(engine.submit, nap, 1)):
            with pytest.raises(ServerError, match="is gone; start it again, or set"):
                ask()
    assert not caplog.records


def test_workers_that_would_give_other_results(
    scheduler: tuple[Process, str], tmp_path: Path
) -> None:
    address = scheduler[1]
    for path, words, expected in [
        (of_another_version(tmp_path), (), "numpy 0.0.1 there and "),
        (of_other_code(tmp_path), (), "would give other results: code "),
        (str(ROOT), ("--nthreads", "2"), "has 2 threads, and calls share no process; start it"),
        ("", (), "lacks our code (ModuleNotFoundError(\"No module named 'onnxpress'\"));"),
    ]:
        with worker(address, tmp_path, ALONE, *words, path=path):
            line = line_of(address)
        assert expected in line
        assert "run again; what is done is kept" in line


def test_a_worker_with_other_code_of_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {
        "here": "def answer(item): return item\n",
        "there": "def answer(item): return item + 1\n",
    }
    for name, code in paths.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "own_estimators.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path / "here")
    answer = importlib.import_module("own_estimators").answer
    for place in ("here", "there"):
        path = f"{tmp_path / place}:{ROOT}"
        with (
            scheduling(tmp_path, path) as (_, address),
            worker(address, tmp_path, ALONE, path=path),
            engine_at(address, refuse) as engine,
        ):
            task = engine.submit(answer, 1)
            if place == "here":
                assert task.result() == 1
            else:
                with pytest.raises(ServerError, match="other results: module own_estimators "):
                    task.result()


def drawn(item: int) -> int:
    """A call that loads a package which needs numpy, and which is not among ours."""
    importlib.import_module("matplotlib")
    return item


def test_a_worker_with_another_version_of_a_package_that_a_call_loads(
    scheduler: tuple[Process, str], tmp_path: Path
) -> None:
    drawn(1)
    path = of_another_version(tmp_path, "matplotlib")
    with worker(scheduler[1], tmp_path, path=path), engine_at(scheduler[1], refuse) as engine:
        assert engine.submit(nap, 1).result() == 1
        with pytest.raises(ServerError, match=r"other results: matplotlib 0.0.1 there and 3\."):
            engine.submit(drawn, 1).result()


STRANGE = {
    "HOME": "/proc/nowhere",
    "LC_ALL": "C",
    "OMP_NUM_THREADS": "2",
    "OPENBLAS_NUM_THREADS": "2",
    "PYTHONHASHSEED": "7",
    "TZ": "Asia/Seoul",
}
NEXT_YEAR = "import time\ntime.time = lambda: time.time_ns() / 1e9 + 3e7\n"


def test_a_worker_in_other_surroundings_makes_the_same(
    scheduler: tuple[Process, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is started as the page says, and so by another program than this one."""
    for name, code in {"clock.py": NEXT_YEAR, "stage.py": ""}.items():
        (tmp_path / name).write_text(code)
    stage = ModuleType("stage")
    stage.__file__ = str(tmp_path / "stage.py")
    monkeypatch.setitem(sys.modules, "__mp_main__", stage)
    words = ("--preload", str(tmp_path / "clock.py"), "--local-directory", str(tmp_path / "w"))
    (tmp_path / "tmp").mkdir()
    strange = {**STRANGE, "TMPDIR": str(tmp_path / "tmp")}
    with (
        worker(scheduler[1], Path("/"), *words, umask=0o077, **strange),
        engine_at(scheduler[1], refuse) as engine,
    ):
        assert chosen(engine) == chosen(HERE)


FULL = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))\n"
"""No file can be larger than a megabyte, as on a disk that is nearly full."""
LARGE = b"large" * 2**20


def first_of(item: int, large: bytes) -> int:
    return large[item]


def unpacked_size(packed: bytes) -> int:
    with unpacked(packed) as place:
        return sum(path.stat().st_size for path in place.folder.iterdir())


def test_a_worker_whose_disk_is_full(scheduler: tuple[Process, str], tmp_path: Path) -> None:
    """What it cannot put there stays in memory; a repository that it cannot unpack is a line."""
    for name, content in {"full.py": FULL.encode(), "large": LARGE}.items():
        (tmp_path / name).write_bytes(content)
    packed = take([tmp_path / "large"])
    spilling = {"DASK_DISTRIBUTED__WORKER__MEMORY__TARGET": "0.0001"}
    words = (ALONE, "--preload", str(tmp_path / "full.py"), "--memory-limit", "4GiB")
    with (
        worker(scheduler[1], tmp_path, *words, **spilling),
        engine_at(scheduler[1], refuse) as engine,
    ):
        found = list(in_order(engine, first_of, range(5), engine.share(LARGE)))
        assert bytes(found) == b"large"
        with pytest.raises(ServerError, match="File too large.*; free room there, or set"):
            engine.submit(unpacked_size, engine.share(packed)).result()


@pytest.mark.parametrize("path_of", [of_another_version, of_other_code])
def test_a_wrong_worker_that_joins_later(
    path_of: Callable[[Path], str], scheduler: tuple[Process, str], tmp_path: Path
) -> None:
    address = scheduler[1]
    with ExitStack() as stack:
        stack.enter_context(worker(address, tmp_path, ALONE))
        engine = stack.enter_context(engine_at(address, refuse))
        assert engine.submit(nap, 1).result() == 1
        stack.enter_context(worker(address, tmp_path, ALONE, path=path_of(tmp_path)))
        tasks = [engine.submit(nap, item) for item in range(40)]
        with pytest.raises(ServerError, match="would give other results: "):
            for task in tasks:
                task.result()


def test_a_worker_without_our_code_that_joins_later_computes_nothing(
    scheduler: tuple[Process, str], tmp_path: Path
) -> None:
    """It cannot read what it is sent, and leaves."""
    address = scheduler[1]
    with worker(address, tmp_path, ALONE), engine_at(address, refuse) as engine:
        assert engine.submit(nap, 1).result() == 1
        with worker(address, tmp_path, ALONE, path=""):
            tasks = [engine.submit(nap, item) for item in range(20)]
            assert [task.result() for task in tasks] == list(range(20))


INTERRUPTED = """
import sys, time
from onnxpress.engine.choosing import engine_at
from onnxpress.engine.engine import in_order
from onnxpress.pipeline.running import run_stage

def main():
    with engine_at(sys.argv[1], print) as engine:
        for _ in in_order(engine, time.sleep, [0.2] * 1000):
            print("one", flush=True)

run_stage("quantize", main)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_is_interrupted_leaves_no_task(
    number: signal.Signals, scheduler: tuple[Process, str], tmp_path: Path
) -> None:
    address = scheduler[1]
    with worker(address, tmp_path, ALONE):
        process = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED, address],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "one\n"
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        if number is not signal.SIGKILL:
            assert process.returncode == 128 + number
            assert re.fullmatch("quantize: (interrupted|terminated); finished .*\n", said)
        with connected(address) as client:
            for _ in range(100):
                if not client.run_on_scheduler(left):
                    break
                time.sleep(0.1)
            assert client.run_on_scheduler(left) == 0


def left(dask_scheduler: Any) -> int:
    """How many tasks a scheduler knows."""
    return len(dask_scheduler.tasks)
