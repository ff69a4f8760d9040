"""A booster's native bytes as ONNX, held against the library's own prediction on the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from onnxpress.boosters.model import BoosterModel
from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.booster_estimator import BoosterClassifier, BoosterRegressor
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.names import input_name
from onnxpress.tables.schema import Column, Schema

BAR = 1e-6
"""Of the sum of the absolute values of leaves."""


@dataclass(frozen=True)
class Found:
    """What both give for the same rows."""

    library: NDArray[np.float64]
    """(rows, outputs) of the library."""
    onnx: NDArray[np.float64]
    labels: NDArray[Any] | None
    """Of the ONNX model."""


def schema_of(frame: pd.DataFrame, task: str) -> Schema:
    """Numbers, and texts as categories."""
    columns = tuple(
        Column(str(name), "number" if frame[name].dtype.kind == "f" else "category", missing=True)
        for name in frame
    )
    return Schema(task, "y", columns)  # type: ignore[arg-type] # one of two texts


def feeds_of(frame: pd.DataFrame, schema: Schema) -> dict[str, NDArray[Any]]:
    """The inputs of the model for these rows."""
    if schema.all_numeric:
        return {"X": frame.to_numpy(np.float32)}
    feeds = {}
    for column in schema.columns:
        kind = np.float32 if column.kind == "number" else object
        feeds[input_name(column.name)] = frame[column.name].to_numpy(kind).reshape(-1, 1)
    return feeds


def estimator_of(library: str, data: bytes, columns: tuple[str, ...], classes: Any) -> Any:
    """The estimator that the chain makes of a native file."""
    if classes is None:
        return BoosterRegressor(library, data, columns)
    return BoosterClassifier(library, data, columns, tuple(classes))


def compared(
    library: str, data: bytes, frame: pd.DataFrame, classes: Any, opset: int = 15
) -> Found:
    """Both predictions; columns of numbers are float32, texts object."""
    estimator = estimator_of(library, data, tuple(map(str, frame)), classes)
    schema = schema_of(frame, "regression" if classes is None else "classification")
    session = open_session(to_bytes(to_onnx(estimator, schema, opset)))
    given = session.run(None, feeds_of(frame, schema))
    values = np.asarray(given[-1], np.float64)
    rows = frame.to_numpy(np.float32) if schema.all_numeric else frame
    asked = estimator.predict_proba(rows) if classes is not None else estimator.predict(rows)
    expected = np.asarray(asked, np.float64).reshape(len(frame), -1)
    return Found(expected, values, given[0] if classes is not None else None)


def leaf_sum(model: BoosterModel) -> float:
    """The largest sum of absolute values that the leaves of all trees can have, and the base."""
    total = np.abs(model.base).max()
    for tree in model.trees:
        total += abs(model.scale) * np.abs(tree.value[~tree.split]).max()
    return float(total)
