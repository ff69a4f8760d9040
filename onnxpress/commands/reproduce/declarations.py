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
    "dvc.lock",  # publish tags a run with its digest; DVC writes the file after the stage
    "mlflow.db",  # the store that publish writes to is no input
    *(
        "model",
        "code",
    ),  # in the temporary folder that publish clears away: opened by name, relative to it
}


def undeclared(folder: Path, notes: Path) -> list[Verdict]:
    """A verdict for each file, module or section of params.yaml that a stage has read and dvc.yaml does not declare."""
    stages = yaml.safe_load((folder / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return [
        Verdict(stage, what, "UNDECLARED", f"is read, but {key} of dvc.yaml do not declare it")
        for stage, entry in stages.items()
        if (notes / stage).exists()
        for kind, _, what in sorted(
            line.partition(" ") for line in (notes / stage).read_text(encoding="utf-8").splitlines()
        )
        if (key := _missing_from(kind, what, entry))
    ]


def _missing_from(kind: str, what: str, entry: dict[str, Any]) -> str:
    """The key of a stage that should declare this and does not, or nothing."""
    if kind == "params":
        declared = entry.get("params", [])
        return (
            "" if any(f"{name}.".startswith(f"{what}.") for name in declared) else "params"
        )  # a key declares its section
    outs = outs_of(entry)
    covered = {*paths(entry.get("deps", [])), *outs, *NEEDS_NO_DECLARATION}
    if kind == "list":
        covered |= {str(Path(out).parent) for out in outs}  # where it looks for its own leftovers
    place = Path(what)
    if any(part.startswith(TEMPORARY) for part in place.parts):
        return ""  # an output of its own, on the way to being whole
    return "" if any(str(parent) in covered for parent in (place, *place.parents)) else "deps"
