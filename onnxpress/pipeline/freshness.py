"""Which stages are not up to date, as DVC knows it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from onnxpress.errors import UserError
from onnxpress.pipeline.external import run

LOCK, PIPELINE = Path("dvc.lock"), Path("dvc.yaml")
ABSENT = {"deleted", "not in cache"}
"""What DVC says of outputs that are missing."""


def stale_stages() -> list[str]:
    """Return the stages whose outputs do not belong to the code, parameters and data, sorted.

    Raises:
        UserError: this is not a DVC repository, or dvc is at work in it.
    """
    return sorted(_status())


def stale_in_lock() -> dict[str, list[str]]:
    """Return the stages that dvc.lock has in another state than the files here, with differences.

    Outputs that are not here differ in nothing: a clean clone has none. What dvc.lock says of them
    has to agree then: a stage must have read what the stage before it made.

    Raises:
        UserError: this is not a DVC repository, or dvc is at work in it.
    """
    lock, status = _lock(), _status()
    made = {out["path"]: out for entry in lock.values() for out in entry.get("outs", [])}
    found: dict[str, list[str]] = {}
    for stage in {**lock, **status}:
        found[stage] = [*_differences(status.get(stage, []), made)]
        found[stage] += _torn(lock.get(stage, {}), made)
    return {stage: differences for stage, differences in found.items() if differences}


def dvc(*arguments: str) -> str:
    """Run a dvc command and return what it prints.

    Raises:
        UserError: it fails; its own words are in the message.
    """
    done = run("dvc", *arguments)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reason = " | ".join(lines) or f"exit code {done.returncode}"
        raise UserError(f"`dvc {' '.join(arguments)}` fails: {reason}; run `dvc repro`")
    return done.stdout


def _status() -> dict[str, list[Any]]:
    status = dict(json.loads(dvc("status", "--json")))
    if not PIPELINE.exists():  # then dvc knows of no stage that could be stale
        raise UserError(f"there is no {PIPELINE} here; run `git restore {PIPELINE}`")
    return status


def _lock() -> dict[str, Any]:
    """Return the stages of dvc.lock; none if there is no such file."""
    try:
        return dict(yaml.safe_load(LOCK.read_text(encoding="utf-8"))["stages"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, LookupError, yaml.YAMLError) as error:
        why = f"{LOCK} is not what dvc writes ({error}); run `git restore {LOCK}`"
        raise UserError(why) from error


def _differences(status: list[Any], made: Mapping[str, Any]) -> Iterator[str]:
    """Yield what DVC says has changed for a stage: paths and keys of params.yaml."""
    for change in status:
        if isinstance(change, str):  # "changed command"
            yield "its command"
            continue
        for path, state in (item for changes in change.values() for item in changes.items()):
            if isinstance(state, dict):
                yield from (f"{path}: {key}" for key in state)
            elif not (path in made and state in ABSENT):
                yield path


def _torn(entry: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[str]:
    """Yield inputs that have another digest in dvc.lock where they are read than where made."""
    for dep in entry.get("deps", []):
        if dep["path"] in made and dep.get("md5") != made[dep["path"]].get("md5"):
            yield dep["path"]
