"""A given model and its ONNX form, run side by side before the model is accepted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from onnxpress.conversion.blame import part_at_fault
from onnxpress.conversion.converting import NEWEST_OPSET, NotConvertible, to_onnx
from onnxpress.errors import UserError
from onnxpress.estimators.odd_rows import odd_rows
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.original_rounding import ROUNDING
from onnxpress.evaluate.relative_differences import TOLERANCE, numbers, relative_differences
from onnxpress.evaluate.score_differences import ScoreDifferences, score_differences
from onnxpress.graph.canonical import to_bytes
from onnxpress.pipeline.console import say
from onnxpress.runtime.predictions import Predictions
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Feeds, Rows, take
from onnxpress.tables.schema import Schema

MOST_ROWS = 1000
TIMES_ROUNDING = 8
"""A difference is rounding if it is within so many times what the original's own answer moves by when its input is rounded."""
CURE = "give a model fitted without it, or its .onnx file if another converter can express it"
CURE_OF_WHOLE = (
    "give its .onnx file, made by a converter of its own package, or a model of another class"
)
CURE_OF_ROWS = "give a model fitted on such rows, or take them out of data.source"


@dataclass(frozen=True)
class Found:
    """What the ONNX form answers differently on some rows; ``rounding``: no more than float32 inputs explain."""

    what: str
    feeds: Feeds
    rows: int
    differences: ScoreDifferences
    rounding: bool


def try_as_onnx(model: Any, rows: Rows, schema: Schema, path: Path) -> None:
    """Convert a given model and compare the answers; differences that rounding explains are a warning.

    ``rows`` are the calibration rows; rows that odd values are put into are asked too.

    Raises:
        UserError: it does not convert, does not run, or gives other answers as ONNX; the line names the part and a cure.
    """
    feeds = take(rows.feeds, np.arange(min(len(rows), MOST_ROWS)))
    try:
        converted = to_bytes(to_onnx(model, schema, NEWEST_OPSET))
    except NotConvertible as error:
        part = part_at_fault(model, feeds, schema, NEWEST_OPSET)
        cure = CURE if "step" in part else CURE_OF_WHOLE
        raise UserError(f"{path}: {part} cannot become ONNX: {error.reason}; {cure}") from error
    for found in _compared(model, converted, feeds, schema, path):
        steps = found.differences.steps
        if steps:
            say(
                f"warning: as ONNX, {path} answers {steps} of {found.rows} rows ({found.what}) from the other side of a step"
            )
        if not found.differences.beyond:
            continue
        described = _described(found, schema)
        if not found.rounding:
            part = part_at_fault(model, found.feeds, schema, NEWEST_OPSET)
            raise UserError(f"{path}: {part} gives other answers as ONNX: on {described}; {CURE}")
        say(f"warning: as ONNX, {path} differs by the rounding of float32 on {described}")


def _compared(
    model: Any, converted: bytes, feeds: Feeds, schema: Schema, path: Path
) -> Iterator[Found]:
    groups = [("calibration rows", feeds), *odd_rows(model, feeds, schema)]
    for number, (what, asked) in enumerate(groups):
        try:
            original = predict_original(model, asked, schema)
        except UserError:
            raise
        except Exception as error:  # a refusal, as of a category that its encoder has not seen; of other packages, any
            if number:
                continue
            said = " ".join(str(error).split())
            raise UserError(
                f"{path} refuses the calibration rows of data.source: {said}; {CURE_OF_ROWS}"
            ) from error
        answer = _asked(model, converted, asked, schema, path)
        differences = score_differences(model, asked, schema, original, answer)
        if differences.beyond or differences.steps:
            rounding = differences.beyond and _is_rounding(model, asked, schema, (original, answer))
            yield Found(what, asked, len(original.values), differences, rounding)


def _asked(model: Any, converted: bytes, feeds: Feeds, schema: Schema, path: Path) -> Predictions:
    try:
        return predict_onnx(open_session(converted), feeds)
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        part = part_at_fault(model, feeds, schema, NEWEST_OPSET)
        said = " ".join(str(error).split(";")[0].split())[:200]
        raise UserError(f"{path}: onnxruntime cannot run {part} as ONNX: {said}; {CURE}") from error


def _is_rounding(
    model: Any, feeds: Feeds, schema: Schema, answers: tuple[Predictions, Predictions]
) -> bool:
    """Whether the original's own answers move as much when its numbers are moved by their rounding."""
    before, after = (numbers(answer) for answer in answers)
    if before.shape != after.shape or not any(
        values.dtype.kind == "f" for values in feeds.values()
    ):
        return False
    random, moved = np.random.default_rng(0), np.zeros(len(before))
    for _ in range(TIMES_ROUNDING):
        nudged = {
            name: (values * (1 + random.uniform(-ROUNDING, ROUNDING, values.shape))).astype(
                np.float32
            )
            if values.dtype.kind == "f"
            else values
            for name, values in feeds.items()
        }
        moved = np.maximum(
            moved, relative_differences(before, numbers(predict_original(model, nudged, schema)))
        )
    return bool(np.all(relative_differences(before, after) <= TOLERANCE + TIMES_ROUNDING * moved))


def _described(found: Found, schema: Schema) -> str:
    what, beyond = "predictions" if schema.task == "regression" else "scores", found.differences
    labels = f" and {beyond.labels} labels are others" if beyond.labels else ""
    return f"{found.rows} rows ({found.what}) {what} differ by up to {beyond.largest:.2g} of max(1, |score|){labels}"
