"""Which columns a fitted estimator takes, in which order and form, and the rows in that form.

An estimator predicts from rows in the form that it was fitted on: a frame if it has names of
columns, a matrix if it has none, a list of texts if its first step is a vectoriser. Missing text
is None, NaN or "", whichever its parts have seen.
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
from onnxpress.tables.schema import Column, Schema, describe_tensor


class DoesNotFit(Exception):
    """The estimator takes other columns than the table has; the message follows its name."""


@dataclass(frozen=True)
class Layout:
    """The columns that an estimator takes, and their form."""

    form: Literal["frame", "matrix", "texts", "tensors"]
    columns: tuple[Column, ...]
    """In the estimator's own order."""

    @property
    def all_numeric(self) -> bool:
        """Whether every column holds numbers."""
        return all(column.kind == "number" for column in self.columns)


def layout(estimator: Any, schema: Schema, table: str = "the table") -> Layout:
    """Return what a fitted estimator takes of a table, which errors call ``table``.

    Raises:
        DoesNotFit: it takes columns that the table does not have, or another number of them.
    """
    # scikit-learn: a second that callers without estimators need not pay
    from onnxpress.estimators.booster_estimator import BoosterClassifier, BoosterRegressor
    from onnxpress.estimators.onnx_estimator import OnnxClassifier, OnnxRegressor

    known = {column.name: column for column in schema.columns}
    if schema.has_tensors:
        if not isinstance(estimator, (OnnxClassifier, OnnxRegressor)):
            raise DoesNotFit(f"takes a table of numbers, and {flattening(schema)}")
        return Layout("tensors", schema.columns)
    if isinstance(estimator, (OnnxClassifier, OnnxRegressor)):
        return Layout("matrix" if schema.all_numeric else "frame", schema.columns)
    if isinstance(estimator, (BoosterClassifier, BoosterRegressor)):
        return _of_booster(estimator, schema, table)
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
            has = ", ".join(map(repr, known))
            raise DoesNotFit(
                f"takes the column {absent[0]!r}, which {table} does not have; it has {has}"
            )
        return Layout("frame", tuple(known[name] for name in names))
    features = getattr(estimator, "n_features_in_", None)
    if features is not None and features != len(known):
        raise DoesNotFit(f"takes {features} features, {table} has {len(known)}")
    return Layout("matrix", schema.columns)


def flattening(schema: Schema) -> str:
    """Return what tensors the data have, and how to make a table of them."""
    has = ", ".join(map(describe_tensor, schema.columns))
    return (
        f"the data have {has} for a row; save them as one array X, X.reshape(len(X), -1), or "
        "give an .onnx model"
    )


def _of_booster(estimator: Any, schema: Schema, table: str) -> Layout:
    """Return what a booster takes: columns by their names, each of its feature's kind.

    Names 0, 1, 2 and so on of which the table has none are the columns in order.

    Raises:
        DoesNotFit: the table does not have them.
    """
    known = {column.name: column for column in schema.columns}
    names, places = tuple(estimator.columns), tuple(map(str, range(len(estimator.columns))))
    if names == places and not known.keys() & set(names):
        if len(names) != len(known):
            raise DoesNotFit(f"takes {len(names)} features, {table} has {len(known)}")
        names = tuple(known)
    if absent := [name for name in names if name not in known]:
        has = ", ".join(map(repr, known))
        raise DoesNotFit(
            f"takes the column {absent[0]!r}, which {table} does not have; it has {has}"
        )
    columns = tuple(known[name] for name in names)
    for column, feature in zip(columns, estimator.read().features, strict=True):
        if column.kind != "number" and feature.categories is None:
            raise DoesNotFit(f"takes numbers in {column.name!r}, which holds texts in {table}")
    in_order = schema.all_numeric and columns == schema.columns
    return Layout("matrix" if in_order else "frame", columns)


