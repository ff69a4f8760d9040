"""What happens to a given model inside the held process: loaded, checked against the data, tried as ONNX, dumped anew."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.estimators.layout import DoesNotFit, layout
from onnxpress.estimators.loading import load_original
from onnxpress.estimators.onnx_estimator import OnnxClassifier, OnnxRegressor
from onnxpress.estimators.parts import set_threads
from onnxpress.estimators.predicting import predict_original
from onnxpress.estimators.stored.dumping import dump
from onnxpress.given.onnx_models import load_onnx
from onnxpress.given.outcome import MOST_CHARACTERS, MOST_LINES, Outcome, to_answer
from onnxpress.given.trial import try_as_onnx
from onnxpress.pipeline.console import say
from onnxpress.pipeline.params import Train
from onnxpress.runtime.predictions import as_labels
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema

INDENT = "  "
"""Before each line that a stage says."""


def tried(
    path: Path, arguments: tuple[Train, Rows, Rows, Schema]
) -> tuple[dict[str, Any], Sequence[bytes]]:
    """The outcome for the model at ``path``, of the train section, training rows, calibration rows and schema.

    Raises:
        MemoryError: there is not enough of it.
    """
    said = io.StringIO()
    refused, dumped, values = None, b"", None
    with redirect_stdout(said):
        try:
            model = _loaded(path, *arguments)
            dumped, values = dump(model), _values(model, *arguments[2:])
            try_as_onnx(set_threads(model, 1), *arguments[2:], path)
        except UserError as error:
            if _for_want_of_memory(error):
                raise MemoryError from error
            refused, dumped = str(error)[:MOST_CHARACTERS], b""
    lines = [
        line.removeprefix(INDENT)[:MOST_CHARACTERS] for line in said.getvalue().split("\n") if line
    ]
    return to_answer(Outcome(tuple(lines[: MOST_LINES - 1]), refused, dumped, values))


def _loaded(path: Path, train: Train, rows: Rows, _calibration: Rows, schema: Schema) -> Any:
    """The model, which fits the data as far as can be seen without asking it.

    Raises:
        UserError: the file may not be loaded, or the model does not fit.
    """
    model = (
        load_onnx(path, rows, schema, say)
        if path.suffix == ".onnx"
        else load_original(path, train.trusted)
    )
    check_fits(model, rows, schema, path)
    return model


def _values(model: Any, calibration: Rows, schema: Schema) -> NDArray[Any] | None:
    """The model's answers on the calibration rows; None if it refuses them, which is said where it is tried."""
    try:
        return predict_original(model, calibration.feeds, schema).values
    except (UserError, MemoryError):
        raise
    except Exception:
        return None


def _for_want_of_memory(error: BaseException | None) -> bool:
    """Whether an error has come of a MemoryError."""
    while error is not None and not isinstance(error, MemoryError):
        error = error.__cause__
    return error is not None


def check_fits(model: Any, rows: Rows, schema: Schema, path: Path) -> None:
    """Raise UserError unless the model is a fitted predictor of this target from these columns."""
    from sklearn.base import BaseEstimator, is_classifier, is_regressor

    kind, fits = {
        "classification": ("classifier", is_classifier),
        "regression": ("regressor", is_regressor),
    }[schema.task]
    if not isinstance(model, BaseEstimator):
        raise UserError(
            f"{path} should hold a fitted {kind} of scikit-learn, got {type(model).__name__}; dump the {kind} alone"
        )
    if not fits(model):
        raise UserError(
            f"{path} should hold a {kind} of scikit-learn for this target, got {type(model).__name__} (see data.task)"
        )
    if not _is_fitted(model):
        raise UserError(f"{path} is not fitted; fit it and dump it again")
    try:
        layout(model, schema)
    except DoesNotFit as error:
        raise UserError(f"{path} {error}; give a model fitted on these columns") from error
    if schema.task == "classification":
        unknown = sorted(
            set(np.unique(rows.target).tolist()) - set(as_labels(model.classes_).tolist())
        )
        if unknown:
            raise UserError(
                f"{path} does not know the class {unknown[0]!r} of {schema.target!r}; it knows {model.classes_}"
            )


def _is_fitted(model: Any) -> bool:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    if isinstance(model, (OnnxClassifier, OnnxRegressor)):
        return True
    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    return True
