"""Where a run comes from: the repository's commit, uncommitted changes, and the data DVC knows."""

from __future__ import annotations

import json
import os
import re
import subprocess
from hashlib import sha256
from pathlib import Path

import yaml

from onnxpress.pipeline.external import NotStarted, run
from onnxpress.pipeline.params import Params
from onnxpress.text import shortened, visible

DVC_LOCK = Path("dvc.lock")
REWRITTEN = (":!dvc.lock", ":!outputs")
"""What a run of the pipeline rewrites itself, as git's pathspecs."""
LONGEST_SWEEP = 250
"""Characters: databases take no more."""
SECONDS = 10.0
"""How long git may take to answer."""


def provenance_tags() -> dict[str, str]:
    """Return tags that lead from a run back to the commit and the DVC state it was made from.

    What is unknown is left out.
    """
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--", ".", *REWRITTEN)
    tags = {
        "mlflow.source.name": "onnxpress",
        "git_commit": commit,
        "mlflow.source.git.commit": commit,
        "git_dirty": None if changes is None or not commit else str(bool(changes)).lower(),
        "dvc_lock_digest": _lock_digest(),
        "dvc_experiment": os.environ.get("DVC_EXP_NAME"),
    }
    return {key: value for key, value in tags.items() if value}


def sweep_name() -> str | None:
    """Return the name that the runs of one sweep share, None outside a sweep.

    It is ``ONNXPRESS_SWEEP``, else the commit that DVC's experiments start from.
    """
    if named := re.sub(r"[^\w .:/-]", "_", os.environ.get("ONNXPRESS_SWEEP", "")):
        return named[:LONGEST_SWEEP]
    baseline = os.environ.get("DVC_EXP_BASELINE_REV") if os.environ.get("DVC_EXP_NAME") else None
    return baseline and f"experiments on {baseline[:7]}"


def run_name(params: Params) -> str:
    """Return model and data in the words of params.yaml: ``RandomForestClassifier on iris``."""
    return shortened(visible(f"{params.train.title} on {Path(params.data.source).stem}"))


def _git(*arguments: str) -> str | None:
    """Return what git prints, or None outside a repository or without git."""
    try:
        done = run("git", *arguments, seconds=SECONDS)
    except (NotStarted, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.strip()


def _lock_digest() -> str | None:
    """Return the SHA-256 of what dvc.lock says of the other stages, None if it cannot be read.

    The publish stage's own entry is written only after it has run.
    """
    try:
        content = yaml.safe_load(DVC_LOCK.read_text(encoding="utf-8"))
        stages = {name: entry for name, entry in content["stages"].items() if name != "publish"}
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError):
        return None
    return sha256(json.dumps(stages, sort_keys=True).encode()).hexdigest()