def reads_texts(estimator: Any) -> bool:
    """Return whether the first step is a vectoriser, which takes a list of texts."""
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
    """Return the names of the columns that it was fitted on; None for a plain matrix.

    Some wrappers keep no names, though the estimators in them were fitted on the same frame and
    have them. Estimators of other packages than scikit-learn make up names for a matrix.
    """
    own = getattr(estimator, "feature_names_in_", None)
    of_sklearn = type(estimator).__module__.partition(".")[0] == "sklearn"
    if own is not None and (of_sklearn or set(own) <= set(known)):
        return [str(name) for name in own]
    inside = [getattr(part, "feature_names_in_", None) for part in parts_of(estimator)]
    named = [list(names) for names in inside if names is not None and set(names) <= set(known)]
    return max(named, key=len) if named else None


def original_input(estimator: Any, feeds: Feeds, schema: Schema) -> Any:
    """Return the rows of ``feeds`` in the form that the estimator was fitted on.

    That is a matrix (rows, columns), a DataFrame, an array of texts (rows,), or a mapping of
    tensors (rows, ...).

    Raises:
        DoesNotFit: as :func:`layout`.
    """
    taken = layout(estimator, schema)
    if taken.form == "matrix" and schema.all_numeric and not _encodes(estimator):
        return feeds[NUMERIC_INPUT]
    if taken.form == "tensors":
        return {column.name: feeds[input_name(column.name)] for column in taken.columns}
    if taken.form == "texts":
        return feeds[input_name(taken.columns[0].name)][:, 0].astype(object)
    raw, seen = _by_name(feeds, schema), evidence(estimator, len(taken.columns))
    values = [
        _as_fitted(column, raw[column.name], place, seen)
        for place, column in enumerate(taken.columns)
    ]
    if taken.form == "frame":
        return _frame(taken.columns, values)
    kind = object if any(value.dtype == object for value in values) else np.result_type(*values)
    return np.stack([value.astype(kind) for value in values], axis=1)


def _by_name(feeds: Feeds, schema: Schema) -> dict[str, NDArray[Any]]:
    """Return the values of every column (rows,)."""
    if schema.all_numeric:
        matrix = feeds[NUMERIC_INPUT]
        return {column.name: matrix[:, place] for place, column in enumerate(schema.columns)}
    return {column.name: feeds[input_name(column.name)][:, 0] for column in schema.columns}


def _frame(columns: tuple[Column, ...], values: list[NDArray[Any]]) -> Any:
    """Return a DataFrame of these columns, each in the type of its values."""
    import pandas as pd  # 0.4 s that all-numeric data need not pay

    series = {}
    for column, value in zip(columns, values, strict=True):
        series[column.name] = pd.Series(value, dtype=value.dtype)
    return pd.DataFrame(series)


def _encodes(estimator: Any) -> bool:
    return any(hasattr(part, "categories_") for part in parts_of(estimator))


def _as_fitted(column: Column, values: NDArray[Any], place: int, seen: Evidence) -> NDArray[Any]:
    """Give the values of a column the form that its encoder has seen.

    ONNX knows other values than text by their text. Three rows of a column whose encoder has the
    categories "a", 7 and None:

        "a"  "7"  ""     becomes     "a"  7  None
    """
    categories = seen.categories.get(place, [])
    if column.kind == "number":
        return _numbers_as_fitted(values, categories)
    known = {}
    for category in categories:
        if not isinstance(category, str) and as_text(category) != MISSING_TEXT:
            known[as_text(category)] = category
    missing = seen.missing.get(place, MISSING_TEXT)
    values = values.astype(object)
    if missing == MISSING_TEXT and not known:
        return values
    known[MISSING_TEXT] = missing
    result = np.empty(len(values), object)
    result[:] = [known.get(value, value) for value in values]
    return result


def _numbers_as_fitted(values: NDArray[Any], categories: list[Any]) -> NDArray[Any]:
    """Return numbers (rows,), as float64 where a category lies between two float32 numbers.

    0.1 as float32 is 0.10000000149 as float64, which an encoder fitted on 0.1 has never seen.
    """
    between = []
    for category in categories:
        is_number = not is_missing(category) and not isinstance(category, str)
        if is_number and float(np.float32(category)) != float(category):
            between.append(category)
    if not between:
        return values
    result = values.astype(np.float64)
    for number in between:
        result[values == np.float32(number)] = float(number)
    return result
