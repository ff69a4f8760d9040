"""The verdict on each output: whether it is the same in both clones and as dvc.lock promises."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from onnxpress.commands.reproduce.canonical import departure_from_canonical
from onnxpress.commands.reproduce.clones import LAST_DETERMINISTIC_STAGE, TIMED_STAGES
from onnxpress.commands.reproduce.differences import difference
from onnxpress.pipeline.external import run

Word = Literal["equal", "DIFFERS", "NOT CANONICAL", "UNDECLARED"]


@dataclass(frozen=True)
class Output:
    """A file or folder and the stage that makes it."""

    stage: str
    path: str


@dataclass(frozen=True)
class Verdict:
    """What was found about an output, or about something that a stage reads."""

    stage: str
    path: str
    word: Word
    finding: str

    @property
    def good(self) -> bool:
        """Whether it is as promised."""
        return self.word == "equal"

    def __str__(self) -> str:
        """The line of the report."""
        return f"{self.word}: {self.path} ({self.stage}) {self.finding}".rstrip()


def outputs_in_order(folder: Path, last_stage: str = LAST_DETERMINISTIC_STAGE) -> list[Output]:
    """Return the outputs of dvc.yaml up to ``last_stage``, in the order of the chain.

    Those of the stages that measure times are left out.
    """
    stages = yaml.safe_load((folder / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    outputs = []
    for stage, entry in stages.items():
        if stage not in TIMED_STAGES:
            outputs += [Output(stage, path) for path in outs_of(entry)]
        if stage == last_stage:
            break
    return outputs


def outs_of(entry: dict[str, Any]) -> list[str]:
    """Return the paths that a stage of dvc.yaml writes."""
    return [path for kind in ("outs", "metrics", "plots") for path in paths(entry.get(kind, []))]


def paths(entries: list[Any]) -> list[str]:
    """Return the paths of deps or outs of dvc.yaml, which are strings or mappings with one key."""
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def promised(folder: Path) -> dict[str, str]:
    """Return the md5 of each output in the committed dvc.lock.

    Empty on another minor version of Python than the lock was made with.
    """
    expected = (folder / ".python-version").read_text(encoding="utf-8").strip()
    if expected != "{}.{}".format(*sys.version_info):
        return {}
    committed = run("git", "show", "HEAD:dvc.lock", folder=folder)
    committed.check_returncode()
    stages = yaml.safe_load(committed.stdout)["stages"].values()
    return {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", [])}


def digest_of(path: Path) -> str:
    """Return the md5 of a file or folder, as in dvc.lock."""
    if not path.is_dir():
        return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    inside = [file for file in path.rglob("*") if file.is_file()]
    files = {str(file.relative_to(path)): digest_of(file) for file in inside}
    listed = json.dumps([{"md5": md5, "relpath": name} for name, md5 in sorted(files.items())])
    return f"{hashlib.md5(listed.encode(), usedforsecurity=False).hexdigest()}.dir"


def compare(output: Output, one: Path, other: Path, promise: dict[str, str]) -> Verdict:
    """Compare an output of two clones, and with the lock."""
    first, second = (folder / output.path for folder in (one, other))
    digests = [digest_of(path) for path in (first, second)]
    word: Word = "equal"
    finding = "" if promise else "between the clones; dvc.lock is of another Python"
    if digests[0] != digests[1]:
        word, finding = "DIFFERS", f"not deterministic: {difference(first, second)}"
    elif departure := departure_from_canonical(first):
        word, finding = "NOT CANONICAL", f"equal in both clones, perhaps by chance: {departure}"
    elif promise and promise.get(output.path) != digests[0]:
        why = "a stale lock, or another platform"
        word, finding = "DIFFERS", f"equal in both clones but not the file of dvc.lock: {why}"
    return Verdict(output.stage, output.path, word, finding)
