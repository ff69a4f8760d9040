"""What the stages really read, held against what dvc.yaml says they read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from onnxpress.commands.reproduce.verdicts import Verdict, outs_of, paths
from onnxpress.pipeline.files import TEMPORARY

WATCH = Path(__file__).parent / "watch"
"""On PYTHONPATH it makes every stage note what it reads (see sitecustomize.py there)."""

NEEDS_NO_DECLARATION = {
    "dvc.yaml",  # to know what to compare when the stage ends
    "params.yaml",  # each section is noted by itself
    "stages/__init__.py",  # signals only: nothing in it can change an output
    "onnxpress/__init__.py",  # names only: nothing in it can change an output
    "dvc.lock",  # publish tags a run with its digest; DVC writes it after the stage
    "mlflow.db",  # the store that publish writes to is not an input
}


def undeclared(folder: Path, notes: Path) -> list[Verdict]:
    """Return a verdict for everything that a stage has read and dvc.yaml does not declare.

    That is a file, a module, or a section or a key of params.yaml.
    """
    stages = yaml.safe_load((folder / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    found = []
    for stage, entry in stages.items():
        for kind, what in _noted(notes / stage):
            if key := _missing_from(kind, what, entry):
                finding = f"is read, but {key} of dvc.yaml do not declare it"
                found.append(Verdict(stage, what, "UNDECLARED", finding))
    return found


def _declares(declared: str, read: str) -> bool:
    """Whether an entry under ``params`` of dvc.yaml covers a section or a key that is read.

    A section covers its keys, ``evaluate`` also ``evaluate.score``. A key covers the reading of its
    section, which is how a stage comes to it.
    """
    section, _, _ = declared.partition(".")
    return read in (declared, section) or read.startswith(f"{declared}.")


def _noted(path: Path) -> list[tuple[str, str]]:
    """What a stage has read: kind and name, sorted; nothing if it did not run."""
    if not path.exists():
        return []
    parts = [line.partition(" ") for line in path.read_text(encoding="utf-8").splitlines()]
    return sorted((kind, what) for kind, _, what in parts)


def _missing_from(kind: str, what: str, entry: dict[str, Any]) -> str:
    """The key of a stage that should declare this and does not, or nothing."""
    if kind == "params":
        return "" if any(_declares(name, what) for name in entry.get("params", [])) else "params"
    outs = outs_of(entry)
    covered = {*paths(entry.get("deps", [])), *outs, *NEEDS_NO_DECLARATION}
    if kind == "list":
        covered |= {str(Path(out).parent) for out in outs}  # it looks for its own leftovers there
    place = Path(what)
    if any(part.startswith(TEMPORARY) for part in place.parts):
        return ""  # an output of its own, on the way to being whole
    return "" if any(str(parent) in covered for parent in (place, *place.parents)) else "deps"
