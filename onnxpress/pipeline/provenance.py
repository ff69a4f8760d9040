"""Where a run comes from: the repository, its commit, and whether the commit tells the whole story."""

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
LONGEST_SWEEP = 250
"""Characters: databases take no more."""
SECONDS = 10.0
"""How long git may take to answer."""


def provenance_tags() -> dict[str, str]:
    """Tags that lead from a run back to the commit and the DVC state it was made from; what is unknown is left out."""
    commit = _git("rev-parse", "HEAD")
    changes = _git(
        "status", "--porcelain", "--", ".", ":!dvc.lock", ":!outputs"
    )  # a pipeline run rewrites these two
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
    """What the runs of one sweep share: ``ONNXPRESS_SWEEP``, else the commit that DVC's experiments start from; or nothing."""
    if named := re.sub(r"[^\w .:/-]", "_", os.environ.get("ONNXPRESS_SWEEP", "")):
        return named[:LONGEST_SWEEP]
    baseline = os.environ.get("DVC_EXP_BASELINE_REV") if os.environ.get("DVC_EXP_NAME") else None
    return baseline and f"experiments on {baseline[:7]}"


def run_name(params: Params) -> str:
    """Model and data in the words of params.yaml, as in ``RandomForestClassifier on iris``."""
    return shortened(
        visible(f"{params.train.title} on {Path(params.data.source).stem}")
    )  # databases take 250


def _git(*arguments: str) -> str | None:
    """Return what git prints, or None outside a repository or without git."""
    try:
        done = run("git", *arguments, seconds=SECONDS)
    except (NotStarted, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.strip()


def _lock_digest() -> str | None:
    """SHA-256 of what dvc.lock says of the other stages; the publish stage's own entry is written after it ran."""
    try:
        content = yaml.safe_load(DVC_LOCK.read_text(encoding="utf-8"))
        stages = {name: entry for name, entry in content["stages"].items() if name != "publish"}
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError):
        return None
    return sha256(json.dumps(stages, sort_keys=True).encode()).hexdigest()
