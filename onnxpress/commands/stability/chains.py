"""The chain from the rows to the gates, for one seed, in a temporary folder."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from onnxpress.commands.snapshot import Place, Snapshot, unpacked
from onnxpress.errors import GateFailed, UserError
from onnxpress.pipeline.external import run_bound
from onnxpress.pipeline.files import read_json, write_json
from onnxpress.pipeline.outputs import GATE, LATENCY, METRICS, PARAMS, QUANTIZATION
from onnxpress.pipeline.params import ENGINE

STAGES = ("prepare", "train", "convert", "quantize", "evaluate", "gate")
BROUGHT = ("data", "models")
"""Folders of the repository that the stages read."""
TIMED = ("min_onnx_speedup", "min_quantized_vs_onnx_speedup")
"""Gates on latency; they are switched off, for runs that nobody waits for are not timed."""


@dataclass(frozen=True)
class Run:
    """What one seed led to."""

    seed: int
    candidate: str
    """The candidate that was chosen, or ``none``."""
    times_smaller: float
    """The ONNX model's size over the quantised one's."""
    gates: Mapping[str, Mapping[str, Any]]
    """The entries of gate.json that have a limit, by gate."""

    def to_json(self) -> dict[str, Any]:
        """Return the run as JSON's types."""
        gates = {name: dict(entry) for name, entry in self.gates.items()}
        return {
            "seed": self.seed,
            "candidate": self.candidate,
            "times_smaller": self.times_smaller,
            "gates": gates,
        }


class ChainFailed(UserError):
    """A stage does not work with this seed; the message is its line."""


def attempt(seed: int, content: Mapping[str, Any], snapshot: Snapshot | None) -> Run | ChainFailed:
    """Return what :func:`run_chain` returns, or the error of a stage that does not work."""
    try:
        return run_chain(seed, content, snapshot)
    except ChainFailed as error:
        return error


def run_chain(seed: int, content: Mapping[str, Any], snapshot: Snapshot | None = None) -> Run:
    """Run the stages of this repository's code and data, with another seed.

    Args:
        seed: of the split, the fit and the choice.
        content: of params.yaml.
        snapshot: of the repository, on a cluster's worker.

    Raises:
        ChainFailed: a stage rejects its input.
    """
    with unpacked(snapshot) as repository, _project(content, seed, repository) as folder:
        for stage in STAGES:
            _run(stage, folder, repository)
        metrics, chosen = read_json(folder / METRICS), read_json(folder / QUANTIZATION)
        gates = read_json(folder / GATE)
    applied = {name: entry for name, entry in gates.items() if entry["passed"] is not None}
    ratio = metrics["onnx_size_kb"] / metrics["quantized_size_kb"]
    return Run(seed, chosen["candidate"], ratio, applied)


@contextmanager
def _project(content: Mapping[str, Any], seed: int, repository: Place) -> Iterator[Path]:
    """A folder with the repository's data and models, and its params with another seed."""
    prefix = "onnxpress-stability-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=repository.scratch) as name:
        folder = Path(name)
        for brought in BROUGHT:
            if (there := repository.folder / brought).is_dir():
                (folder / brought).symlink_to(there.resolve(), target_is_directory=True)
        gates = {**content["gate"], **dict.fromkeys(TIMED)}
        params = {**content, "seed": seed, "gate": gates, ENGINE: {"scheduler": None}}
        (folder / PARAMS).write_text(yaml.safe_dump(params), encoding="utf-8")
        write_json(folder / LATENCY, {})
        yield folder


def _run(stage: str, folder: Path, repository: Place) -> None:
    """Run one stage; a gate that fails is a result.

    Raises:
        ChainFailed: the stage fails otherwise.
    """
    environment = {**repository.environment, "PYTHONPATH": str(repository.folder)}
    command = (sys.executable, "-m", f"stages.{stage}")
    done = run_bound(*command, folder=folder, environment=environment)
    if done.returncode in (0, GateFailed.exit_code if stage == "gate" else 0):
        return
    lines = done.stderr.strip().splitlines() or [f"{stage} ended with {done.returncode}"]
    raise ChainFailed(lines[-1])
