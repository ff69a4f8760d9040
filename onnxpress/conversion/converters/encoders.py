"""OneHotEncoder, OrdinalEncoder and TargetEncoder, from tables that scikit-learn itself fills in.

skl2onnx 1.20 leaves out or refuses what is infrequent, what is unknown beside it, encoded missing values and categories
that are not whole numbers. Here every category of a column, and a value that is none, is encoded once by scikit-learn, and
ONNX looks the result up; so all options are right that a table can hold.

A missing text is the empty string in ONNX, and stands for the NaN or None that the encoder has seen. Where scikit-learn
refuses a category, onnxruntime refuses the row too: a lookup points behind the end of its table.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.estimators.paths import is_missing

UNSEEN = "\0 no category of this column"


@dataclass(frozen=True)
class Table:
    """What a column's values become.

    ``values`` has a row per category and one for values that are none, (categories + 1, width), float64; for one-hot
    columns ``places`` has the column that is 1 in each, ``width`` where none is. ``strict``: the last row stands for a
    refusal.
    """

    categories: list[Any]
    values: NDArray[np.float64] | None
    places: NDArray[np.int64] | None
    width: int
    strict: bool


@cache
def register() -> None:
    """Put the converters in the place of skl2onnx's, for this process; calling it again changes nothing."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common._registration import get_converter, get_shape_calculator
    from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, TargetEncoder

    alias = "SklearnKBinsDiscretizer"
    bins, shape = _without_sparse_bins(get_converter(alias)), get_shape_calculator(alias)
    update_registered_converter(KBinsDiscretizer, alias, shape, bins)
    for model in (OneHotEncoder, OrdinalEncoder, TargetEncoder):
        update_registered_converter(model, f"Sklearn{model.__name__}", _shape, _convert)


def _without_sparse_bins(
    original: Callable[[Any, Any, Any], None],
) -> Callable[[Any, Any, Any], None]:
    """skl2onnx's converter of bins, which refuses those that scikit-learn keeps in a sparse matrix."""

    def convert(scope: Any, operator: Any, container: Any) -> None:
        bins = operator.raw_operator
        if bins.encode == "onehot":
            operator.raw_operator = copy.copy(bins)
            operator.raw_operator.encode = "onehot-dense"
        original(scope, operator, container)

    return convert


