"""The chain from the rows to the gates, for one seed, in a temporary folder."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from onnxpress.errors import GateFailed, UserError
from onnxpress.pipeline.files import read_json, write_json
from onnxpress.pipeline.outputs import GATE, LATENCY, METRICS, PARAMS, QUANTIZATION

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


def run_chain(content: Mapping[str, Any], seed: int) -> Run:
    """Run the stages of this repository's code and data, with another seed.

    Args:
        content: of params.yaml.
        seed: of the split, the fit and the choice.

    Raises:
        ChainFailed: a stage rejects its input.
    """
    with _project(content, seed) as folder:
        for stage in STAGES:
            _run(stage, folder)
        metrics, chosen = read_json(folder / METRICS), read_json(folder / QUANTIZATION)
        gates = read_json(folder / GATE)
    applied = {name: entry for name, entry in gates.items() if entry["passed"] is not None}
    ratio = metrics["onnx_size_kb"] / metrics["quantized_size_kb"]
    return Run(seed, chosen["candidate"], ratio, applied)


@contextmanager
def _project(content: Mapping[str, Any], seed: int) -> Iterator[Path]:
    """A folder with the repository's data and models, and its params with another seed."""
    with tempfile.TemporaryDirectory(prefix="onnxpress-stability-") as name:
        folder = Path(name)
        for brought in BROUGHT:
            if Path(brought).is_dir():
                (folder / brought).symlink_to(Path(brought).resolve(), target_is_directory=True)
        gates = {**content["gate"], **dict.fromkeys(TIMED)}
        params = {**content, "seed": seed, "gate": gates}
        (folder / PARAMS).write_text(yaml.safe_dump(params), encoding="utf-8")
        write_json(folder / LATENCY, {})
        yield folder


def _run(stage: str, folder: Path) -> None:
    """Run one stage; a gate that fails is a result.

    Raises:
        ChainFailed: the stage fails otherwise.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DVC_")}
    done = subprocess.run(  # noqa: S603 - our own stages
        [sys.executable, "-m", f"stages.{stage}"],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode in (0, GateFailed.exit_code if stage == "gate" else 0):
        return
    lines = done.stderr.strip().splitlines() or [f"{stage} ended with {done.returncode}"]
    raise ChainFailed(lines[-1])
