"""Undo what a killed dvc can leave behind; ``make all`` runs this first.

DVC writes dvc.lock and .dvc/tmp/rwlock in place. Killed meanwhile it leaves them empty or cut off, and every later
command fails with "validation failed" or "JSON structure is corrupted". A cut that is still valid YAML does no harm: the
stages that it lost count as stale, and come back from DVC's run cache.
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

LOCK, PROCESSES = Path("dvc.lock"), Path(".dvc/tmp/rwlock")
WRITING_SECONDS = 1.0
"""A dvc that is at work writes a file whole within this time; what stays damaged has lost its writer."""


def main() -> None:
    """Put a damaged dvc.lock back as git has it, or remove it; remove a damaged list of running processes."""
    if damaged(LOCK, lambda text: yaml.safe_load(text)["schema"]):
        restored = run("git", "restore", str(LOCK)).returncode == 0
        if not restored:
            LOCK.unlink()
        say(f"{LOCK} was cut off by a killed dvc: {'restored from git' if restored else 'removed'}")
    if damaged(PROCESSES, json.loads):
        PROCESSES.unlink()
        say(f"{PROCESSES} was cut off by a killed dvc: removed")


def damaged(path: Path, read: Callable[[str], Any]) -> bool:
    """Whether the file is there, ``read`` fails on its text, and that does not pass."""
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
