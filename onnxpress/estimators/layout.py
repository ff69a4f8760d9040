"""Which columns a fitted estimator takes, in which order and form, and the rows in that form.

An estimator is asked on what it was fitted on: a frame with its own names where it has names, a matrix where it has none,
a list of texts where its first step is a vectoriser; missing text as None, NaN or "", whichever its parts have seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from onnxpress.estimators.parts import parts_of
from onnxpress.estimators.paths import MISSING_TEXT, Evidence, as_text, evidence, is_missing
from onnxpress.tables.names import NUMERIC_INPUT, input_name
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Column, Schema


class DoesNotFit(Exception):
    """The estimator takes other columns than the table has; the message goes on after its name."""


@dataclass(frozen=True)
class Layout:
    """The columns that an estimator takes, in its own order, and whether as a frame, a matrix or a list of texts."""

    form: Literal["frame", "matrix", "texts"]
    columns: tuple[Column, ...]

    @property
    def all_numeric(self) -> bool:
        """Whether every column is one of numbers."""
        return all(column.kind == "number" for column in self.columns)


def layout(estimator: Any, schema: Schema, table: str = "the table") -> Layout:
    """What a fitted estimator takes of a table, which errors call ``table``.

    Raises:
        DoesNotFit: it takes columns that the table does not have, or as many as no part of the table.
    """
    from onnxpress.estimators.onnx_estimator import (  # scikit-learn, 1 s that ONNX alone need not pay
        OnnxClassifier,
        OnnxRegressor,
    )

    known = {column.name: column for column in schema.columns}
    if isinstance(estimator, (OnnxClassifier, OnnxRegressor)):
        return Layout("matrix" if schema.all_numeric else "frame", schema.columns)
    if reads_texts(estimator):
        texts = tuple(column for column in schema.columns if column.kind != "number")
        if len(texts) != 1:
            listed = ", ".join(repr(column.name) for column in texts) or "none"
            raise DoesNotFit(f"takes one column of text, {table} has {len(texts)} ({listed})")
        return Layout("texts", texts)
    names = fitted_names(estimator, known)
    if names is not None:
        absent = [name for name in names if name not in known]
        if absent:
            raise DoesNotFit(
                f"takes the column {absent[0]!r}, which {table} does not have; it has {', '.join(known)}"
            )
        return Layout("frame", tuple(known[name] for name in names))
    features = getattr(estimator, "n_features_in_", None)
    if features is not None and features != len(known):
        raise DoesNotFit(f"takes {features} features, {table} has {len(known)}")
    return Layout("matrix", schema.columns)


def reads_texts(estimator: Any) -> bool:
    """Whether the first thing that sees the rows is a vectoriser, which takes a list of texts and no table."""
    from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
    from sklearn.pipeline import FeatureUnion, Pipeline

    if isinstance(estimator, Pipeline):
        return reads_texts(estimator.steps[0][1])
    if isinstance(estimator, FeatureUnion):
        return all(reads_texts(part) for _, part in estimator.transformer_list)
    if isinstance(estimator, (CountVectorizer, HashingVectorizer)):
        return True
    inner = getattr(estimator, "best_estimator_", getattr(estimator, "estimator_", None))
    return inner is not None and not hasattr(estimator, "n_features_in_") and reads_texts(inner)


def fitted_names(estimator: Any, known: dict[str, Column]) -> list[str] | None:
    """The names of the columns that it was fitted on; None if it was fitted on a matrix without names.

    Some wrappers keep no names, though what they hold was fitted on the same frame and has them.
    """
    own = getattr(estimator, "feature_names_in_", None)
    ours = (
        type(estimator).__module__.partition(".")[0] == "sklearn"
    )  # others make names up for a matrix
    if own is not None and (ours or set(own) <= set(known)):
        return [str(name) for name in own]
    inside = [getattr(part, "feature_names_in_", None) for part in parts_of(estimator)]
    named = [list(names) for names in inside if names is not None and set(names) <= set(known)]
    return max(named, key=len) if named else None


def original_input(estimator: Any, feeds: Feeds, schema: Schema) -> Any:
    """The rows of ``feeds`` as the estimator was fitted on rows: a matrix, a DataFrame or a list of texts."""
    taken = layout(estimator, schema)
    whole = schema.all_numeric
    if taken.form == "matrix" and whole and not _encodes(estimator):
        return feeds[NUMERIC_INPUT]
    if taken.form == "texts":
        return feeds[input_name(taken.columns[0].name)][:, 0].astype(object)
    position = {column.name: place for place, column in enumerate(schema.columns)}
    raw = [
        feeds[NUMERIC_INPUT][:, position[c.name]] if whole else feeds[input_name(c.name)][:, 0]
        for c in taken.columns
    ]
    seen = evidence(estimator, len(raw))
    pairs = enumerate(zip(taken.columns, raw, strict=True))
    values = [_as_fitted(column, values, place, seen) for place, (column, values) in pairs]
    if taken.form == "frame":
        import pandas as pd  # 0.4 s that all-numeric data need not pay

        columns = zip(taken.columns, values, strict=True)
        return pd.DataFrame(
            {column.name: pd.Series(value, dtype=value.dtype) for column, value in columns}
        )
    kind = object if any(value.dtype == object for value in values) else np.result_type(*values)
    return np.stack([value.astype(kind) for value in values], axis=1)


def _encodes(estimator: Any) -> bool:
    return any(hasattr(part, "categories_") for part in parts_of(estimator))


def _as_fitted(column: Column, values: NDArray[Any], place: int, seen: Evidence) -> NDArray[Any]:
    """The values of a column, by those that its encoder has seen where ONNX has another form of the same."""
    categories = seen.categories.get(place, [])
    if column.kind == "number":
        return _numbers_as_fitted(values, categories)
    values = values.astype(object)
    missing = seen.missing.get(place, MISSING_TEXT)
    others = {
        as_text(category): category for category in categories if not isinstance(category, str)
    }
    others = {text: category for text, category in others.items() if text != MISSING_TEXT}
    if missing != MISSING_TEXT or others:
        known = {**others, MISSING_TEXT: missing}
        result = np.empty(len(values), object)
        result[:] = [known.get(value, value) for value in values]
        return result
    return values


def _numbers_as_fitted(values: NDArray[Any], categories: list[Any]) -> NDArray[Any]:
    """Numbers, as float64 where a category lies between two float32 numbers."""
    numbers = [
        category
        for category in categories
        if not is_missing(category) and not isinstance(category, str)
    ]
    between = [number for number in numbers if float(np.float32(number)) != float(number)]
    if not between:
        return values
    result = values.astype(np.float64)
    for number in between:
        result[values == np.float32(number)] = float(number)
    return result
