"""Fitted models of the user's, and code of the user's that imports ours by its old place."""

from __future__ import annotations

import re
from pathlib import Path

from onnxpress.commands.migrate.found import Found
from onnxpress.errors import UserError
from onnxpress.pipeline.external import NotStarted, run
from onnxpress.pipeline.outputs import PARAMS
from onnxpress.pipeline.yaml_file import read_yaml

FOLDER = Path("models")
STORED = {".joblib", ".pkl", ".skops"}
OLD_IMPORT = re.compile(r"^\s*(?:from|import)\s+(stages\.\w+\.\w+)", re.MULTILINE)
"""The first edition had its library in folders of stages/."""


def look_at_models() -> Found:
    """Name each stored model in models/ that cannot be loaded any more, and why.

    Those of the first edition that name classes by their old module are read as they are.
    """
    from onnxpress.estimators.loading import load_original

    found, trust = Found(), _trusted()
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in STORED:
            try:
                load_original(path, trust)
            except UserError as error:
                found.left.append(str(error))
    return found


def _trusted() -> list[str]:
    """The classes of ``train.trust``, whether the rest of the params is valid or not."""
    train = read_yaml(PARAMS, "the sections of the parameters").get("train")
    trust = train.get("trust") if isinstance(train, dict) else None
    return [str(name) for name in trust] if isinstance(trust, list) else []


def look_at_code() -> Found:
    """Name each Python file that git tracks, beside ours, that imports from a folder of stages/."""
    found = Found()
    try:
        listed = run("git", "ls-files", "-z", "--", "*.py", "*.ipynb")
    except NotStarted:
        return found
    for name in filter(None, listed.stdout.split("\0")):
        if name.startswith(("stages/", "onnxpress/", "tests/", "bench/")):
            continue
        try:
            old = OLD_IMPORT.search(Path(name).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            continue
        if old:
            line = f"{name}: it imports {old[1]}, which has moved; the library is in onnxpress/ now"
            found.left.append(line)
    return found
