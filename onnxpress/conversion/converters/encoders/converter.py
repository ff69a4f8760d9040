"""Convert OneHotEncoder, OrdinalEncoder and TargetEncoder.

skl2onnx 1.20 leaves out or refuses what is infrequent, what is unknown beside it, encoded missing
values and categories that are not whole numbers. Here ONNX looks the result up in a table that
scikit-learn has filled in, so that all options are right that a table can hold.

Where scikit-learn refuses a category, onnxruntime refuses the row too: the lookup points behind the
end of its table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.conversion.converters.encoders.tables import Table, keys_of, tables


@cache
def register() -> None:
    """Replace skl2onnx's converters, for this process; calling it again changes nothing."""
    from skl2onnx import update_registered_converter
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

    for model in (OneHotEncoder, OrdinalEncoder, TargetEncoder):
        update_registered_converter(model, f"Sklearn{model.__name__}", _shape, _convert)


def _shape(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    width = sum(table.width for table in tables(operator.raw_operator))
    operator.outputs[0].type = FloatTensorType([operator.inputs[0].get_first_dimension(), width])


@dataclass(frozen=True)
class Column:
    """One column of the input, (rows, 1): texts, or numbers in float32."""

    name: str
    text: bool


def _convert(scope: Any, operator: Any, container: Any) -> None:
    writer = ContainerWriter(scope, container)
    found, columns = tables(operator.raw_operator), _columns(operator.inputs, writer)
    if len(found) != len(columns):
        raise ValueError(f"{len(columns)} columns reach an encoder of {len(found)}")
    encoded = []
    for table, column in zip(found, columns, strict=True):
        if table.width:
            encoded.append(_encoded(table, column, writer))
    writer.side_by_side(encoded, operator.outputs[0].full_name)


def _columns(inputs: list[Any], writer: ContainerWriter) -> list[Column]:
    """Take each column by itself."""
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    columns = []
    for item in inputs:
        name, text = item.full_name, isinstance(item.type, StringTensorType)
        if not text and not isinstance(item.type, FloatTensorType):
            name = writer.add("Cast", name, to=TensorProto.FLOAT)
        if item.type.shape[1] == 1:
            columns.append(Column(name, text))
            continue
        for place in range(item.type.shape[1]):
            index = writer.constant(np.array([place], np.int64))
            columns.append(Column(writer.add("Gather", name, index, axis=1), text))
    return columns


def _encoded(table: Table, column: Column, writer: ContainerWriter) -> str:
    """Write what one column becomes, (rows, width)."""
    keys = keys_of(table.categories, text=column.text)
    if table.places is None:
        return _looked_up(table, keys, column, writer)
    if column.text and _plain(table, keys):
        names = sorted(keys, key=lambda name: keys[name])
        zeros = int(not table.strict)
        hot = writer.add_ml("OneHotEncoder", column.name, cats_strings=names, zeros=zeros)
    else:
        place = _by_code(table.places, table.strict, keys, column, writer)
        hot = writer.add_ml("OneHotEncoder", place, cats_int64s=list(range(table.width)), zeros=1)
    return _wide(hot, table.width, writer)


def _wide(rows: str, width: int, writer: ContainerWriter) -> str:
    """Reshape (rows, 1, width) to (rows, width)."""
    return writer.add("Reshape", rows, writer.constant(np.array([-1, width], np.int64)))


def _plain(table: Table, keys: dict[Any, int]) -> bool:
    """Whether each category has a column of its own, in order, and others have none."""
    places = table.places
    own = places is not None and np.array_equal(places, np.arange(table.width + 1))
    return own and len(keys) == table.width


def _looked_up(table: Table, keys: dict[Any, int], column: Column, writer: ContainerWriter) -> str:
    """Look the values of categories up, float32."""
    assert table.values is not None  # noqa: S101  # a table has places or values
    values = table.values.astype(np.float32)
    if column.text and table.width == 1 and not table.strict:
        return writer.add_ml(
            "LabelEncoder",
            column.name,
            version=2,
            keys_strings=list(keys),
            values_floats=[float(values[code, 0]) for code in keys.values()],
            default_float=float(values[-1, 0]),
        )
    if table.width == 1:
        return _by_code(values[:, 0], table.strict, keys, column, writer)
    return _wide(_by_code(values, table.strict, keys, column, writer), table.width, writer)


def _by_code(
    values: NDArray[Any],
    strict: bool,
    keys: dict[Any, int],
    column: Column,
    writer: ContainerWriter,
) -> str:
    """Take the entry of ``values`` of each row's category.

    A strict table loses its last entry, so that onnxruntime refuses the row.
    """
    codes = _codes(keys, len(values) - 1, column, writer)
    numbers = values.ndim == 1 and values.dtype == np.int64
    if numbers and not strict and np.array_equal(values, np.arange(len(values))):
        return codes
    return writer.add("Gather", writer.constant(values[:-1] if strict else values), codes, axis=0)


def _codes(keys: dict[Any, int], unknown: int, column: Column, writer: ContainerWriter) -> str:
    """Number each row's category, int64 (rows, 1); ``unknown`` for values that are none."""
    nan = None if column.text else keys.pop("nan", None)
    numbering: dict[str, Any] = {
        "keys_strings" if column.text else "keys_floats": list(keys),
        "values_int64s": list(keys.values()),
        "default_int64": unknown,
    }
    codes = writer.add_ml("LabelEncoder", column.name, version=2, **numbering)
    if nan is None:
        return codes
    is_nan = writer.add("IsNaN", column.name)
    return writer.add("Where", is_nan, writer.constant(np.array([[nan]], np.int64)), codes)
