"""The estimator that train has written, checked before a stage uses it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from onnxpress.errors import UserError
from onnxpress.estimators.layout import DoesNotFit, layout
from onnxpress.estimators.loading import load_original
from onnxpress.estimators.parts import set_threads
from onnxpress.pipeline.keys import keys_named
from onnxpress.pipeline.model_digest import read_unaltered
from onnxpress.pipeline.outputs import ORIGINAL_MODEL, SCHEMA, size_kb
from onnxpress.tables.schema import Schema


def load_trained(schema: Schema, trusted: Collection[str], threads: int = 1) -> Any:
    """Load the estimator that train has written; it computes with ``threads``.

    ``trusted`` are the classes besides scikit-learn's that the file may hold.

    Raises:
        UserError: the file is missing, was exchanged since, cannot be loaded, or does not fit the
            schema.
    """
    again = f"run `dvc repro --force train` to make {ORIGINAL_MODEL} again"
    data = read_unaltered(ORIGINAL_MODEL)
    with keys_named("train"):
        estimator = load_original(ORIGINAL_MODEL, trusted, data, again)
    return checked_original(estimator, schema, threads)


def checked_original(estimator: Any, schema: Schema, threads: int = 1) -> Any:
    """Return the estimator, which computes with ``threads``, if it fits the schema.

    Raises:
        UserError: it is not an estimator, or was fitted to other columns.
    """
    again = f"run `dvc repro --force train` to make {ORIGINAL_MODEL} again"
    if not hasattr(estimator, "predict"):
        came = type(estimator).__name__
        raise UserError(f"{ORIGINAL_MODEL} should hold an estimator, got {came}; {again}")
    try:
        layout(estimator, schema, str(SCHEMA))
    except DoesNotFit as error:
        raise UserError(f"{ORIGINAL_MODEL} {error}; {again}") from error
    return set_threads(estimator, threads)


def original_kb(estimator: Any) -> float:
    """Return the size of the original in KB of 1024 bytes: that of its file.

    The file of a net of PyTorch holds its ONNX form too, which does not count.
    """
    from onnxpress.estimators.torch_estimator import TorchClassifier, TorchRegressor

    if isinstance(estimator, (TorchClassifier, TorchRegressor)):
        return len(estimator.program) / 1024
    return size_kb(ORIGINAL_MODEL)
