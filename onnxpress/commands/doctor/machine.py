"""Checks of the machine that need no server: what is installed, what is on the disk, what params.yaml says."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from onnxpress import held
from onnxpress.errors import UserError
from onnxpress.pipeline.external import Program, run
from onnxpress.pipeline.params import load_params

LOCK = Path("requirements/main.lock")
SECONDS = 5
FREE_GB = 1.0
"""The chain's outputs are small; DVC's cache, MLflow's copies and scikit-learn's spill files are not always."""


def python() -> str:
    """Python is one that the lock file was made for."""
    if sys.version_info < (3, 11):  # noqa: UP036 - users start it with any Python
        raise UserError(
            f"this is Python {platform.python_version()}, should be 3.11 or newer; run `make PYTHON=python3.11`"
        )
    return platform.python_version()


def lock() -> str:
    """Every package of requirements/main.lock that is installed has the locked version, and those the stages import are there."""
    try:
        locked = dict(
            re.findall(r"^([\w.-]+)==(\S+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
        )
    except OSError as error:
        raise UserError(
            f"cannot read {LOCK} ({error.strerror}); run from the repository's folder"
        ) from error
    wrong = [
        f"{name} {came} instead of {expected}"
        for name, expected in locked.items()
        if (came := installed(name)) != expected
    ]
    if wrong:
        raise UserError(
            f"{len(wrong)} of {len(locked)} packages are not as in {LOCK}: {wrong[0]}; run `make .venv/installed`"
        )
    return f"{len(locked)} packages as in {LOCK}"


def installed(package: str) -> str:
    """The installed version of a package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def program(name: Program) -> Callable[[], str]:
    """Make a check that a program answers with its version."""

    def check() -> str:
        fails, cure = f"`{name} --version` does not work", f"install {name}, or activate .venv"
        try:
            done = run(name, "--version", seconds=SECONDS)
        except subprocess.TimeoutExpired as error:
            raise UserError(f"{fails} (no answer in {SECONDS} s); {cure}") from error
        if done.returncode:
            raise UserError(f"{fails} (exit code {done.returncode}); {cure}")
        return done.stdout.strip().removeprefix(f"{name} version ")

    return check


def disk() -> str:
    """There is room for outputs, cache and runs."""
    free_gb = shutil.disk_usage(".").free / 2**30
    if free_gb < FREE_GB:
        raise UserError(
            f"{free_gb:.1f} GB are free here, should be {FREE_GB:g} or more; `dvc gc --workspace` frees DVC's cache"
        )
    return f"{free_gb:.0f} GB free"


def params() -> str:
    """params.yaml has every key, and each is valid."""
    load_params()
    return "every key is valid"


def locks() -> str:
    """What holds the process that a given model is opened in, and what it could still do."""
    try:
        found = held.begin(held.settings({})).locks
    except held.NotStarted as error:
        raise UserError(
            f"the process that opens given models {error}; free memory and processes, and run again"
        ) from error
    lacking = held.missing(found)
    return ", ".join(found) + (
        f" (a given model might {lacking}: no lock of this system forbids it)" if lacking else ""
    )


CHECKS: dict[str, Callable[[], str]] = {
    "python": python,
    "packages": lock,
    "git": program("git"),
    "dvc": program("dvc"),
    "disk": disk,
    "locks": locks,
    "params.yaml": params,
}
"""Every check by its title, in order."""
