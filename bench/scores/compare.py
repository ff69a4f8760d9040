"""A case from the fit to its outcome."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.scores.case import Case
from bench.scores.rows import Data, asked, data_of
from stages.benchmark.contenders import limited_threads
from stages.common.errors import UserError
from stages.common.models import Answer, ask_onnx, ask_original, fit, open_session
from stages.common.onnx_model import to_bytes
from stages.common.table import Feeds
from stages.convert.conversion import to_onnx
from stages.train.rehearsal import rehearse

TOLERANCE = 1e-5
"""Of a score, or of its size where that is above 1."""
OPSET = 12
ROUNDING = 4 * float(np.finfo(np.float32).eps)
NUDGES = 40


class Outcome(StrEnum):
    """What became of a case."""

    EQUAL = "equal"
    STEPS = "step function"
    REFUSED = "refused"
    UNSUITABLE = "does not fit the data"
    DIFFERENT = "DIFFERENT"


@dataclass(frozen=True)
class Found:
    """The outcome of a case; ``difference`` is relative to max(1, |score|), over the rows that are not at a step."""

    case: Case
    outcome: Outcome
    rows: int = 0
    difference: float = 0.0
    labels: int = 0
    steps: int = 0
    reason: str = ""


def scan(case: Case) -> Found:
    """Rehearse, fit, convert, ask both, compare."""
    data = data_of(case.data)
    with limited_threads(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about these fits; whether they are good ones is not the question
        return _through(case, data)


def _through(case: Case, data: Data) -> Found:
    try:
        estimator = case.unfitted()
        rehearse(estimator, data.train, data.schema)
    except UserError as error:
        return Found(case, Outcome.REFUSED, reason=str(error))
    try:
        fit(estimator, data.train)
        feeds = asked(estimator, data)
        original = ask_original(estimator, feeds, data.schema)
    except Exception as error:  # of fit or predict, on data that do not suit the estimator
        return Found(case, Outcome.UNSUITABLE, reason=" ".join(str(error).split()))
    try:
        answer = ask_onnx(open_session(to_bytes(to_onnx(estimator, data.schema, OPSET))), feeds)
    except Exception as error:  # accepted by the rehearsal, and still no model that runs
        return Found(case, Outcome.DIFFERENT, reason=f"fails: {' '.join(str(error).split())}")
    return judged(case, estimator, feeds, (original, answer), data)


def judged(case: Case, estimator: Any, feeds: Feeds, answers: tuple[Answer, Answer], data: Data) -> Found:
    """The outcome of comparing the answers of the original and of ONNX."""
    original, answer = answers
    one, other = _scores(original), _scores(answer)
    if one.shape != other.shape:
        return Found(case, Outcome.DIFFERENT, len(one), reason=f"scores have the shape {other.shape}, not {one.shape}")
    apart = difference(one, other)
    wrong = (original.values != answer.values) & ~tied(one) if original.scores is not None else np.zeros(len(one), bool)
    beyond = (apart > TOLERANCE) | wrong
    steps = np.zeros(len(one), bool)
    if case.steps and beyond.any():
        steps[beyond] = at_step(estimator, feeds, np.flatnonzero(beyond), other, data)
    left = beyond & ~steps
    outcome = Outcome.DIFFERENT if left.any() else Outcome.STEPS if steps.any() else Outcome.EQUAL
    largest = float(apart[~steps].max(initial=0))
    return Found(case, outcome, len(one), largest, int((wrong & ~steps).sum()), int(steps.sum()))


def _scores(answer: Answer) -> NDArray[np.float64]:
    return answer.values.reshape(-1, 1).astype(np.float64) if answer.scores is None else answer.scores


def difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest difference in each row, relative to max(1, |score|); equal infinities and two NaN are no difference."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(one - other) / np.maximum(1, np.abs(one))
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    return np.asarray(np.where(same, 0, np.where(np.isnan(apart), np.inf, apart)).max(axis=1))


def tied(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows whose two greatest scores differ by less than the tolerance."""
    if scores.shape[1] < 2:
        return np.asarray(np.abs(scores[:, 0]) < TOLERANCE)
    first, second = -np.partition(-scores, 1, axis=1)[:, :2].T
    return np.asarray(first - second < TOLERANCE * np.maximum(1, np.abs(first)))


def at_step(estimator: Any, feeds: Feeds, rows: NDArray[np.intp], onnx: NDArray[np.float64], data: Data) -> NDArray[np.bool_]:
    """Whether the original gives ONNX's scores of each of ``rows`` once the inputs are moved by about their rounding."""
    random = np.random.default_rng(0)
    found = np.zeros(len(rows), bool)
    few = {name: values[rows] for name, values in feeds.items()}
    for _ in range(NUDGES):
        moved = {
            name: (values * (1 + random.uniform(-ROUNDING, ROUNDING, values.shape))).astype(values.dtype)
            if values.dtype.kind == "f"
            else values
            for name, values in few.items()
        }
        found |= difference(_scores(ask_original(estimator, moved, data.schema)), onnx[rows]) <= TOLERANCE
    return found
