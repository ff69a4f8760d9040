"""SIGKILL to stages and to dvc at random points of the chain, from which it must recover.

`dvc repro` must then end as if nothing had happened.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from bench.soak.kills import Kill
from onnxpress.commands.reproduce.clones import Clone, clone
from onnxpress.commands.reproduce.verdicts import outputs_in_order
from onnxpress.errors import UserError
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import TEMPORARY

STAGES = ("prepare", "train", "convert", "quantize", "evaluate", "benchmark", "plot", "gate")
VICTIMS = ("stage", "dvc", "both")
QUICK: dict[str, dict[str, Any]] = {
    "train": {"params": {"n_estimators": 5}},
    "evaluate": {"probe_rows": 100},
    "benchmark": {"n_iterations": 5, "max_seconds": 0.5, "batch_sizes": [1]},
    "gate": {
        "max_drop": {"score": None, "recall_worst_loss": None},
        "min_quantized_vs_onnx_speedup": None,
    },
}
"""Params that make the chain short; publish has a soak of its own."""
ORPHAN_SECONDS = 10
"""How long a stage may take to notice that its dvc is dead.

Signals wait until a call into C returns.
"""


@dataclass(frozen=True)
class Start:
    """The chain finished up to a stage, in a folder, and the seconds that its rest takes."""

    done: str
    folder: Path
    seconds: float


def soak(kills: int, seed: int) -> list[Kill]:
    """Kill ``kills`` times; what became of each.

    A kill goes to the stage, to dvc, or to both, at a random time within the run of the rest of the
    chain, from a random stage on. ``seed`` decides all three; the instruction that is hit depends
    on the machine. A chain that has ended by then is not killed, and not counted.
    """
    draw = random.Random(seed)  # noqa: S311 - repeatable, not secret
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        work = clone(Path(name) / "project", {})
        starts = list(undisturbed(work, Path(name) / "starts"))
        promise, outcome = digests(work.folder), list[Kill]()
        while len(outcome) < kills:
            start, victim, share = draw.choice(starts), draw.choice(VICTIMS), draw.random()
            restore(start, work.folder)
            hit = kill(work, victim, share * start.seconds)
            if hit is None:
                continue
            finding = recovery(work, promise)
            outcome.append(Kill(f"{hit}, {victim} killed", when(start, starts, share), finding))
            moment = f"{share * start.seconds:.1f} s after {start.done or 'nothing'}"
            end = f"in {hit}: {finding or 'recovered'}"
            say(f"{len(outcome)}: {victim} killed {moment}, {end}")
    return outcome


def when(start: Start, starts: Sequence[Start], share: float) -> float:
    """The moment of a kill as a share of the whole chain."""
    return 1 - (1 - share) * start.seconds / starts[0].seconds


def undisturbed(work: Clone, keep: Path) -> Iterator[Start]:
    """Run the chain a stage at a time, keeping what there was before each."""
    params = work.folder / "params.yaml"
    content = yaml.safe_load(params.read_text(encoding="utf-8"))
    for section, values in QUICK.items():
        content[section] |= values
    params.write_text(yaml.safe_dump(content), encoding="utf-8")
    (work.folder / "dvc.lock").unlink()
    begun, states = [time.monotonic()], []
    for stage in STAGES:
        states.append(shutil.copytree(work.folder, keep / stage, symlinks=True))
        subprocess.run(
            ["dvc", "repro", "-q", stage],
            cwd=work.folder,
            env=dict(work.environment),
            stdout=subprocess.DEVNULL,
            check=True,
        )
        begun.append(time.monotonic())
    for done, folder, start in zip(("", *STAGES), states, begun, strict=False):
        yield Start(done, folder, begun[-1] - start)


def restore(start: Start, folder: Path) -> None:
    """Bring the project back to where ``start`` left it."""
    shutil.rmtree(folder)
    shutil.copytree(start.folder, folder, symlinks=True)


def kill(work: Clone, victim: str, seconds: float) -> str | None:
    """Run the rest of the chain and SIGKILL ``victim`` after so many seconds.

    Returns:
        What ran then; None if the chain had ended.

    Raises:
        UserError: the chain has failed by itself.
    """
    with running(work) as dvc:
        try:
            code = dvc.wait(seconds)
        except subprocess.TimeoutExpired:
            children = psutil.Process(dvc.pid).children(recursive=True)
            stage = next(
                (words[2] for child in children if len(words := cmdline(child)) > 2), "dvc itself"
            )
            victims = {"stage": children, "dvc": [dvc], "both": [dvc, *children]}[victim] or [dvc]
            for process in victims:
                send_kill(process.pid)
            dvc.wait()
            return stage
        if code:
            raise UserError(f"dvc repro ended with {code} before it was killed")
        return None


@contextmanager
def running(work: Clone) -> Iterator[subprocess.Popen[bytes]]:
    """``dvc repro`` in a process group of its own."""
    command = ["dvc", "repro", "-q", STAGES[-1]]
    process = subprocess.Popen(
        command,
        cwd=work.folder,
        env=dict(work.environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()  # does nothing to one that has ended
        process.wait()


def cmdline(process: psutil.Process) -> list[str]:
    """The words of a process, none if it has ended."""
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def send_kill(pid: int) -> None:
    """SIGKILL, if the process is still there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def recovery(work: Clone, promise: dict[str, str]) -> str:
    """Run what ``make all`` runs, and say what is not as after an undisturbed run."""
    if orphans := left_running(work.folder):
        return f"still running: {orphans}"
    done = subprocess.run(
        ["sh", "-c", f"python -m onnxpress mend && dvc repro {STAGES[-1]}"],
        cwd=work.folder,
        env=dict(work.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if "killed dvc" in done.stdout:
        say(f"repaired: {done.stdout.splitlines()[0]}")
    if done.returncode:
        return f"dvc repro fails: {' | '.join(done.stderr.splitlines()[-3:])}"
    if strange := [
        path for path, digest in digests(work.folder).items() if promise.get(path) != digest
    ]:
        return f"other bytes or files: {strange}"
    return ""


def left_running(folder: Path) -> list[str]:
    """Processes that still work in the folder after ``ORPHAN_SECONDS``."""
    end = time.monotonic() + ORPHAN_SECONDS
    while (
        found := [process for process in psutil.process_iter() if works_in(process, folder)]
    ) and time.monotonic() < end:
        psutil.wait_procs(found, timeout=0.2)
    return [" ".join(cmdline(process)) for process in found]


def works_in(process: psutil.Process, folder: Path) -> bool:
    """Whether the process has the folder as its current one."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(folder))
    except psutil.Error:
        return False


def digests(folder: Path) -> dict[str, str]:
    """The content of each deterministic output, and the presence of every other project file."""
    deterministic = {output.path for output in outputs_in_order(folder)}
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if "__pycache__" in name or name.startswith((".git/", ".dvc/cache", ".dvc/tmp")):
            continue
        if path.is_file():
            promised = deterministic & {name, str(path.parent.relative_to(folder))}
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if promised else "present"
        elif path.name.startswith(TEMPORARY):
            found[name] = "present"
    return found
