"""What evaluate says and does where a lossless model does not answer as model.onnx does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.evaluate.lossless_differences import (
    TOLERANCE,
    is_lossless,
    lossless_differences,
    trees_agree,
)
from onnxpress.evaluate.predicted_rows import PredictedRows
from onnxpress.evaluate.score_differences import numbers
from onnxpress.pipeline.console import say
from onnxpress.pipeline.outputs import ONNX_MODEL, QUANTIZED_MODEL
from onnxpress.tables.schema import Schema


def check_lossless(
    candidate: str, models: tuple[bytes, bytes], asked: list[PredictedRows], schema: Schema
) -> None:
    """Compare the quantised model with model.onnx, if it is said to be lossless, on all rows that were asked.

    Other labels on true ties, and scores that a step function has turned apart, are counted in a line.

    Raises:
        UserError: labels differ, or scores by more than the tolerance.
    """
    if not is_lossless(candidate):
        return
    found = [lossless_differences(*each.predictions[1:]) for each in asked]
    if sum(len(each.labels) for each in found):
        raise UserError(
            _complaint(candidate, "other labels", asked, [each.labels for each in found], schema)
        )
    scores = [each.scores for each in found]
    if any(len(rows) for rows in scores):
        what = f"scores that differ by more than {TOLERANCE:g}"
        if not _only_steps(models, asked, scores):
            raise UserError(_complaint(candidate, what, asked, scores, schema))
        say(
            f"{candidate}: {_counted(asked, scores)} have {what} (at most {_largest(asked, scores):.3g}): a step function, such "
            "as isotonic calibration, follows trees that agree; labels are equal"
        )
    ties = [each.ties for each in found]
    if any(len(rows) for rows in ties):
        say(
            f"{candidate}: {_counted(asked, ties)} are ties between two classes, and get the other one"
        )


def _complaint(
    candidate: str,
    what: str,
    asked: list[PredictedRows],
    rows: list[NDArray[np.intp]],
    schema: Schema,
) -> str:
    """Which rows, the first of them in words, and what to do."""
    first, row = next(
        (each, int(found[0])) for each, found in zip(asked, rows, strict=True) if len(found)
    )
    plain, quantized = (answer.values.tolist()[row] for answer in first.predictions[1:])
    said = f"{first.describe(row, schema)} gets {quantized!r} where {ONNX_MODEL} says {plain!r}"
    return (
        f"{QUANTIZED_MODEL} ({candidate}) should answer as {ONNX_MODEL} does and has {what} on {_counted(asked, rows)}: "
        f"{said}; set quantize.method to none, or quantize.level to refined, in params.yaml, and report this model"
    )


def _counted(asked: list[PredictedRows], rows: list[NDArray[np.intp]]) -> str:
    """As ``2 of 30 test rows and 7 of 2000 probe rows``."""
    pairs = zip(asked, rows, strict=True)
    return " and ".join(
        f"{len(found)} of {len(each)} {each.kind} rows" for each, found in pairs if len(found)
    )


def _largest(asked: list[PredictedRows], rows: list[NDArray[np.intp]]) -> float:
    """The largest difference of a score, or of a prediction, on these rows."""
    found = []
    for each, those in zip(asked, rows, strict=True):
        one, other = (numbers(answer) for answer in each.predictions[1:])
        found.append(np.nanmax(np.abs(one[those] - other[those]), initial=0))
    return float(max(found))


def _only_steps(
    models: tuple[bytes, bytes], asked: list[PredictedRows], rows: list[NDArray[np.intp]]
) -> bool:
    pairs = [(each, found) for each, found in zip(asked, rows, strict=True) if len(found)]
    return all(trees_agree(*models, each.feeds, found) for each, found in pairs)
