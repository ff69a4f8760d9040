"""A case from the fit to its outcome."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from enum import StrEnum

from bench.scores.case import Case
from bench.scores.rows import Data, compared_rows, data_of
from onnxpress.benchmark.timed_calls import limited_threads
from onnxpress.conversion.converting import to_onnx
from onnxpress.conversion.rehearsal import rehearse
from onnxpress.errors import UserError
from onnxpress.estimators.fitting import fit
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.score_differences import score_differences
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.sessions import open_session, predict_onnx

OPSET = 12


class Outcome(StrEnum):
    """What became of a case."""

    EQUAL = "equal"
    STEPS = "step function"
    ROUNDED = "rounded by the original"
    REFUSED = "refused"
    UNSUITABLE = "does not fit the data"
    DIFFERENT = "DIFFERENT"


@dataclass(frozen=True)
class Found:
    """The outcome of a case.

    ``difference`` is relative to max(1, |score|), over the rows that are not at a step.
    """

    case: Case
    outcome: Outcome
    rows: int = 0
    difference: float = 0.0
    labels: int = 0
    steps: int = 0
    rounded: int = 0
    reason: str = ""


def scan(case: Case, opset: int = OPSET) -> Found:
    """Rehearse, fit, convert to an opset of ai.onnx, and compare what both predict."""
    data = data_of(case.data)
    with limited_threads(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whether these are good fits is not the question
        return _through(case, data, opset)


def _through(case: Case, data: Data, opset: int) -> Found:
    try:
        estimator = case.unfitted()
        rehearse(estimator, data.train, data.schema)
    except UserError as error:
        return Found(case, Outcome.REFUSED, reason=str(error))
    try:
        fit(estimator, data.train)
        feeds = compared_rows(estimator, data)
        original = predict_original(estimator, feeds, data.schema)
    except Exception as error:  # of fit or predict, on data that do not suit the estimator
        return Found(case, Outcome.UNSUITABLE, reason=" ".join(str(error).split()))
    try:
        model = to_bytes(to_onnx(estimator, data.schema, opset))
        predictions = predict_onnx(open_session(model), feeds)
    except Exception as error:  # accepted by the rehearsal, and still no model that runs
        return Found(case, Outcome.DIFFERENT, reason=f"fails: {' '.join(str(error).split())}")
    found = score_differences(estimator, feeds, data.schema, original, predictions)
    if found.beyond:
        outcome = Outcome.DIFFERENT
    else:
        outcome = (
            Outcome.STEPS if found.steps else Outcome.ROUNDED if found.rounded else Outcome.EQUAL
        )
    return Found(
        case, outcome, len(original.values), found.largest, found.labels, found.steps, found.rounded
    )
