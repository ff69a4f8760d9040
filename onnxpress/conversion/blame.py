"""Find the part of an estimator that predicts differently as ONNX, step by step."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.conversion.converting import transformer_to_onnx
from onnxpress.errors import UserError
from onnxpress.estimators.layout import original_input
from onnxpress.estimators.paths import as_text
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Schema

TOLERANCE = 1e-5


def part_at_fault(estimator: Any, feeds: Feeds, schema: Schema, opset: int) -> str:
    """Name the first step of a pipeline that does not convert or gives other values as ONNX.

    If no step before the predictor does, the predictor is named.
    """
    from sklearn.pipeline import Pipeline

    if not isinstance(estimator, Pipeline):
        return type(estimator).__name__
    trial = _Trial(estimator, schema, opset)
    for count, (name, step) in enumerate(estimator.steps[:-1], start=1):
        if step is None or step == "passthrough":
            continue
        found = _fault(trial, Pipeline(estimator.steps[:count]), feeds)
        if found is not None:
            return f"its step {name!r} ({found})"
    name, step = estimator.steps[-1]
    return f"its step {name!r} ({type(step).__name__})"


@dataclass(frozen=True)
class _Trial:
    """How first steps of the pipeline ``whole`` are converted."""

    whole: Any
    schema: Schema
    opset: int

    def bytes_of(self, prefix: Any) -> bytes:
        """Convert the steps of ``prefix``."""
        return to_bytes(transformer_to_onnx(prefix, self.whole, self.schema, self.opset))


def _fault(trial: _Trial, prefix: Any, feeds: Feeds) -> str | None:
    """Name what is wrong in the last step of ``prefix``; None if it gives the same values."""
    step = prefix.steps[-1][1]
    try:
        session = open_session(trial.bytes_of(prefix))
        made = [np.asarray(part) for part in session.run(None, feeds)]
    except Exception:  # a conversion that fails at this step, or a model that does not run
        return _inside(trial, step, prefix)
    taken = original_input(trial.whole, feeds, trial.schema)
    expected, found = _columns([_dense(prefix.transform(taken))]), _columns(made)
    if len(expected) != len(found):
        return _inside(trial, step, prefix)
    for place, pair in enumerate(zip(expected, found, strict=True)):
        if not _same(*pair):
            return _named(step, place)
    return None


def _dense(values: Any) -> NDArray[Any]:
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values)


def _columns(parts: list[NDArray[Any]]) -> list[NDArray[Any]]:
    columns: list[NDArray[Any]] = []
    for part in parts:
        columns += list(part.reshape(len(part), -1).T)
    return columns


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two columns hold the same texts, or numbers within the tolerance."""
    try:
        numbers, others = one.astype(np.float64), other.astype(np.float64)
    except (TypeError, ValueError):
        return [as_text(value) for value in one] == [as_text(value) for value in other]
    near = np.abs(numbers - others) <= TOLERANCE * np.maximum(1, np.abs(numbers))
    return bool(np.all(near | (np.isnan(numbers) & np.isnan(others))))


def _named(step: Any, column: int) -> str:
    """Name the step, and the transformer in it that makes the column."""
    for name, place in getattr(step, "output_indices_", {}).items():
        if place.start <= column < place.stop:
            part = _class_name(step.named_transformers_[name])
            return f"{type(step).__name__}, its part {name!r} ({part})"
    return type(step).__name__


def _inside(trial: _Trial, step: Any, prefix: Any) -> str:
    """Name the step, and the first of its transformers that does not convert alone."""
    from sklearn.pipeline import Pipeline

    for name, start, alone in _parts_alone(step):
        try:
            trial.bytes_of(Pipeline([*prefix.steps[:-1], ("part", alone)]))
        except UserError:
            last = getattr(start, "steps", [(name, start)])[-1][1]
            return f"{type(step).__name__}, its part {name!r} ({_class_name(last)})"
    return type(step).__name__


def _parts_alone(step: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield each transformer of a ColumnTransformer, by name, and the step with it alone.

    Of a pipeline come its first step, its first two, and so on.
    """
    from sklearn.pipeline import Pipeline

    for name, part, columns in getattr(step, "transformers_", []):
        starts = [part]
        if isinstance(part, Pipeline):
            starts = [Pipeline(part.steps[: count + 1]) for count in range(len(part.steps))]
        for start in starts:
            alone = copy.copy(step)
            alone.transformers_ = [(name, start, columns)]
            yield name, start, alone


def _class_name(part: Any) -> str:
    """Name the class of a part, or those of its steps if it is a pipeline."""
    if hasattr(part, "steps"):
        return ", ".join(_class_name(step) for _, step in part.steps)
    return part if isinstance(part, str) else type(part).__name__
