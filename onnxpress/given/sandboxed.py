"""What happens to a given model inside the held process.

It is loaded, checked against the data, dumped anew, and tried as ONNX.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.boosters.readers import SUFFIXES as BOOSTERS
from onnxpress.errors import UserError
from onnxpress.estimators.booster_objects import bytes_with_categories, of_native_bytes
from onnxpress.estimators.layout import DoesNotFit, layout
from onnxpress.estimators.loading import load_original
from onnxpress.estimators.parts import set_threads
from onnxpress.estimators.predicting import predict_original
from onnxpress.estimators.stored.dumping import dump
from onnxpress.given.booster_models import booster_of, load_booster
from onnxpress.given.onnx_models import load_onnx
from onnxpress.given.onnx_parity import check_onnx_parity
from onnxpress.given.outcome import MOST_CHARACTERS, MOST_LINES, Outcome, to_answer
from onnxpress.given.torch_files import PROGRAM
from onnxpress.given.torch_models import load_torch
from onnxpress.progress import Say
from onnxpress.runtime.predictions import as_labels
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema
from onnxpress.text import visible

Arguments = tuple[Sequence[str], Rows, Rows, Schema]
"""Trusted classes, training rows, calibration rows, and the schema of both."""


def tried(path: Path, arguments: Arguments) -> tuple[dict[str, Any], Sequence[bytes]]:
    """Try the model at ``path``; return the outcome as an answer to the process outside.

    Raises:
        MemoryError: there is not enough of it.
    """
    trusted, rows, calibration, schema = arguments
    printed = io.StringIO()

    def say(line: str) -> None:
        print(visible(line))  # noqa: T201 - into ``printed``, among what the model's code prints

    refused, dumped, values = None, b"", None
    with redirect_stdout(printed):
        try:
            model = _loaded(path, trusted, rows, schema, say)
            dumped, values = dump(model), _values(model, calibration, schema)
            check_onnx_parity(set_threads(model, 1), calibration, schema, path, say)
        except UserError as error:
            if _for_want_of_memory(error):
                raise MemoryError from error
            refused, dumped = str(error)[:MOST_CHARACTERS], b""
    lines = [line[:MOST_CHARACTERS] for line in printed.getvalue().split("\n") if line]
    return to_answer(Outcome(tuple(lines[: MOST_LINES - 1]), refused, dumped, values))


def _loaded(path: Path, trusted: Sequence[str], rows: Rows, schema: Schema, say: Say) -> Any:
    """Load the model, and check all that can be seen of it without a prediction.

    Raises:
        UserError: the file may not be loaded, or the model does not fit.
    """
    if path.suffix == ".onnx":
        model: Any = load_onnx(path, rows, schema, say)
    elif path.suffix in BOOSTERS:
        model = load_booster(path, rows, schema, say)
    elif path.suffix == PROGRAM:
        model = load_torch(path, rows, schema, say)
    else:
        model = load_original(path, trusted)
        data = bytes_with_categories(model)
        if data is None:
            model = of_native_bytes(model)
        else:
            model = booster_of("catboost", data, path, rows, schema, say)
    check_fits(model, rows, schema, path)
    return model


def _values(model: Any, calibration: Rows, schema: Schema) -> NDArray[Any] | None:
    """Return the model's predictions for the calibration rows (rows,).

    None if it refuses them: the check of its ONNX form says so.
    """
    try:
        return predict_original(model, calibration.feeds, schema).values
    except (UserError, MemoryError):
        raise
    except Exception:
        return None


def _for_want_of_memory(error: BaseException | None) -> bool:
    """Return whether a MemoryError is among the causes of an error."""
    while error is not None and not isinstance(error, MemoryError):
        error = error.__cause__
    return error is not None


def check_fits(model: Any, rows: Rows, schema: Schema, path: Path) -> None:
    """Check that the model is a fitted predictor of this target from these columns.

    Raises:
        UserError: it is not; the line says what it is.
    """
    _check_kind(model, schema, path)
    if not _is_fitted(model):
        raise UserError(f"{path} is not fitted; fit it and dump it again")
    _check_output(model, path)
    try:
        layout(model, schema, "the table")
    except DoesNotFit as error:
        raise UserError(f"{path} {error}; give a model fitted on these columns") from error
    if schema.task == "classification":
        known = set(as_labels(model.classes_).tolist())
        unknown = sorted(set(np.unique(rows.target).tolist()) - known)
        if unknown:
            raise UserError(
                f"{path} does not know the class {unknown[0]!r} of {schema.target_name!r}; "
                f"it knows {model.classes_}"
            )


def _check_kind(model: Any, schema: Schema, path: Path) -> None:
    """Raise UserError unless the model is a classifier or regressor, as the target asks for."""
    from sklearn.base import BaseEstimator, is_classifier, is_regressor

    kind, fits = {
        "classification": ("classifier", is_classifier),
        "regression": ("regressor", is_regressor),
    }[schema.task]
    came = type(model).__name__
    if not isinstance(model, BaseEstimator):
        raise UserError(
            f"{path} should hold a fitted {kind} of scikit-learn, got {came}; dump the {kind} alone"
        )
    if not fits(model):
        raise UserError(
            f"{path} should hold a {kind} of scikit-learn for this target, got {came} (see `task`)"
        )


def _check_output(model: Any, path: Path) -> None:
    """Raise UserError if the model cannot predict, or predicts labels of several columns."""
    came = type(model).__name__
    if not hasattr(model, "predict"):
        cure = "fit a search with refit=True, or give its best estimator, fitted"
        raise UserError(f"{path} should predict, and holds a {came} that cannot; {cure}")
    if isinstance(getattr(model, "classes_", None), list):
        raise UserError(
            f"{path} should predict one label per row, and holds a {came} of several targets"
        )


def _is_fitted(model: Any) -> bool:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    return True
