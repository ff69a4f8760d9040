"""Experiments in a copy of the repository (``dvc exp run --temp``, queue, sweep), which lacks what git does not know."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

CODE = ("onnxpress", "stages")


def absent(name: str, otherwise: str) -> str:
    """What to say of a file that is not here, as the end of a sentence; ``otherwise`` if no copy is the reason."""
    original = _original()
    if original is None or not (original / name).exists():
        return otherwise
    return f"which git does not know, so the copy that this experiment runs in lacks it; {cure(name, original)}"


def cure(name: str, root: Path = Path()) -> str:
    """The command that has git track a file."""
    tracked = f"{name}.dvc" if (root / f"{name}.dvc").exists() else name
    ignored = _git(root, "check-ignore", "--quiet", "--", tracked) == 0
    return f"run `git add {'--force ' if ignored else ''}{shlex.quote(tracked)}`"


def explain_imports(command: list[str]) -> None:
    """In a copy, have a module that only the original has explained in a line where it cannot be imported."""
    if _original() is None:
        return
    stage = next((word.removeprefix("stages.") for word in command if word.startswith("stages.")), "")
    before = sys.excepthook

    def explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        name = _absent_module(error) if isinstance(error, ImportError) else None
        if name is None:
            before(kind, error, trace)
            return
        sys.stderr.write(f"{stage}: {name} cannot be imported, {absent(name, '')}\n")
        sys.stderr.flush()
        os._exit(2)

    sys.excepthook = explain


def absent_module(error: ImportError) -> str:
    """As :func:`absent`, of the module that could not be imported; empty if a copy is not the reason."""
    name = _absent_module(error)
    return "" if name is None else f"{name}, {absent(name, '')}"


def untracked_code(modules: Iterable[str]) -> list[str]:
    """Python files that git does not know: those of the project itself, and of the top-level ``modules``."""
    places = [*CODE, *(f"{module}.py" for module in modules), *modules]
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard", "--", *places],
        capture_output=True,
        text=True,
        check=False,
    )
    return [name for name in listed.stdout.splitlines() if name.endswith(".py")]


def _original() -> Path | None:
    """The repository that this folder is a copy of, if DVC runs an experiment in a copy."""
    named = os.environ.get("DVC_ROOT")
    if not named or Path(named).resolve() == Path.cwd().resolve():
        return None
    return Path(named)


def _absent_module(error: ImportError) -> str | None:
    """The file of the module, if it is in the original and not here."""
    original, name = _original(), (error.name or "").replace(".", "/")
    if inner := re.search(r"cannot import name '(\w+)'", str(error)):
        name = f"{name}/{inner[1]}"
    for path in (f"{name}.py", f"{name}/__init__.py"):
        if original and (original / path).is_file() and not Path(path).exists():
            return path
    return None


def _git(root: Path, *arguments: str) -> int:
    try:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False).returncode
    except OSError:  # no git: DVC would not run experiments
        return -1
