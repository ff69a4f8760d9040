"""A file with a changed number, size or part never makes compiled code read outside its arrays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from tests.conftest import ROOT

SAMPLE = (
    *(
        "tree",
        "forest of two targets",
        "gradient of three",
        "gradient, huber",
        "histogram of codes",
        "histogram of gaps",
    ),
    *(
        "SVC of pairs",
        "sparse SVC",
        "precomputed SVC",
        "SVR",
        "neighbors",
        "Mahalanobis",
        "radius",
        "density",
    ),
    *(
        "rare categories",
        "few categories",
        "letters",
        "records",
        "bisections",
        "Birch",
        "isolation",
        "envelope",
        "isotonic",
    ),
)
EACH = 8


def ends(seed: int, each: int, *names: str) -> dict[str, Any]:
    """What becomes of the cases, each changed so many times."""
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # forks share no threads
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "tests.support.stored_mutations",
        str(seed),
        str(each),
        *names,
    ]
    run = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **threads}, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def test_changed_estimators_are_refused_or_answer() -> None:
    found = ends(0, EACH, *SAMPLE)
    assert found["notes"] == []
    counts = found["counts"]
    assert sum(counts.values()) == EACH * len(SAMPLE)
    assert counts["damaged"] > 30
    assert counts["asked"] > 30
