"""A given ONNX model, brought to the inputs and outputs that the chain takes."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnxpress.errors import UserError
from onnxpress.given.exports.batch import free_rows
from onnxpress.given.exports.heads import Values, classifier_head, regressor_head, widen_halves
from onnxpress.given.exports.inputs import check_whole_numbers, inputs_of, take_columns
from onnxpress.graph.writer import fed_inputs
from onnxpress.progress import Say
from onnxpress.runtime.sessions import open_session, run
from onnxpress.tables.names import NUMERIC_INPUT, input_name
from onnxpress.tables.rows import Feeds, Rows, take
from onnxpress.tables.schema import Schema

COMPARED = 64
"""Rows on which the answers before and after are compared."""

TOLERANCE, TOLERANCE_OF_HALVES = 1e-4, 1e-2
"""Largest difference, over max(1, |value|): another number of rows may choose other kernels, which
add up in another order. The second is that of float16."""


def adapted(
    model: onnx.ModelProto, rows: Rows, schema: Schema, name: str, say: Say
) -> onnx.ModelProto:
    """Return the model with inputs of the table's columns, any number of rows, and a known head.

    A model that has them already is returned as it is; else a changed copy, and ``say`` gets a line
    for each change. The answers of the copy are compared with those of the model on training rows.

    Raises:
        UserError: the model gives other answers with another number of rows, or takes whole numbers
            where the table has none.
    """
    feeds = _by_input(model, rows.feeds, schema)
    check_whole_numbers(model, feeds, schema, name)
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    fixed = free_rows(changed)
    lines = take_columns(changed, schema)
    widen_halves(changed)
    if fixed is not None:
        lines.append(f"takes {fixed} row{'s' * (fixed > 1)} a call: made any number")
    first = take(feeds, np.arange(min(len(rows), COMPARED)))
    if lines:
        _check_same(model, changed, first, fixed, name)
    found = _values(changed, feeds)
    if found is not None and schema.task == "classification":
        lines += classifier_head(changed, found, rows.target)
    elif found is not None:
        lines += regressor_head(changed, found)
    for line in lines:
        say(f"{name} {line}")
    return changed if changed != model else model


def _by_input(model: onnx.ModelProto, feeds: Feeds, schema: Schema) -> Feeds:
    """Name columns or tensors as the inputs of the model are: one for all, or one each."""
    if schema.has_tensors:
        return {
            value.name: feeds[input_name(column.name)] for value, column in inputs_of(model, schema)
        }
    names = [value.name for value in fed_inputs(model.graph)]
    if list(feeds) != [NUMERIC_INPUT]:
        places = {input_name(name): name for name in names}
        return {places.get(key, key): values for key, values in feeds.items()}
    matrix = feeds[NUMERIC_INPUT]
    if len(names) == 1:
        return {names[0]: matrix}
    columns = {column.name: place for place, column in enumerate(schema.columns)}
    return {name: matrix[:, [columns[name]]] for name in names if name in columns}


def _values(model: onnx.ModelProto, feeds: Feeds) -> Values | None:
    """Return all outputs for the rows; None if the model does not take them, or gives no tensors.

    What is wrong then is said by the checks of inputs and outputs, which follow.
    """
    try:
        session = open_session(model.SerializeToString())
        names = [item.name for item in session.get_outputs()]
        given = {key: np.asarray(values) for key, values in feeds.items()}
        found = dict(zip(names, run(session, None, _typed(session, given)), strict=True))
    except MemoryError:
        raise
    except Exception:  # onnxruntime's exceptions share no base class
        return None
    rows = len(next(iter(feeds.values())))
    arrays = all(isinstance(each, np.ndarray) and len(each) == rows for each in found.values())
    return found if arrays else None


def _typed(session: object, feeds: Feeds) -> Feeds:
    """Give numbers the type of their input."""
    kinds = {item.name: item.type for item in session.get_inputs()}  # type: ignore[attr-defined] # onnxruntime has no types
    double = {key for key, kind in kinds.items() if kind == "tensor(double)"}
    return {
        key: values.astype(np.float64) if key in double else values for key, values in feeds.items()
    }


def _check_same(
    given: onnx.ModelProto, changed: onnx.ModelProto, feeds: Feeds, fixed: int | None, name: str
) -> None:
    """See that the changed model gives what the given one gives, call by call.

    Raises:
        UserError: it does not, or one of them does not run.
    """
    after = _values(changed, feeds)
    before = _in_calls(given, feeds, fixed)
    if before is None or (after is None and fixed is None):
        return  # the checks of inputs and outputs say why
    same = after is not None and all(
        _close(values, after[key]) for key, values in before.items() if key in after
    )
    if not same:
        raise UserError(
            f"{name} gives other answers, or none, with another number of rows a call than "
            f"{fixed or 'as it was exported'}; export it with a first dimension of any size"
        )


def _in_calls(model: onnx.ModelProto, feeds: Feeds, fixed: int | None) -> Values | None:
    """Return the outputs of the given model, in calls of as many rows as it takes."""
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim][1:]
        for value in fed_inputs(model.graph)
    }
    kinds = {
        value.name: np.dtype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
        for value in fed_inputs(model.graph)
    }
    count = len(next(iter(feeds.values())))
    size = fixed or count
    parts: list[list[NDArray[np.generic]]] = []
    try:
        session = open_session(model.SerializeToString())
        names = [item.name for item in session.get_outputs()]
        for start in range(0, count, size):
            index = np.minimum(np.arange(start, start + size), count - 1)
            part = {
                key: np.asarray(values, kinds[key]).reshape(
                    size, *(shapes[key] if all(shapes[key]) else values.shape[1:])
                )
                for key, values in take(feeds, index).items()
            }
            parts.append(session.run(None, part))
    except MemoryError:
        raise
    except Exception:  # onnxruntime's exceptions share no base class
        return None
    joined = [np.concatenate(values)[:count] for values in zip(*parts, strict=True)]
    return dict(zip(names, joined, strict=True))


def _close(one: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    if one.shape != other.shape:
        return False
    if one.dtype.kind != "f":
        return bool(np.mean(one == other) >= 1 - 1 / COMPARED)
    limit = TOLERANCE_OF_HALVES if one.dtype == np.float16 else TOLERANCE
    return bool(np.allclose(one, other, rtol=limit, atol=limit, equal_nan=True))
