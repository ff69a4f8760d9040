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
from onnxpress.progress import Say, say_nothing
from onnxpress.runtime.predictions import Predictions
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Feeds, Rows, take
from onnxpress.tables.schema import Schema

MOST_ROWS = 1000

TIMES_ROUNDING = 8
"""A difference is rounding if it is at most this many times the change of the original's own
predictions when its inputs are rounded."""

CURE = "give a model fitted without it, or its .onnx file if another converter can express it"

CURE_OF_WHOLE = (
    "give its .onnx file, made by a converter of its own package, or a model of another class"
)

CURE_OF_ROWS = "give a model fitted on such rows, or take them out of the table"


@dataclass(frozen=True)
class Found:
    """How the predictions of the ONNX form differ on one group of rows."""

    what: str
    """The group, in words."""
    feeds: Feeds
    rows: int
    differences: ScoreDifferences
    rounding: bool
    """Whether float32 inputs explain the differences."""


def check_onnx_parity(
    model: Any, rows: Rows, schema: Schema, path: Path, say: Say = say_nothing
) -> None:
    """Convert a given model and compare the predictions, also for rows with odd values put in.

    ``rows`` are the calibration rows. Differences that rounding explains are a warning.

    Raises:
        UserError: it does not convert, does not run, or gives different predictions as ONNX; the
            line names the part and what to do.
    """
    feeds = take(rows.feeds, np.arange(min(len(rows), MOST_ROWS)))
    converted = _converted(model, feeds, schema, path)
    for found in _compared(model, converted, feeds, schema, path):
        if steps := found.differences.steps:
            say(
                f"warning: as ONNX, {path} predicts {steps} of {found.rows} rows ({found.what}) "
                "from the other side of a step"
            )
        if not found.differences.beyond:
            continue
        described = _described(found, schema)
        if not found.rounding:
            part = part_at_fault(model, found.feeds, schema, NEWEST_OPSET)
            raise UserError(
                f"{path}: {part} gives different predictions as ONNX: on {described}; {CURE}"
            )
        say(f"warning: as ONNX, {path} differs by the rounding of float32 on {described}")


def _converted(model: Any, feeds: Feeds, schema: Schema, path: Path) -> bytes:
    """Convert the model to ONNX, in the newest opset.

    Raises:
        UserError: it does not convert; the line names the part that does not.
    """
    try:
        return to_bytes(to_onnx(model, schema, NEWEST_OPSET))
    except NotConvertible as error:
        part = part_at_fault(model, feeds, schema, NEWEST_OPSET)
        cure = CURE if "step" in part else CURE_OF_WHOLE
        raise UserError(f"{path}: {part} cannot become ONNX: {error.reason}; {cure}") from error


def _compared(
    model: Any, converted: bytes, feeds: Feeds, schema: Schema, path: Path
) -> Iterator[Found]:
    """Yield what differs on the calibration rows and on each group of odd rows."""
    for what, group in [("calibration rows", feeds), *odd_rows(model, feeds, schema)]:
        try:
            original = predict_original(model, group, schema)
        except UserError:
            raise
        except Exception as error:  # of a category that its encoder has not seen; of others, any
            if group is not feeds:
                continue
            said = " ".join(str(error).split())
            raise UserError(
                f"{path} refuses the calibration rows: {said}; {CURE_OF_ROWS}"
            ) from error
        predictions = _predicted(model, converted, group, schema, path)
        differences = score_differences(model, group, schema, original, predictions)
        if differences.beyond or differences.steps:
            both = original, predictions
            rounding = differences.beyond and _is_rounding(model, group, schema, both)
            yield Found(what, group, len(original.values), differences, rounding)


def _predicted(
    model: Any, converted: bytes, feeds: Feeds, schema: Schema, path: Path
) -> Predictions:
    """Predict with the ONNX form.

    Raises:
        UserError: onnxruntime cannot run it; the line names the part.
    """
    try:
        return predict_onnx(open_session(converted), feeds)
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        part = part_at_fault(model, feeds, schema, NEWEST_OPSET)
        said = " ".join(str(error).split(";")[0].split())[:200]
        raise UserError(f"{path}: onnxruntime cannot run {part} as ONNX: {said}; {CURE}") from error


def _is_rounding(
    model: Any, feeds: Feeds, schema: Schema, predictions: tuple[Predictions, Predictions]
) -> bool:
    """Return whether the original's own predictions change as much when its numbers are rounded."""
    before, after = (numbers(each) for each in predictions)
    with_numbers = any(values.dtype.kind == "f" for values in feeds.values())
    if before.shape != after.shape or not with_numbers:
        return False
    random, moved = np.random.default_rng(0), np.zeros(len(before))
    for _ in range(TIMES_ROUNDING):
        nudged = numbers(predict_original(model, _nudged(feeds, random), schema))
        moved = np.maximum(moved, relative_differences(before, nudged))
    return bool(np.all(relative_differences(before, after) <= TOLERANCE + TIMES_ROUNDING * moved))


def _nudged(feeds: Feeds, random: np.random.Generator) -> Feeds:
    """Return the same rows with each number changed by about its rounding in float32."""
    nudged = dict(feeds)
    for name, values in feeds.items():
        if values.dtype.kind == "f":
            factors = 1 + random.uniform(-ROUNDING, ROUNDING, values.shape)
            nudged[name] = (values * factors).astype(np.float32)
    return nudged


def _described(found: Found, schema: Schema) -> str:
    """Describe what differs, and by how much."""
    what, beyond = "predictions" if schema.task == "regression" else "scores", found.differences
    labels = f" and {beyond.labels} labels differ" if beyond.labels else ""
    largest = f"{beyond.largest:.2g} of max(1, |score|)"
    return f"{found.rows} rows ({found.what}) {what} differ by up to {largest}{labels}"
