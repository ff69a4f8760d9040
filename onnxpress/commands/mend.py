"""Repair the files that a killed dvc can leave damaged; ``make all`` and sweeps do this first.

DVC writes dvc.lock and its lists of processes in place. If it is killed meanwhile, they are empty
or cut off, and every later command fails with "validation failed" or "JSON structure is corrupted".
A cut that is still valid YAML does no harm: the stages that it lost count as stale, and come back
from DVC's run cache.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from onnxpress.pipeline.console import say
from onnxpress.pipeline.external import run

LOCK = Path("dvc.lock")
PROCESSES = (Path(".dvc/tmp/rwlock"), Path(".dvc/tmp/exps/rwlock"))
"""Of the stages, and of the experiments in the queue."""

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""In C, if it is there: 20 times as fast."""

WRITING_SECONDS = 1.0
"""A dvc that is still running completes a file within this time."""


def main() -> None:
    """Restore a damaged dvc.lock from git, or remove it; remove damaged lists of processes."""
    if damaged(LOCK, lambda text: yaml.load(text, LOADER)["schema"]):  # noqa: S506 - both are safe
        done = "restored from git"
        if run("git", "restore", str(LOCK)).returncode:
            LOCK.unlink()
            done = "removed"
        say(f"{LOCK} was cut off by a killed dvc: {done}")
    for processes in PROCESSES:
        if damaged(processes, json.loads):
            processes.unlink()
            say(f"{processes} was cut off by a killed dvc: removed")


def damaged(path: Path, read: Callable[[str], Any]) -> bool:
    """Whether there is such a file and ``read`` fails on its text, twice in a row."""
    for seconds in (WRITING_SECONDS, 0):
        try:
            read(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return False
        except (ValueError, TypeError, LookupError, yaml.YAMLError):
            time.sleep(seconds)
        else:
            return False
    return True
