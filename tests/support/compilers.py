"""C compilers and what runs their programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow")
PACKAGES = {
    "arm-linux-gnueabihf-gcc": "gcc-arm-linux-gnueabihf",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "clang": "clang",
    "gcc": "gcc",
    "node": "nodejs",
    "qemu-arm": "qemu-user",
    "wasm-ld": "lld",
}
"""By program, the package of Debian that has it."""


def tool(name: str) -> str:
    """Where a program is; without it the test is skipped, and fails in CI."""
    found = shutil.which(name)
    if found is None:
        missing = f"no {name} on PATH; on Debian: apt-get install {PACKAGES[name]}"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    return str(found)


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program; what it prints is in ``stdout``, errors too."""
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def compiled(folder: Path, name: str, compiler: str, *flags: str) -> Path:
    """Compile ``name``.c and its test program strictly; return the program."""
    program = folder / f"{name}_{compiler}"
    sources = folder / f"{name}.c", folder / f"{name}_test.c"
    done = run(tool(compiler), *STRICT, *flags, *sources, "-o", program)
    assert done.returncode == 0, done.stdout
    return program
