"""Convert SimpleImputer and KNNImputer with their indicator, and MissingIndicator by itself.

skl2onnx 1.20 leaves the indicator out and takes texts only where strings mark missing ones. A
missing text is the empty string in ONNX, whatever it was where the imputer was fitted.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.conversion.registering import Converter
from onnxpress.estimators.paths import MISSING_TEXT, as_text, is_missing

_blank: ContextVar[Collection[int]] = ContextVar("blank", default=frozenset())


@contextmanager
def blank_is_a_text(imputers: Collection[int]) -> Iterator[None]:
    """Within this context, let the empty string be a text like others to imputers of these ids.

    They were fitted on tables that hold it.
    """
    token = _blank.set(imputers)
    try:
        yield
    finally:
        _blank.reset(token)


@cache
def register() -> None:
    """Replace skl2onnx's converters, for this process; calling it again changes nothing."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common._registration import get_converter
    from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer

    imputer, indicator = "SklearnSimpleImputer", "OnnxpressMissingIndicator"
    neighbors = "SklearnKNNImputer"
    update_registered_converter(SimpleImputer, imputer, _imputer_shape, _convert_imputer)
    update_registered_converter(MissingIndicator, indicator, _indicator_shape, _convert_indicator)
    update_registered_converter(
        KNNImputer, neighbors, _neighbors_shape, _with_indicator(get_converter(neighbors))
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


def _neighbors_shape(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    model, given = operator.raw_operator, operator.inputs[0].type
    width = given.shape[1] + (len(model.indicator_.features_) if model.add_indicator else 0)
    operator.outputs[0].type = FloatTensorType([operator.inputs[0].get_first_dimension(), width])


def _kept(model: Any) -> list[int]:
    """Return the columns that it keeps; it drops those of nothing but missing values."""
    kept = []
    for place, value in enumerate(model.statistics_):
        if model.keep_empty_features or not is_missing(value):
            kept.append(place)
    return kept


def _convert_imputer(scope: Any, operator: Any, container: Any) -> None:
    writer, model = ContainerWriter(scope, container), operator.raw_operator
    values = _table(operator, writer)
    kept, missing = _kept(model), _Missing(model, _is_text(operator), writer)
    chosen = values if len(kept) == len(model.statistics_) else _chosen(values, kept, writer)
    parts = [_filled(missing, chosen, [model.statistics_[place] for place in kept])]
    if model.add_indicator and len(model.indicator_.features_):
        found = _indicated(missing, values, model.indicator_.features_)
        parts.append(_as_texts(found, writer) if missing.text else found)
    writer.side_by_side(parts, operator.outputs[0].full_name)


def _with_indicator(original: Converter) -> Converter:
    """Have ``original`` fill in the values, and put the indicator beside them."""
    from skl2onnx.common.data_types import FloatTensorType

    def convert(scope: Any, operator: Any, container: Any) -> None:
        model = operator.raw_operator
        if not model.add_indicator:
            original(scope, operator, container)
            return
        alone = copy.copy(model)
        alone.add_indicator = False
        inner = scope.declare_local_operator(operator.type, alone)
        inner.inputs.append(operator.inputs[0])
        filled = scope.declare_local_variable(
            "filled", FloatTensorType(operator.inputs[0].type.shape)
        )
        inner.outputs.append(filled)
        writer = ContainerWriter(scope, container)
        found = _indicated(
            _Missing(model, False, writer), operator.inputs[0].full_name, model.indicator_.features_
        )
        writer.side_by_side([filled.full_name, found], operator.outputs[0].full_name)

    return convert


def _as_texts(indicated: str, writer: ContainerWriter) -> str:
    """Write "True" or "False" beside texts, as scikit-learn does."""
    whole = writer.add("Cast", indicated, to=TensorProto.INT64)
    names: dict[str, Any] = {"keys_int64s": [0, 1], "values_strings": ["False", "True"]}
    return writer.add_ml("LabelEncoder", whole, version=2, **names)


def _convert_indicator(scope: Any, operator: Any, container: Any) -> None:
    writer, model = ContainerWriter(scope, container), operator.raw_operator
    missing = _Missing(model, _is_text(operator), writer)
    found = _indicated(missing, _table(operator, writer), model.features_)
    writer.add("Identity", found, output=operator.outputs[0].full_name)


def _table(operator: Any, writer: ContainerWriter) -> str:
    """Join all columns to one table; numbers as float32."""
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    kinds = {isinstance(item.type, StringTensorType) for item in operator.inputs}
    if len(kinds) > 1:
        raise ValueError(
            "texts and numbers reach one imputer; give each kind an imputer of its own"
        )
    names = []
    for item in operator.inputs:
        name = item.full_name
        if not isinstance(item.type, (FloatTensorType, StringTensorType)):
            name = writer.add("Cast", name, to=TensorProto.FLOAT)
        names.append(name)
    return names[0] if len(names) == 1 else writer.add("Concat", *names, axis=1)


def _chosen(values: str, columns: Any, writer: ContainerWriter) -> str:
    return writer.add("Gather", values, writer.constant(np.asarray(columns, np.int64)), axis=1)


@dataclass(frozen=True)
class _Missing:
    """What counts as missing to ``model``."""

    model: Any
    text: bool
    writer: ContainerWriter

    def found(self, values: str) -> str:
        """Write whether each value is missing, bool, in the shape of ``values``."""
        writer, taken = self.writer, self.model.missing_values
        if not self.text:
            if is_missing(taken):
                return writer.add("IsNaN", values)
            return writer.add("Equal", values, writer.constant(np.array([taken], np.float32)))
        name = MISSING_TEXT if is_missing(taken) else str(taken)
        is_one = int(name != MISSING_TEXT or id(self.model) not in _blank.get())
        table: dict[str, Any] = {"keys_strings": [name], "values_int64s": [is_one]}
        codes = writer.add_ml("LabelEncoder", values, version=2, default_int64=0, **table)
        return writer.add("Cast", codes, to=TensorProto.BOOL)


def _filled(missing: _Missing, values: str, statistics: list[Any]) -> str:
    """Write ``values`` with the statistic of the column in the place of each missing one."""
    writer, model = missing.writer, missing.model
    if missing.text:
        fill = writer.constant(np.array([[as_text(value) for value in statistics]], object))
        return writer.add("Where", missing.found(values), fill, values)
    floats = np.array([0 if is_missing(value) else value for value in statistics], np.float32)
    replaced = float("nan") if is_missing(model.missing_values) else float(model.missing_values)
    return writer.add_ml(
        "Imputer", values, imputed_value_floats=floats, replaced_value_float=replaced
    )


def _indicated(missing: _Missing, values: str, columns: Any) -> str:
    """Write 1 where a value of ``columns`` is missing, float32 (rows, columns)."""
    chosen = _chosen(values, columns, missing.writer)
    return missing.writer.add("Cast", missing.found(chosen), to=TensorProto.FLOAT)
