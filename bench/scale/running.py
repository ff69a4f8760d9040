"""Stages and commands in processes of their own, and what each has cost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from onnxpress.errors import ServerError

ROOT = Path(__file__).parents[2]

MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime, used.ru_stime, used.ru_maxrss, file=open(sys.argv[1], "w"))
sys.exit(code)
"""
"""A small process between: the peak of a process begins with the memory of the one that made it."""


@dataclass(frozen=True)
class Cost:
    """Of a process and all processes that it has waited for."""

    cpu_s: float
    wall_s: float
    peak_mb: float
    """Of the largest of them."""


def project(folder: Path, settings: Mapping[str, Any]) -> None:
    """Make a folder in which stages run: the committed params.yaml with other ``settings``."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for path, value in settings.items():
        section, _, key = path.partition(".")
        content[section][key] = value
    (folder / "outputs").mkdir(parents=True, exist_ok=True)
    (folder / "models").mkdir(exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")


def run(folder: Path, words: Sequence[str]) -> Cost:
    """Run ``python -m`` words in a folder.

    Raises:
        ServerError: it failed; what it said last is in the line.
    """
    one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    measuring = [sys.executable, "-I", "-S", "-c", MEASURE, "used", sys.executable, "-m", *words]
    start = time.monotonic()
    with (folder / "said").open("w+b") as said:
        environment = {**os.environ, **one, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            measuring, cwd=folder, env=environment, stdout=said, stderr=said, check=False
        )
        wall = time.monotonic() - start
        if done.returncode:
            said.seek(0)
            last = said.read().decode(errors="replace")[-2000:]
            raise ServerError(f"{' '.join(words)} failed in {folder}: {last}")
    user, system, kilobytes = map(float, (folder / "used").read_text().split())
    return Cost(user + system, wall, kilobytes / 1024)
