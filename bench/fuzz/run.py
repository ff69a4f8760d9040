"""A run over all kinds of cases."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

from bench.fuzz import onnx_files
from bench.fuzz.cases import SHARES, Loads, attempt, warm_up
from bench.fuzz.workers import Outcome, run

Say = Callable[[str], None]


def fuzz(
    cases: int, seed: int, *, kinds: tuple[str, ...] = tuple(SHARES), loads: Loads | None = None
) -> Iterator[Outcome]:
    """What becomes of so many cases, spread over the kinds by their shares."""
    for variable in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
    ):  # a fork has no threads of its parent's
        os.environ.setdefault(variable, "1")
    if any(kind.startswith("onnx") for kind in kinds):
        onnx_files.real()
    warm_up(loads)
    whole = sum(SHARES[kind] for kind in kinds)
    for kind in kinds:
        yield from run(
            kind, range(-(-cases * SHARES[kind] // whole)), partial(attempt, seed, loads=loads)
        )
