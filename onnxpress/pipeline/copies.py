"""Experiments run in a copy of the repository (``--temp``, queue, sweep) with what git tracks."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from onnxpress.errors import UserError
from onnxpress.pipeline.external import NotStarted, run

CODE = ("onnxpress", "stages")


def absent(name: str, otherwise: str) -> str:
    """Return why a file is missing: ``otherwise``, unless only the copy lacks it."""
    original = _original()
    if original is None or not os.path.lexists(original / name):
        return otherwise
    lacks = "which git does not know, so the copy that this experiment runs in lacks it"
    return f"{lacks}; {cure(name, original)}"


def cure(name: str, root: Path = Path()) -> str:
    """Return what to run so that git tracks a file."""
    tracked = f"{name}.dvc" if (root / f"{name}.dvc").exists() else name
    ignored = _ignored(tracked, root)
    return f"run `git add {'--force ' if ignored else ''}{shlex.quote(tracked)}`"


def explain_imports(stage: str) -> None:
    """In a copy, explain in one line why a module that only the original has is not imported."""
    if _original() is None:
        return
    before = sys.excepthook

    def explain(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
        name = _absent_module(error) if isinstance(error, ImportError) else None
        if name is None:
            before(kind, error, at)
            return
        sys.stderr.write(f"{stage}: {name} cannot be imported, {absent(name, '')}\n")
        sys.stderr.flush()
        os._exit(2)  # a hook has no other way to set the exit code

    sys.excepthook = explain


def absent_module(error: ImportError) -> str:
    """Return why a module cannot be imported, as :func:`absent`; empty if the original lacks it."""
    name = _absent_module(error)
    return "" if name is None else f"{name}, {absent(name, '')}"


@contextmanager
def absent_modules_named() -> Iterator[None]:
    """Say of what cannot be imported that only the original has the module it needs.

    Raises:
        UserError: instead of one that an ImportError has caused, if the original has the module.
    """
    try:
        yield
    except UserError as error:
        cause = error.__cause__
        lacking = absent_module(cause) if isinstance(cause, ImportError) else ""
        what, words, _ = str(error).partition(" cannot be imported ")
        if not lacking or not words:
            raise
        raise UserError(f"{what} cannot be imported: it needs {lacking}") from error


def untracked_code(modules: Iterable[str]) -> list[str]:
    """Return Python files of the project and of top-level ``modules`` that git does not track."""
    places = [*CODE, *(f"{module}.py" for module in modules), *modules]
    literally = ("--literal-pathspecs", "ls-files", "-z", "--others", "--exclude-standard", "--")
    listed = run("git", *literally, *places)
    return [name for name in listed.stdout.split("\0") if name.endswith(".py")]


def _original() -> Path | None:
    """Return the repository of which this folder is a copy; None if it is not a copy."""
    named = os.environ.get("DVC_ROOT")
    if not named or Path(named).resolve() == Path.cwd().resolve():
        return None
    return Path(named)


def _absent_module(error: ImportError) -> str | None:
    """Return the file of the module, if it is in the original and not here."""
    original, name = _original(), (error.name or "").replace(".", "/")
    if inner := re.search(r"cannot import name '(\w+)'", str(error)):
        name = f"{name}/{inner[1]}"
    for path in (f"{name}.py", f"{name}/__init__.py"):
        if original and (original / path).is_file() and not Path(path).exists():
            return path
    return None


def _ignored(name: str, root: Path) -> bool:
    """Whether git ignores a file; without git DVC runs no experiments, and nothing is ignored."""
    try:
        done = run("git", "check-ignore", "--quiet", "--", name, folder=root)
    except NotStarted:
        return False
    return done.returncode == 0
