"""A fitted model that the user brings, checked against the data before it is passed on."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from onnxpress.estimators.layout import DoesNotFit, layout
from onnxpress.pipeline.copies import absent
from stages.common.console import say, shortened
from stages.common.errors import UserError
from stages.common.files import placed, read_bytes
from stages.common.models import ask_original, labels, load_original
from stages.common.onnx_estimator import OnnxClassifier, OnnxRegressor
from stages.common.params import Train
from stages.common.parts import set_threads
from stages.common.scores import worse_than_constant
from stages.common.table import Rows, Schema
from stages.train.given_onnx import load_onnx
from stages.train.settled import settled
from stages.train.trial import try_as_onnx

MODELS = Path("models")
KINDS = (".joblib", ".pkl", ".skops", ".onnx")


def given_model(train: Train, rows: Rows, calibration: Rows, schema: Schema) -> bytes:
    """The model of ``train.model_path`` as a joblib file.

    A pickle or joblib file keeps its bytes: a model loaded and dumped again would have others. What skops has made, and an
    ONNX model behind scikit-learn's interface, are dumped.

    Raises:
        UserError: the path is wrong, the file may not be loaded, the model does not fit the data, does not convert or gives other
            answers as ONNX, or there are no calibration rows (a given model is not fitted again, so it cannot be cross-fitted).
    """
    path = _checked_path(str(train.model_path))
    if not len(calibration):
        raise UserError(
            "params.yaml: train.model_path needs calibration rows to choose the quantisation on, and there are none; "
            "set data.calibration_size, for instance 0.2"
        )
    model = load_onnx(path, rows, schema) if path.suffix == ".onnx" else load_original(path, train.trusted)
    check_fits(model, rows, schema, path)
    say_if_worthless(model, calibration, schema, "calibration")
    try_as_onnx(model, calibration, schema, path)
    return read_bytes(path) if path.suffix in {".joblib", ".pkl"} else _dumped(model)


def _dumped(model: Any) -> bytes:
    import joblib

    file = io.BytesIO()
    joblib.dump(settled(set_threads(model, None)), file)
    return file.getvalue()


def _checked_path(name: str) -> Path:
    if Path(name).suffix not in KINDS:
        raise UserError(
            f"params.yaml: train.model_path should be a {', '.join(KINDS[:-1])} or {KINDS[-1]} file, got {shortened(repr(name))}"
        )
    try:
        return placed(name, MODELS, "train.model_path")
    except FileNotFoundError as error:
        usual = "which does not exist; put the file there"
        came = shortened(repr(name))
        raise UserError(f"params.yaml: train.model_path names {came}, {absent(name, usual)}") from error


def check_fits(model: Any, rows: Rows, schema: Schema, path: Path) -> None:
    """Raise UserError unless the model is a fitted predictor of this target from these columns."""
    from sklearn.base import BaseEstimator, is_classifier, is_regressor

    kind, fits = {"classification": ("classifier", is_classifier), "regression": ("regressor", is_regressor)}[schema.task]
    if not (isinstance(model, BaseEstimator) and fits(model)):
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
        unknown = sorted(set(np.unique(rows.target).tolist()) - set(labels(model.classes_).tolist()))
        if unknown:
            raise UserError(f"{path} does not know the class {unknown[0]!r} of {schema.target!r}; it knows {model.classes_}")


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


def say_if_worthless(model: Any, rows: Rows, schema: Schema, name: str) -> None:
    """Say so where the original predicts the ``rows`` worse than a constant does."""
    if not len(rows):
        return
    try:
        values = ask_original(model, rows.feeds, schema).values
    except UserError:
        raise
    except Exception:  # it refuses these rows, which is said where it is tried
        return
    line = worse_than_constant(schema, rows.target, values, name)
    if line is not None:
        say(line)
