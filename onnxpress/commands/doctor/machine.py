"""Checks of the machine that need no server: packages, programs, disk, locks, params.yaml."""

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
from onnxpress.benchmark.processor import int8_in_words, int8_instructions
from onnxpress.errors import UserError
from onnxpress.pipeline.external import Program, run
from onnxpress.pipeline.params import load_params

LOCK = Path("requirements/main.lock")
SECONDS = 5
FREE_GB = 1.0
"""Outputs are small, but DVC's cache, MLflow's copies and scikit-learn's spill files may not be."""


def python() -> str:
    """Python is one that the lock file was made for."""
    if sys.version_info < (3, 11):  # noqa: UP036 - users start it with any Python
        came = platform.python_version()
        raise UserError(
            f"this is Python {came}, should be 3.11 or newer; run `make PYTHON=python3.11`"
        )
    return platform.python_version()


def lock() -> str:
    """Every package of requirements/main.lock is installed in the locked version."""
    try:
        text = LOCK.read_text(encoding="utf-8")
    except OSError as error:
        cure = "run from the repository's folder"
        raise UserError(f"cannot read {LOCK} ({error.strerror}); {cure}") from error
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))
    wrong = []
    for name, expected in locked.items():
        came = installed(name)
        if came != expected:
            wrong.append(f"{name} {came} instead of {expected}")
    if wrong:
        raise UserError(
            f"{len(wrong)} of {len(locked)} packages are not as in {LOCK}: {wrong[0]}; "
            "run `make .venv/installed`"
        )
    return f"{len(locked)} packages as in {LOCK}"


def installed(package: str) -> str:
    """Return the installed version of a package."""
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


def int8() -> str:
    """Which instructions the CPU has for nets in int8; the chain runs without any."""
    return int8_in_words(int8_instructions())


def disk() -> str:
    """There is room for outputs, cache and runs."""
    free_gb = shutil.disk_usage(".").free / 2**30
    if free_gb < FREE_GB:
        raise UserError(
            f"{free_gb:.1f} GB are free here, should be {FREE_GB:g} or more; "
            "`dvc gc --workspace` frees DVC's cache"
        )
    return f"{free_gb:.0f} GB free"


def params() -> str:
    """params.yaml has every key, and each is valid."""
    load_params()
    return "every key is valid"


def locks() -> str:
    """The process that opens a given model can be started; says what confines it."""
    try:
        found = held.begin(held.settings({})).locks
    except held.NotStarted as error:
        raise UserError(
            f"the process that opens given models {error}; free memory and processes, and run again"
        ) from error
    listed, lacking = ", ".join(found), held.missing(found)
    if not lacking:
        return listed
    return f"{listed} (a given model might {lacking}: no lock of this system forbids it)"


CHECKS: dict[str, Callable[[], str]] = {
    "python": python,
    "packages": lock,
    "git": program("git"),
    "dvc": program("dvc"),
    "disk": disk,
    "int8": int8,
    "locks": locks,
    "params.yaml": params,
}
"""Every check by its title, in order."""