def _shape(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    width = sum(table.width for table in tables(operator.raw_operator))
    operator.outputs[0].type = FloatTensorType([operator.inputs[0].get_first_dimension(), width])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    writer = ContainerWriter(scope, container)
    found, columns = tables(operator.raw_operator), _columns(operator.inputs, writer)
    if len(found) != len(columns):
        raise ValueError(f"{len(columns)} columns reach an encoder of {len(found)}")
    encoded = [
        _encoded(table, *column, writer)
        for table, column in zip(found, columns, strict=True)
        if table.width
    ]
    writer.side_by_side(encoded, operator.outputs[0].full_name)


def _columns(inputs: list[Any], writer: ContainerWriter) -> list[tuple[str, bool]]:
    """Each column by itself, (rows, 1), and whether it holds texts; numbers as float32."""
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    columns = []
    for item in inputs:
        name, text = item.full_name, isinstance(item.type, StringTensorType)
        if not text and not isinstance(item.type, FloatTensorType):
            name = writer.add("Cast", name, to=TensorProto.FLOAT)
        width = item.type.shape[1]
        for place in range(width):
            index = writer.constant(np.array([place], np.int64)) if width > 1 else ""
            columns.append((writer.add("Gather", name, index, axis=1) if width > 1 else name, text))
    return columns


def tables(encoder: Any) -> list[Table]:
    """The table of each column of a fitted encoder."""
    kind = [base.__name__ for base in type(encoder).__mro__]
    if "TargetEncoder" in kind:
        return _target_tables(encoder)
    return [
        _table(encoder, place, one_hot="OneHotEncoder" in kind)
        for place in range(len(encoder.categories_))
    ]


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
        warnings.simplefilter("ignore")  # of an unknown category, which is the question
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
    """The column that is not 0 in each row of a sparse matrix; the width where there is none."""
    places = np.full(rows.shape[0], rows.shape[1], np.int64)
    row, column = rows.nonzero()
    places[row] = column
    return places


def _unseen(categories: NDArray[Any]) -> NDArray[Any]:
    """One row of a value that is none of the categories."""
    if categories.dtype.kind in "OU":
        return np.array([[UNSEEN]], object)
    return np.array([[np.nanmax(np.append(categories.astype(np.float64), 0)) + 1]])


def _of_one_column(encoder: Any, place: int) -> Any:
    """A copy of a fitted encoder that knows the column at ``place`` alone."""
    alone = copy.copy(encoder)
    vars(alone).pop("feature_names_in_", None)
    alone._sklearn_output_config = {
        "transform": "default"
    }  # a data frame of pandas is never sparse
    alone.n_features_in_ = 1
    for name in (
        "categories_",
        "_infrequent_indices",
        "_default_to_infrequent_mappings",
        "_n_features_outs",
    ):
        if getattr(encoder, name, None) is not None:
            setattr(alone, name, [getattr(encoder, name)[place]])
    for name in ("drop_idx_", "_drop_idx_after_grouping"):
        if getattr(encoder, name, None) is not None:
            setattr(alone, name, getattr(encoder, name)[place : place + 1])
    if hasattr(encoder, "_missing_indices"):
        missing = encoder._missing_indices
        alone._missing_indices = {0: missing[place]} if place in missing else {}
    if hasattr(encoder, "sparse_output"):
        alone.sparse_output = True
    return alone


def _encoded(table: Table, column: str, text: bool, writer: ContainerWriter) -> str:
    keys = _keys(table.categories, text=text)
    if table.places is None:
        return _looked_up(table, keys, column, text, writer)
    if text and _plain(table, keys):
        names = sorted(keys, key=lambda name: keys[name])
        hot = writer.add_ml(
            "OneHotEncoder", column, cats_strings=names, zeros=int(not table.strict)
        )
    else:
        place = _by_code(table.places, table.strict, keys, column, text, writer)
        hot = writer.add_ml("OneHotEncoder", place, cats_int64s=list(range(table.width)), zeros=1)
    return writer.add("Reshape", hot, writer.constant(np.array([-1, table.width], np.int64)))


def _plain(table: Table, keys: dict[Any, int]) -> bool:
    """Whether each category has a column of its own, in order, and others have none."""
    places = table.places
    own = places is not None and np.array_equal(places, np.arange(table.width + 1))
    return own and len(keys) == table.width


def _looked_up(
    table: Table, keys: dict[Any, int], column: str, text: bool, writer: ContainerWriter
) -> str:
    assert table.values is not None  # noqa: S101  # a table has places or values
    values = table.values.astype(np.float32)
    if text and table.width == 1 and not table.strict:
        floats = [float(values[code, 0]) for code in keys.values()]
        default = float(values[-1, 0])
        return writer.add_ml(
            "LabelEncoder",
            column,
            version=2,
            keys_strings=list(keys),
            values_floats=floats,
            default_float=default,
        )
    if table.width == 1:
        return _by_code(values[:, 0], table.strict, keys, column, text, writer)
    rows = _by_code(values, table.strict, keys, column, text, writer)
    return writer.add("Reshape", rows, writer.constant(np.array([-1, table.width], np.int64)))


def _by_code(
    values: NDArray[Any],
    strict: bool,
    keys: dict[Any, int],
    column: str,
    text: bool,
    writer: ContainerWriter,
) -> str:
    """The entry of ``values`` of each row's category; a strict one has no last entry, so that onnxruntime refuses."""
    codes = _codes(keys, len(values) - 1, column, text, writer)
    if (
        not strict
        and values.ndim == 1
        and np.array_equal(values, np.arange(len(values)))
        and values.dtype == np.int64
    ):
        return codes
    return writer.add("Gather", writer.constant(values[:-1] if strict else values), codes, axis=0)


def _codes(
    keys: dict[Any, int], unknown: int, column: str, text: bool, writer: ContainerWriter
) -> str:
    """The number of each row's category, int64 (rows, 1); ``unknown`` for values that are none."""
    if text:
        return writer.add_ml(
            "LabelEncoder",
            column,
            version=2,
            keys_strings=list(keys),
            values_int64s=list(keys.values()),
            default_int64=unknown,
        )
    nan = keys.pop("nan", None)
    codes = writer.add_ml(
        "LabelEncoder",
        column,
        version=2,
        keys_floats=list(keys),
        values_int64s=list(keys.values()),
        default_int64=unknown,
    )
    if nan is None:
        return codes
    return writer.add(
        "Where", writer.add("IsNaN", column), writer.constant(np.array([[nan]], np.int64)), codes
    )


def _keys(categories: list[Any], *, text: bool) -> dict[Any, int]:
    """The number of each category by what ONNX sees of it: a text, a float32 number, or "nan".

    A missing value wins over an empty string that was fitted beside it: ONNX has one name for both.
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
