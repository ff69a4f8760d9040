"""dvc.yaml and dvc.lock of the first edition, which name files that have moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from onnxpress.commands.migrate.found import Found
from onnxpress.pipeline.external import NotStarted, run
from onnxpress.pipeline.files import write_bytes
from onnxpress.pipeline.freshness import LOCK, PIPELINE

CODE = ("stages", "onnxpress", "requirements")
"""Where the files lie that dvc.yaml names of this project, each a folder or the start of a name."""

OURS = "python -m stages."
"""What the command of a stage of ours holds."""


def migrate_pipeline() -> Found:
    """Restore dvc.yaml where it names code that has moved, and look at dvc.lock.

    dvc.yaml is taken from the newest commit that has one whose files are all here; stages that the
    user has added are the user's to merge.
    """
    found = Found()
    text = _text(PIPELINE)
    if missing := missing_code(text):
        _restore(text, missing, found)
    if missing := missing_code(_text(LOCK)):
        found.left.append(
            f"{LOCK}: it names {missing[0]}, which has moved; `dvc repro` runs every stage once "
            "and writes it again"
        )
    return found


def _restore(text: str, missing: list[str], found: Found) -> None:
    """Replace dvc.yaml by the newest of git's that fits the code here."""
    why = f"{PIPELINE}: it names {missing[0]}, which has moved"
    newer = next(_committed(), None)
    if newer is None:
        found.left.append(f"{why}; take {PIPELINE} from the new edition")
        return
    commit, restored = newer
    own = [name for name in _stages(text) if name not in _stages(restored)]
    if own:
        found.left.append(
            f"{why}, and the stage {own[0]!r} is yours; "
            f"merge it with `git show {commit}:{PIPELINE}`"
        )
        return
    write_bytes(PIPELINE, restored.encode())
    found.changed.append(f"{why}, so it was restored as of commit {commit}")


def missing_code(text: str) -> list[str]:
    """Return the files of this project that a dvc.yaml or dvc.lock names and that are not here."""
    names: dict[str, None] = {}
    for stage in _stages(text).values():
        for entry in stage.get("deps", []):
            names[str(entry["path"] if isinstance(entry, Mapping) else entry)] = None
    return [name for name in names if name.startswith(CODE) and not Path(name).exists()]


def _stages(text: str) -> dict[str, Any]:
    """The stages of a dvc.yaml or dvc.lock; none if it is something else."""
    try:
        return dict(yaml.safe_load(text)["stages"])
    except (yaml.YAMLError, LookupError, TypeError, ValueError):
        return {}


def _committed() -> Iterator[tuple[str, str]]:
    """Commits with a dvc.yaml that fits the code here, and its text; the newest first."""
    try:
        listed = run("git", "log", "--all", "--full-history", "--format=%h", "--", str(PIPELINE))
    except NotStarted:
        return
    for commit in listed.stdout.split():
        shown = run("git", "show", f"{commit}:{PIPELINE}")
        if OURS in shown.stdout and not missing_code(shown.stdout):
            yield commit, shown.stdout


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
