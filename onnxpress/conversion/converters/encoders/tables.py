"""Have scikit-learn encode each category once: what a column's values become, as a table."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.estimators.paths import is_missing

UNSEEN = "\0 no category of this column"


@dataclass(frozen=True)
class Table:
    """What a column's values become; the last row is for any other value.

    A one-hot column with the categories "a" (dropped), "b" and "c", unknown ones ignored:

        places  [2, 0, 1, 2]    "a" has no 1, "b" has it in column 0, "c" in column 1
        width   2
    """

    categories: list[Any]
    values: NDArray[np.float64] | None
    """(categories + 1, width); None for one-hot columns."""
    places: NDArray[np.int64] | None
    """(categories + 1,) of one-hot columns: the column that is 1, ``width`` where none is."""
    width: int
    strict: bool
    """The last row is a refusal."""


def tables(encoder: Any) -> list[Table]:
    """Return the table of each column of a fitted encoder."""
    kind = [base.__name__ for base in type(encoder).__mro__]
    if "TargetEncoder" in kind:
        return _target_tables(encoder)
    one_hot = "OneHotEncoder" in kind
    return [_table(encoder, place, one_hot=one_hot) for place in range(len(encoder.categories_))]


def _target_tables(encoder: Any) -> list[Table]:
    classes = len(encoder.encodings_) // len(encoder.categories_)
    mean = np.atleast_1d(encoder.target_mean_).astype(np.float64)
    result = []
    for place, categories in enumerate(encoder.categories_):
        columns = encoder.encodings_[place * classes : (place + 1) * classes]
        values = np.vstack([np.stack(columns, axis=1), mean])
        result.append(Table(list(categories), values, None, classes, strict=False))
    return result


def _table(encoder: Any, place: int, *, one_hot: bool) -> Table:
    alone, categories = _of_one_column(encoder, place), encoder.categories_[place]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an unknown category, which is what is tried
        known = alone.transform(categories.reshape(-1, 1))
        try:
            unknown = alone.transform(_unseen(categories))
        except ValueError:
            unknown = None
    if not one_hot:
        last = np.zeros((1, 1)) if unknown is None else unknown
        values = np.vstack([known, last]).astype(np.float64)
        return Table(list(categories), values, None, 1, strict=unknown is None)
    width = known.shape[1]
    places = np.append(_places(known), width if unknown is None else _places(unknown))
    return Table(list(categories), None, places, width, strict=unknown is None)


def _places(rows: Any) -> NDArray[np.int64]:
    """Find the column that is not 0 in each row of a sparse matrix; the width where none is.

    [[0, 0], [1, 0], [0, 1]] has them at [2, 0, 1].
    """
    places = np.full(rows.shape[0], rows.shape[1], np.int64)
    row, column = rows.nonzero()
    places[row] = column
    return places


def _unseen(categories: NDArray[Any]) -> NDArray[Any]:
    """Make one row of a value that is none of the categories."""
    if categories.dtype.kind in "OU":
        return np.array([[UNSEEN]], object)
    return np.array([[np.nanmax(np.append(categories.astype(np.float64), 0)) + 1]])


_LISTS = (
    "categories_",
    "_infrequent_indices",
    "_default_to_infrequent_mappings",
    "_n_features_outs",
)
_ARRAYS = ("drop_idx_", "_drop_idx_after_grouping")


def _of_one_column(encoder: Any, place: int) -> Any:
    """Copy a fitted encoder so that it knows the column at ``place`` alone."""
    alone = copy.copy(encoder)
    vars(alone).pop("feature_names_in_", None)
    alone._sklearn_output_config = {"transform": "default"}  # a DataFrame is never sparse
    alone.n_features_in_ = 1
    for name in _LISTS:
        if getattr(encoder, name, None) is not None:
            setattr(alone, name, [getattr(encoder, name)[place]])
    for name in _ARRAYS:
        if getattr(encoder, name, None) is not None:
            setattr(alone, name, getattr(encoder, name)[place : place + 1])
    if hasattr(encoder, "_missing_indices"):
        missing = encoder._missing_indices
        alone._missing_indices = {0: missing[place]} if place in missing else {}
    if hasattr(encoder, "sparse_output"):
        alone.sparse_output = True
    return alone


def keys_of(categories: list[Any], *, text: bool) -> dict[Any, int]:
    """Number each category by what ONNX sees of it: a text, a float32 number, or "nan".

    1. A missing text is the empty string in ONNX, and means the NaN or None that was fitted.
    2. A missing value wins over an empty string fitted beside it: ONNX has one name for both.
    3. Of numbers that are one number in float32, the last wins.

    Raises:
        ValueError: a category is text, and the column holds numbers.
    """
    keys: dict[Any, int] = {}
    order = sorted(enumerate(categories), key=lambda item: not is_missing(item[1]))
    for code, category in order:
        if is_missing(category):
            keys["" if text else "nan"] = code
        elif text:
            keys.setdefault(str(category), code)
        elif isinstance(category, str):
            raise ValueError(f"the category {category!r} is text, and the column holds numbers")
        else:
            keys[float(np.float32(category))] = code
    if not set(keys) - {"nan"} and not text:
        keys[float(np.finfo(np.float32).max)] = len(categories)  # LabelEncoder needs a key
    return keys
