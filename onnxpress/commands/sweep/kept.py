"""The user's working tree while DVC queues experiments, and its return if that is killed.

To queue an experiment, DVC stashes the changes to tracked files, detaches HEAD, and writes the
params of the experiment. If it is killed meanwhile, git is left like that, and the next sweep would
take it for what the user wants.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onnxpress.pipeline.console import say
from onnxpress.pipeline.external import git
from onnxpress.pipeline.files import write_json

RECORD = Path(".dvc/tmp/sweep.json")
CURE = "`git status` and `git stash list` tell what the working tree and the stash hold"


@contextmanager
def kept() -> Iterator[None]:
    """Let DVC queue experiments, with a record of the working tree from which it is restored.

    Raises:
        UserError: git fails.
    """
    remember()
    try:
        yield
    finally:
        restore()


def remember() -> None:
    """Write down what the working tree is like.

    Raises:
        UserError: git fails.
    """
    record = {"head": _head(), "commit": _commit(), "changes": _changes(), "stash": _stash()}
    write_json(RECORD, record)


def restore() -> None:
    """Bring the working tree back if DVC was killed while it queued experiments.

    That has happened if HEAD is detached, or git's stash has the changes; other differences are the
    user's work. What is in the working tree instead goes into the stash: nothing is lost.

    Raises:
        UserError: git fails.
    """
    if not RECORD.exists():
        return
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    changes, stash = record["changes"], _stash()
    stashed = bool(changes) and stash != record["stash"] and _tree(stash) == _tree(changes)
    detached = _head() == "HEAD" != record["head"]
    if (stashed or detached) and _commit() == record["commit"]:
        if stashed:
            _git("stash", "drop", "--quiet")
        _git("stash", "push", "--quiet", "--message", "as a killed sweep left it")
        if detached:
            _git("symbolic-ref", "HEAD", record["head"])
        if changes:
            _git("stash", "apply", "--quiet", "--index", changes)
        say("the working tree is again as it was before a sweep was killed")
    RECORD.unlink()


def _head() -> str:
    """The current branch; ``HEAD`` if it is detached."""
    return _git("rev-parse", "--symbolic-full-name", "HEAD")


def _commit() -> str:
    return _git("rev-parse", "HEAD")


def _changes() -> str:
    """A commit that holds the changes to tracked files, as in git's stash; empty if none."""
    return _git("stash", "create")


def _stash() -> str:
    """The newest entry of git's stash; empty if there is none."""
    return _git("for-each-ref", "--format=%(objectname)", "refs/stash")


def _tree(commit: str) -> str:
    return _git("rev-parse", f"{commit}^{{tree}}") if commit else ""


def _git(*arguments: str) -> str:
    return git(*arguments, cure=CURE).strip()
