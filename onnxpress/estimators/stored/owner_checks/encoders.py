"""What makes sparse rows out of stored numbers of columns.

A column past the last is written outside the row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.owner_checks.attributes import (
    MOST,
    get,
    has,
    instance_of,
    is_array,
    number,
    within,
)


def one_hot(instance: Any) -> None:
    """``_n_features_outs`` are the columns that the categories of each feature come down to."""
    if not has(instance, "categories_"):
        return
    categories = get(instance, "categories_")
    if type(categories) is not list or not all(
        isinstance(item, np.ndarray) and item.ndim == 1 for item in categories
    ):
        raise Damaged("categories_ should be a list of arrays")
    for item in categories:
        _in_order(item)
    number(instance, "n_features_in_", len(categories), len(categories))
    sizes = [_grouped(instance, place, len(item)) for place, item in enumerate(categories)]
    dropped = get(instance, "_drop_idx_after_grouping")
    if dropped is not None:
        is_array(dropped, "_drop_idx_after_grouping", "O", len(categories))
        for place, index in enumerate(dropped):
            if index is not None:
                if not isinstance(index, int | np.integer) or not 0 <= index < sizes[place]:
                    raise Damaged("_drop_idx_after_grouping should be a place in the categories")
                sizes[place] -= 1
    widths = get(instance, "_n_features_outs")
    if (
        type(widths) is not list
        or [int(width) for width in widths if isinstance(width, int | np.integer)] != sizes
    ):
        raise Damaged(f"_n_features_outs should be {sizes}")


def _in_order(categories: NDArray[Any]) -> None:
    """Raise Damaged unless they are numbers in order, or text or objects.

    Text and objects are looked up one by one.
    """
    kind = categories.dtype.kind
    if kind not in "biufOSU":
        raise Damaged("categories_ should be numbers or text")
    if kind in "biuf" and not np.array_equal(
        np.sort(categories), categories, equal_nan=kind == "f"
    ):
        raise Damaged("categories_ should be in ascending order: a number is looked up by halves")


def _grouped(instance: Any, place: int, count: int) -> int:
    """The number of categories of a feature when the infrequent ones are one."""
    if get(instance, "_infrequent_enabled") is False:
        return count
    mappings, rare = (
        get(instance, "_default_to_infrequent_mappings"),
        get(instance, "_infrequent_indices"),
    )
    if (
        type(mappings) is not list
        or type(rare) is not list
        or not len(mappings) == len(rare) > place
    ):
        raise Damaged("infrequent categories should have a list entry for each feature")
    mapping = mappings[place]
    if mapping is None:
        if rare[place] is not None:
            raise Damaged("infrequent categories should have a mapping")
        return count
    is_array(mapping, "_default_to_infrequent_mappings", "i8", count)
    groups = is_array(rare[place], "_infrequent_indices", "i8", None)
    within(groups, "_infrequent_indices", count)
    if not len(groups) or not len(mapping):
        raise Damaged("infrequent categories should not be empty")
    within(mapping, "_default_to_infrequent_mappings", count)
    return int(mapping.max()) + 1


def vocabulary(instance: Any) -> None:
    """``vocabulary_`` numbers its words from 0 on, each once."""
    if not has(instance, "vocabulary_"):
        return
    words = get(instance, "vocabulary_")
    if type(words) is not dict:
        raise Damaged("vocabulary_ should be a dict of words and their columns")
    columns = list(words.values())
    if not all(
        isinstance(column, int | np.integer) and not isinstance(column, bool) for column in columns
    ):
        raise Damaged("vocabulary_ should number its words")
    if sorted(columns) != list(range(len(columns))):
        raise Damaged("vocabulary_ should number its words from 0 on, each once")


def text(instance: Any) -> None:
    """A vectoriser takes the text itself, not the name of a file to read."""
    if vars(instance).get("input", "content") != "content":
        raise Damaged(
            "input should be 'content': with 'filename', it reads whatever files a table names"
        )


def labels(instance: Any) -> None:
    """``MultiLabelBinarizer`` keeps the columns of its classes."""
    columns = vars(instance).get("_cached_dict")
    if columns is not None and (
        type(columns) is not dict or list(columns.values()) != list(range(len(columns)))
    ):
        raise Damaged("_cached_dict should number the classes from 0 on")


def one_label(instance: Any) -> None:
    """Check ``OneVsRestClassifier`` of several labels for a row.

    It makes a sparse matrix of whatever its members predict.
    """
    if not has(instance, "estimators_"):
        return
    binarizer = instance_of(
        get(instance, "label_binarizer_"),
        "label_binarizer_",
        "sklearn.preprocessing._label.LabelBinarizer",
    )
    if get(binarizer, "y_type_") not in ("binary", "multiclass"):
        raise Damaged("several labels for a row are not supported")


def hashing(instance: Any) -> None:
    """``n_features`` is what the hash of a word is divided by."""
    number(instance, "n_features", 1, MOST)


CHECKS = {
    "sklearn.preprocessing._encoders.OneHotEncoder": one_hot,
    "sklearn.preprocessing._label.MultiLabelBinarizer": labels,
    "sklearn.multiclass.OneVsRestClassifier": one_label,
    "sklearn.feature_extraction.text._VectorizerMixin": text,
    "sklearn.feature_extraction.text.CountVectorizer": vocabulary,
    "sklearn.feature_extraction._dict_vectorizer.DictVectorizer": vocabulary,
    "sklearn.feature_extraction.text.HashingVectorizer": hashing,
    "sklearn.feature_extraction._hash.FeatureHasher": hashing,
}
