"""Candidates tried by a real cluster: the same models, verdicts and warnings as here."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnx
import onnxruntime
import pytest
from distributed import get_worker
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from bench.soak.cluster import kill_a_worker
from onnxpress.certify.elsewhere import Elsewhere
from onnxpress.certify.environments import Environment
from onnxpress.conversion.converting import to_onnx
from onnxpress.engine.choosing import engine_at
from onnxpress.engine.engine import HERE, Engine
from onnxpress.graph.canonical import to_bytes
from onnxpress.progress import Progress, show_nothing
from onnxpress.quantize.candidates import Candidate, NotApplicable
from onnxpress.quantize.choice import Choice, choose
from onnxpress.quantize.device import Device
from onnxpress.quantize.methods import list_candidates
from onnxpress.quantize.options import Options
from onnxpress.quantize.terms import terms_of
from onnxpress.quantize.trials import Clones, Trials, cross_fits, held_out
from onnxpress.runtimes import runtime_of
from onnxpress.tables.rows import Rows
from tests.conftest import digits_rows, numeric_schema
from tests.support.clusters import local

__all__ = ["local"]

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # no need to converge

T = TypeVar("T")
SCHEMA = numeric_schema(64)
FEW, TRAIN, CALIBRATION = digits_rows(0, 300), digits_rows(0, 700), digits_rows(700)
FOREST = partial(RandomForestClassifier, 12, max_depth=4, random_state=0)
NET = partial(MLPClassifier, (48, 32), max_iter=15, random_state=0)
LOOSE = Options(method="dense", level="lossless", budgets={"score": 0.5})
KILLED = "a forest on folds"
Made = tuple[Choice, list[str]]


def refuse(line: str) -> None:
    raise AssertionError(line)


def held(_estimator: Any) -> Callable[[bytes], Trials]:
    return lambda plain: held_out(plain, TRAIN, CALIBRATION)


def folds(estimator: Any, rows: Rows = FEW) -> Callable[[bytes], Trials]:
    return lambda _: cross_fits(Clones(lambda: estimator, SCHEMA, 12, 0), rows)


CASES: dict[str, tuple[Callable[[], Any], Callable[[Any], Callable[[bytes], Trials]], Options]] = {
    KILLED: (FOREST, folds, Options(level="refined")),
    "a forest on held-out rows": (FOREST, held, Options(level="faithful")),
    "a net on held-out rows": (NET, held, Options()),
    "clones that warn": (partial(MLPClassifier, (48,), max_iter=3, random_state=0), folds, LOOSE),
    "clones that warn and are not used": (partial(LogisticRegression, max_iter=3), folds, LOOSE),
    "clones that cannot be fitted": (
        FOREST,
        partial(folds, rows=replace(FEW, groups=np.zeros(300, np.int64))),
        Options(method="forest", level="lossless"),
    ),
}
"""An estimator, what scores its candidates, and what is tried."""


def made(case: str, engine: Engine, progress: Progress = show_nothing) -> Made:
    build, scored_by, options = CASES[case]
    estimator = build().fit(TRAIN.feeds["X"], TRAIN.target)
    plain = to_bytes(to_onnx(estimator, SCHEMA, 12))
    trials = scored_by(estimator)(plain)
    candidates = list_candidates(onnx.load_from_string(plain), options)
    terms = terms_of(options, SCHEMA, plain, trials)
    choice = choose(plain, candidates, trials, terms, options, engine=engine, progress=progress)
    return choice, sorted(trials.warned)


def assert_same(found: Made, expected: Made) -> None:
    (one, one_warned), (other, other_warned) = found, expected
    assert json.dumps(one.to_json()) == json.dumps(other.to_json())
    assert one.lines() == other.lines()
    assert one.model == other.model
    assert one.models() == other.models()
    assert one_warned == other_warned


@pytest.mark.parametrize("case", [case for case in CASES if case != KILLED])
@pytest.mark.filterwarnings("ignore:lbfgs failed")  # of the original
def test_a_cluster_makes_what_this_process_makes(case: str, local: Any) -> None:
    expected = made(case, HERE)
    with engine_at(local.scheduler_address, refuse) as engine:
        found = made(case, engine)
    assert_same(found, expected)
    assert bool(expected[1]) == (case == "clones that warn")


def test_a_worker_killed_before_each_verdict_changes_nothing(local: Any) -> None:
    kills = 0

    def killing(items: Iterable[T], _total: int, _what: str) -> Iterator[T]:
        nonlocal kills
        for item in items:
            kills += kill_a_worker(local, kills % 2)
            yield item

    expected = made(KILLED, HERE)
    with engine_at(local.scheduler_address, refuse) as engine:
        found = made(KILLED, engine, killing)
    assert kills >= 3
    assert_same(found, expected)


def too_large_for_a_worker(model: onnx.ModelProto, _rows: Rows) -> onnx.ModelProto:
    """Fail on a worker alone."""
    try:
        get_worker()
    except ValueError:
        return model
    raise MemoryError


def test_what_fails_on_a_worker_is_tried_here(local: Any) -> None:
    estimator = FOREST().fit(TRAIN.feeds["X"], TRAIN.target)
    plain = to_bytes(to_onnx(estimator, SCHEMA, 12))
    trials = held_out(plain, TRAIN, CALIBRATION)
    terms = terms_of(Options(), SCHEMA, plain, trials)
    candidates = [Candidate("it", too_large_for_a_worker)]
    with engine_at(local.scheduler_address, refuse) as engine:
        choice = choose(plain, candidates, trials, terms, Options(), engine=engine)
    assert choice.verdicts[0].outcome == "unchanged"


def on_no_worker(model: onnx.ModelProto, rows: Rows) -> onnx.ModelProto:
    too_large_for_a_worker(model, rows)
    raise NotApplicable("this process is no worker")


TIMED = Device({"row_us": 1e9}, lambda _: {"row_us": 1.0}, "measured", is_timed=True)
INSTALLED = Environment(
    runtime_of(f"onnxruntime=={onnxruntime.__version__}"),
    Path(onnxruntime.__file__).parents[1],
    (sys.executable, "-I", "-S"),
)


@pytest.mark.parametrize(
    ("held_to", "why"),
    [
        ({"device": TIMED}, "it is the one that they are timed on"),
        (
            {"runtimes": Elsewhere([INSTALLED], TRAIN.feeds)},
            "it has the runtimes that they must answer equally in",
        ),
    ],
)
def test_what_this_machine_alone_can_tell_is_tried_here(
    held_to: dict[str, Any], why: str, local: Any
) -> None:
    estimator = FOREST().fit(TRAIN.feeds["X"], TRAIN.target)
    plain = to_bytes(to_onnx(estimator, SCHEMA, 12))
    trials = held_out(plain, TRAIN, CALIBRATION)
    terms = replace(terms_of(Options(), SCHEMA, plain, trials), **held_to)
    with engine_at(local.scheduler_address, refuse) as engine:
        candidates = [Candidate("it", on_no_worker)]
        choice = choose(plain, candidates, trials, terms, Options(), engine=engine)
    assert choice.verdicts[0].reason == "this process is no worker"
    assert choice.lines()[0] == f"candidates were tried on this machine alone: {why}"
