"""Each deterministic output of the chain: the same in both clones, and the same as dvc.lock promises, or not and where."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from onnxpress.commands.reproduce.canonical import departure_from_canonical
from onnxpress.commands.reproduce.clones import LAST_DETERMINISTIC_STAGE
from onnxpress.commands.reproduce.differences import difference
from onnxpress.pipeline.external import run


@dataclass(frozen=True)
class Output:
    """A file or folder and the stage that makes it."""

    stage: str
    path: str


@dataclass(frozen=True)
class Verdict:
    """What was found of an output, or of something that a stage reads, in one word and in more."""

    stage: str
    path: str
    word: Literal["equal", "DIFFERS", "NOT CANONICAL", "UNDECLARED"]
    finding: str

    @property
    def good(self) -> bool:
        """Whether all is as promised."""
        return self.word == "equal"

    def __str__(self) -> str:
        """The line of the report."""
        return f"{self.word}: {self.path} ({self.stage}) {self.finding}".rstrip()


def outputs_in_order(folder: Path, last_stage: str = LAST_DETERMINISTIC_STAGE) -> list[Output]:
    """The outputs of dvc.yaml up to ``last_stage``, in the order of the chain."""
    outputs = []
    for stage, entry in yaml.safe_load((folder / "dvc.yaml").read_text(encoding="utf-8"))[
        "stages"
    ].items():
        outputs += [Output(stage, path) for path in outs_of(entry)]
        if stage == last_stage:
            break
    return outputs


def outs_of(entry: dict[str, Any]) -> list[str]:
    """The paths that a stage of dvc.yaml writes."""
    return [path for kind in ("outs", "metrics", "plots") for path in paths(entry.get(kind, []))]


def paths(entries: list[Any]) -> list[str]:
    """The paths of deps or outs of dvc.yaml, which are strings or mappings with one key."""
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def promised(folder: Path) -> dict[str, str]:
    """The md5 that the committed dvc.lock has of each output; empty on another Python minor than the lock's own."""
    if (folder / ".python-version").read_text(encoding="utf-8").strip() != "{}.{}".format(
        *sys.version_info
    ):
        return {}
    committed = run("git", "show", "HEAD:dvc.lock", folder=folder)
    committed.check_returncode()
    stages = yaml.safe_load(committed.stdout)["stages"].values()
    return {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", [])}


def digest_of(path: Path) -> str:
    """The md5 of a file or folder, as dvc.lock has it."""
    if not path.is_dir():
        return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    files = {
        str(file.relative_to(path)): digest_of(file) for file in path.rglob("*") if file.is_file()
    }
    listed = json.dumps([{"md5": md5, "relpath": name} for name, md5 in sorted(files.items())])
    return f"{hashlib.md5(listed.encode(), usedforsecurity=False).hexdigest()}.dir"


def compare(output: Output, one: Path, other: Path, promise: dict[str, str]) -> Verdict:
    """Hold an output of two clones against each other and against the lock."""
    first, second = (folder / output.path for folder in (one, other))
    digests = [digest_of(path) for path in (first, second)]
    if digests[0] != digests[1]:
        return Verdict(
            output.stage, output.path, "DIFFERS", f"not deterministic: {difference(first, second)}"
        )
    if departure := departure_from_canonical(first):
        return Verdict(
            output.stage,
            output.path,
            "NOT CANONICAL",
            f"equal in both clones, perhaps by chance: {departure}",
        )
    if promise and promise.get(output.path) != digests[0]:
        finding = (
            "equal in both clones but not the file of dvc.lock: a stale lock, or another platform"
        )
        return Verdict(output.stage, output.path, "DIFFERS", finding)
    return Verdict(
        output.stage,
        output.path,
        "equal",
        "" if promise else "between the clones; dvc.lock is of another Python",
    )
