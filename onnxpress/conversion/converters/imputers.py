"""SimpleImputer of texts and numbers, with its indicator of missing values, and MissingIndicator by itself.

skl2onnx 1.20 leaves the indicator out and takes texts only where strings stand for missing ones. A missing text is the empty
string in ONNX, whatever it was where the imputer was fitted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import numpy as np
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.estimators.paths import MISSING_TEXT, as_text, is_missing

_blank: ContextVar[Collection[int]] = ContextVar("blank", default=frozenset())


@contextmanager
def blank_is_a_text(imputers: Collection[int]) -> Iterator[None]:
    """Within, the empty string is no missing value to the imputers of these ids: they were fitted on tables that hold it."""
    token = _blank.set(imputers)
    try:
        yield
    finally:
        _blank.reset(token)


@cache
def register() -> None:
    """Put the converters in the place of skl2onnx's, for this process; calling it again changes nothing."""
    from skl2onnx import update_registered_converter
    from sklearn.impute import MissingIndicator, SimpleImputer

    update_registered_converter(
        SimpleImputer, "SklearnSimpleImputer", _imputer_shape, _convert_imputer
    )
    update_registered_converter(
        MissingIndicator, "OnnxpressMissingIndicator", _indicator_shape, _convert_indicator
    )


def _is_text(operator: Any) -> bool:
    from skl2onnx.common.data_types import StringTensorType

    return isinstance(operator.inputs[0].type, StringTensorType)


def _imputer_shape(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    model = operator.raw_operator
    width = len(_kept(model)) + (len(model.indicator_.features_) if model.add_indicator else 0)
    kind = StringTensorType if _is_text(operator) else FloatTensorType
    operator.outputs[0].type = kind([operator.inputs[0].get_first_dimension(), width])


def _indicator_shape(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].type = FloatTensorType([rows, len(operator.raw_operator.features_)])


def _kept(model: Any) -> list[int]:
    """The columns that it does not drop: those of nothing but missing values."""
    statistics = enumerate(model.statistics_)
    return [
        place for place, value in statistics if model.keep_empty_features or not is_missing(value)
    ]


def _convert_imputer(scope: Any, operator: Any, container: Any) -> None:
    writer, model, text = (
        ContainerWriter(scope, container),
        operator.raw_operator,
        _is_text(operator),
    )
    values = _table(operator, writer)
    kept = _kept(model)
    chosen = values if len(kept) == len(model.statistics_) else _chosen(values, kept, writer)
    parts = [_filled(model, chosen, kept, text=text, writer=writer)]
    if model.add_indicator and len(model.indicator_.features_):
        parts.append(_indicated(model.indicator_, model, values, text=text, writer=writer))
    if text and model.add_indicator and len(parts) > 1:
        parts[1] = writer.add_ml(
            "LabelEncoder",
            writer.add("Cast", parts[1], to=TensorProto.INT64),
            version=2,
            keys_int64s=[0, 1],
            values_strings=["False", "True"],
        )
    writer.side_by_side(parts, operator.outputs[0].full_name)


def _convert_indicator(scope: Any, operator: Any, container: Any) -> None:
    writer, model = ContainerWriter(scope, container), operator.raw_operator
    found = _indicated(
        model, model, _table(operator, writer), text=_is_text(operator), writer=writer
    )
    writer.add("Identity", found, output=operator.outputs[0].full_name)


def _table(operator: Any, writer: ContainerWriter) -> str:
    """All columns as one table; numbers as float32."""
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    kinds = {isinstance(item.type, StringTensorType) for item in operator.inputs}
    if len(kinds) > 1:
        raise ValueError(
            "texts and numbers reach one imputer; give each kind an imputer of its own"
        )
    names = []
    for item in operator.inputs:
        ready = isinstance(item.type, (FloatTensorType, StringTensorType))
        names.append(
            item.full_name if ready else writer.add("Cast", item.full_name, to=TensorProto.FLOAT)
        )
    return names[0] if len(names) == 1 else writer.add("Concat", *names, axis=1)


def _chosen(values: str, columns: Any, writer: ContainerWriter) -> str:
    return writer.add("Gather", values, writer.constant(np.asarray(columns, np.int64)), axis=1)


def _filled(
    model: Any, values: str, kept: list[int], *, text: bool, writer: ContainerWriter
) -> str:
    statistics = [model.statistics_[place] for place in kept]
    if text:
        fill = writer.constant(np.array([[as_text(value) for value in statistics]], object))
        return writer.add("Where", _missing(model, values, text=True, writer=writer), fill, values)
    floats = np.array([0 if is_missing(value) else value for value in statistics], np.float32)
    replaced = float("nan") if is_missing(model.missing_values) else float(model.missing_values)
    return writer.add_ml(
        "Imputer", values, imputed_value_floats=floats, replaced_value_float=replaced
    )


def _indicated(
    indicator: Any, model: Any, values: str, *, text: bool, writer: ContainerWriter
) -> str:
    """1 where a value is missing, (rows, columns of the indicator), float32."""
    chosen = _chosen(values, indicator.features_, writer)
    return writer.add(
        "Cast", _missing(model, chosen, text=text, writer=writer), to=TensorProto.FLOAT
    )


def _missing(model: Any, values: str, *, text: bool, writer: ContainerWriter) -> str:
    """Whether each value is one that ``model`` takes for missing."""
    taken = model.missing_values
    if not text:
        if is_missing(taken):
            return writer.add("IsNaN", values)
        return writer.add("Equal", values, writer.constant(np.array([taken], np.float32)))
    name = MISSING_TEXT if is_missing(taken) else str(taken)
    found = int(name != MISSING_TEXT or id(model) not in _blank.get())
    codes = writer.add_ml(
        "LabelEncoder",
        values,
        version=2,
        keys_strings=[name],
        values_int64s=[found],
        default_int64=0,
    )
    return writer.add("Cast", codes, to=TensorProto.BOOL)
