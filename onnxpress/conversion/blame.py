"""Which part of an estimator has another answer as ONNX: its steps are converted and run one after the other."""

from __future__ import annotations

import copy
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
    """The first step of a pipeline that does not convert or gives other values as ONNX; else the predictor, by its name."""
    from sklearn.pipeline import Pipeline

    if isinstance(estimator, Pipeline):
        for count in range(1, len(estimator.steps)):
            name, step = estimator.steps[count - 1]
            if step is None or step == "passthrough":
                continue
            found = _fault(estimator, Pipeline(estimator.steps[:count]), feeds, schema, opset)
            if found is not None:
                return f"its step {name!r} ({found})"
        name, step = estimator.steps[-1]
        return f"its step {name!r} ({type(step).__name__})"
    return type(estimator).__name__


def _fault(whole: Any, prefix: Any, feeds: Feeds, schema: Schema, opset: int) -> str | None:
    """The name of what is wrong in the last step of ``prefix``; None if it gives the same values as ONNX."""
    step = prefix.steps[-1][1]
    try:
        model = transformer_to_onnx(prefix, whole, schema, opset)
        made = [np.asarray(part) for part in open_session(to_bytes(model)).run(None, feeds)]
    except Exception:  # a conversion that fails at this step, or a model that does not run
        return _inside(step, whole, prefix, schema, opset)
    expected = _columns([_dense(prefix.transform(original_input(whole, feeds, schema)))])
    found = _columns(made)
    if len(expected) != len(found):
        return _inside(step, whole, prefix, schema, opset)
    wrong = [
        place for place, pair in enumerate(zip(expected, found, strict=True)) if not _same(*pair)
    ]
    return _named(step, wrong[0]) if wrong else None


def _dense(values: Any) -> NDArray[Any]:
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values)


def _columns(parts: list[NDArray[Any]]) -> list[NDArray[Any]]:
    return [column for part in parts for column in part.reshape(len(part), -1).T]


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    try:
        numbers, others = one.astype(np.float64), other.astype(np.float64)
    except (TypeError, ValueError):
        return [as_text(value) for value in one] == [as_text(value) for value in other]
    near = np.abs(numbers - others) <= TOLERANCE * np.maximum(1, np.abs(numbers))
    return bool(np.all(near | (np.isnan(numbers) & np.isnan(others))))


def _named(step: Any, column: int) -> str:
    """The step, and the transformer in it that makes the column."""
    for name, place in getattr(step, "output_indices_", {}).items():
        if place.start <= column < place.stop:
            return f"{type(step).__name__}, its part {name!r} ({_class_name(step.named_transformers_[name])})"
    return type(step).__name__


def _inside(step: Any, whole: Any, prefix: Any, schema: Schema, opset: int) -> str:
    """The step that does not convert, and the first of its transformers that does not convert alone."""
    from sklearn.pipeline import Pipeline

    alone = copy.copy(step)
    for name, part, columns in getattr(step, "transformers_", []):
        for alone.transformers_ in ([(name, start, columns)] for start in _starts(part)):
            try:
                transformer_to_onnx(
                    Pipeline([*prefix.steps[:-1], ("part", alone)]), whole, schema, opset
                )
            except UserError:
                last = alone.transformers_[0][1]
                return f"{type(step).__name__}, its part {name!r} ({_class_name(getattr(last, 'steps', [(name, last)])[-1][1])})"
    return type(step).__name__


def _starts(part: Any) -> list[Any]:
    """A pipeline's first step, its first two, and so on; any other part by itself."""
    from sklearn.pipeline import Pipeline

    if not isinstance(part, Pipeline):
        return [part]
    return [Pipeline(part.steps[:count]) for count in range(1, len(part.steps) + 1)]


def _class_name(part: Any) -> str:
    """The class of a part, those of its steps if it is a pipeline."""
    if hasattr(part, "steps"):
        return ", ".join(_class_name(step) for _, step in part.steps)
    return part if isinstance(part, str) else type(part).__name__
