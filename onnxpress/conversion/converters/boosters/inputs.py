"""Write what the trees of a booster read: numbers, codes of categories, columns of category splits.

The codes of the categories "a", "b" and "c" are 0, 1 and 2; NaN is for a missing and a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from onnxpress.boosters.model import LARGEST_CODE, BoosterModel, Feature
from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.conversion.converters.boosters.crossings import crossing_columns
from onnxpress.conversion.converters.trees.around import with_columns
from onnxpress.estimators.booster_estimator import category_keys

ZERO = np.float32(1e-35)
"""LightGBM's ``kZeroThreshold``: values up to it, of either sign, are zeros."""


def matrix_of_numbers(model: BoosterModel, inputs: Sequence[Any], writer: ContainerWriter) -> str:
    """Write the features as float32 (rows, features), codes in the place of categories.

    Raises:
        NotImplementedError: the inputs are not float32 numbers and texts, or categories are too
            many or alike.
    """
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    coded = [feature.categories is not None for feature in model.features]
    names, width = [], 0
    for variable in inputs:
        name, columns = variable.full_name, variable.type.shape[1]
        if not isinstance(variable.type, (FloatTensorType, StringTensorType)):
            kind = type(variable.type).__name__
            raise NotImplementedError(f"a booster takes float32 numbers and texts, not {kind}")
        text = isinstance(variable.type, StringTensorType)
        if not text and not any(coded[width : width + columns]):
            names.append(name)
        elif columns == 1:
            names.append(_coded(model.features[width], name, text, writer))
        else:
            for column in range(columns):
                place = writer.constant(np.array([column], np.int64))
                one = writer.add("Gather", name, place, axis=1)
                feature = model.features[width + column]
                if text or coded[width + column]:
                    one = _coded(feature, one, text, writer)
                names.append(one)
        width += columns
    if width != len(model.features):
        raise NotImplementedError(f"it has {len(model.features)} features, and gets {width}")
    return names[0] if len(names) == 1 else writer.add("Concat", *names, axis=1)


def _coded(feature: Feature, name: str, text: bool, writer: ContainerWriter) -> str:
    """Write the codes of one column (rows, 1)."""
    if feature.categories is None:
        raise NotImplementedError(f"its feature {feature.name!r} takes numbers, and gets texts")
    keys = category_keys(feature, "U" if text else "f")
    if len(set(keys)) < len(keys) or len(keys) > LARGEST_CODE:
        raise NotImplementedError(f"categories of {feature.name!r} are too many, or look alike")
    if not text and not all(isinstance(key, float) for key in keys):
        raise NotImplementedError(f"its feature {feature.name!r} takes texts, and gets numbers")
    codes = np.arange(len(keys), dtype=np.float32)
    if text:
        return writer.add_ml(
            "LabelEncoder",
            name,
            version=2,
            keys_strings=keys,
            values_floats=codes,
            default_float=float("nan"),
        )
    return writer.add_ml(
        "LabelEncoder",
        name,
        version=2,
        keys_floats=np.array(keys, np.float32),
        values_floats=codes,
        default_float=float("nan"),
    )


def tree_columns(model: BoosterModel, rows: str, writer: ContainerWriter) -> str:
    """Write what the trees read: ``rows``, zeros that are missing as NaN, columns of splits."""
    columns = len(model.features)
    if model.zero_as_missing:
        limit = np.full(columns, -1, np.float32)
        limit[list(model.zero_as_missing)] = ZERO
        present = writer.add("Greater", writer.add("Abs", rows), writer.constant(limit))
        nan = writer.constant(np.array(np.nan, np.float32))
        rows = writer.add("Where", present, rows, nan)
    crossed = [crossing_columns(rows, crossing, writer) for crossing in model.crossings]
    if not model.memberships:
        return writer.add("Concat", rows, *crossed, axis=1) if crossed else rows
    whole = rows
    if model.truncated:
        size = writer.add("Floor", writer.add("Abs", rows))
        whole = writer.add("Mul", size, writer.add("Sign", rows))
    elif model.floored:
        whole = writer.add("Floor", rows)
    missing = model.missing_in_columns
    found = with_columns(rows, model.memberships, writer, whole, missing=missing)
    return writer.add("Concat", found, *crossed, axis=1) if crossed else found
