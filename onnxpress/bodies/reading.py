"""From the graph of a model to its :class:`~onnxpress.bodies.steps.Program`.

Each operator of the tables at the end becomes steps, or only moves numbers. All others are refused.
Where the specification is silent, the meaning is what onnxruntime computes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxpress.bodies import oblivious
from onnxpress.bodies.constants import Constant, constants
from onnxpress.bodies.oblivious import Asked, Looked, Numbered, Unlike
from onnxpress.bodies.steps import (
    Activation,
    Arithmetic,
    Dense,
    Filled,
    Floats,
    Inputs,
    Joined,
    NoBody,
    Program,
    Quotient,
    Shares,
    Softmax,
    Step,
    Total,
    Trees,
    Value,
)
from onnxpress.bodies.trees import (
    RowNumbers,
    TableRows,
    classifier,
    raw_scores,
    row_numbers,
    sum_of_rows,
    table_rows,
)
from onnxpress.graph.trees.reader import Untreatable, read
from onnxpress.graph.writer import fed_inputs
from onnxpress.tables.names import column_name

ROWS_BY_COLUMNS = 2
PARTS = Asked | Numbered | Looked | RowNumbers | TableRows
"""What only forests make on the way to their sums."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """The label of the first greatest number of a step."""

    step: Step
    classes: NDArray[np.int64] | tuple[str, ...] | None = None
    """None: the number of the class."""


Read = Value | Chosen


def read_program(model: onnx.ModelProto) -> Program:
    """Return what a model computes for one row.

    Raises:
        NoBody: an input is not float32 numbers of a table, or a node cannot be written.
    """
    reader = _Reader(model)
    for node in model.graph.node:
        reader.take(node)
    outputs = [reader.output(value.name) for value in model.graph.output]
    labels = [each for each in outputs if isinstance(each, Chosen)]
    numbers = [each for each in outputs if isinstance(each, Value)]
    if len(labels) > 1 or len(numbers) != 1:
        found = ", ".join(value.name for value in model.graph.output)
        raise NoBody(f"the model should give a prediction, or a label and scores, got {found}")
    result = reader.whole(numbers[0])
    name = model.graph.output[outputs.index(numbers[0])].name
    if not labels:
        return Program(reader.inputs, result, name)
    chosen = labels[0]
    classes = np.arange(chosen.step.size) if chosen.classes is None else chosen.classes
    return Program(reader.inputs, result, name, chosen.step, classes)


class _Reader:
    """The values that are known so far."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.constants = constants(model)
        self.inputs, self.values = _inputs(model)

    def take(self, node: onnx.NodeProto) -> None:
        """Add the outputs of ``node``.

        Raises:
            NoBody: it cannot be written.
        """
        if all(name in self.constants for name in node.output if name):
            return
        handler = HANDLERS.get(node.op_type)
        if handler is None:
            raise NoBody(f"{named(node)} has no form in C or SQL; {KNOWN}")
        try:
            found = handler(self, node)
        except (Unlike, Untreatable) as error:
            raise NoBody(f"{named(node)} has no form in C or SQL: {error}; {KNOWN}") from error
        outputs = found if isinstance(found, tuple) else (found,)
        self.values.update(
            (name, value) for name, value in zip(node.output, outputs, strict=False) if name
        )

    def value(self, name: str) -> Value:
        """The numbers called ``name``."""
        found = self.values.get(name)
        if not isinstance(found, Value):
            raise Unlike(f"it should read numbers that depend on the row, {name!r} are none")
        return found

    def constant(self, name: str) -> NDArray[Any]:
        """The constant called ``name``."""
        if name not in self.constants:
            raise Unlike(f"{name!r} is not constant")
        return self.constants[name].values

    def output(self, name: str) -> Read:
        """What the model gives under ``name``."""
        if name not in self.values:
            raise NoBody(f"the output {name!r} does not depend on the row")
        return self.values[name]

    def whole(self, value: Value) -> Step:
        """A step whose numbers are those of ``value``, in their order."""
        if isinstance(value.step, PARTS):
            raise Unlike("it reads a part of a forest")
        return value.step if value.is_whole else Joined(value.place.size, (value,))

    def row(self, name: str) -> tuple[Step, tuple[int, ...]]:
        """The numbers called ``name`` as a step, and their shape."""
        value = self.value(name)
        return self.whole(value), value.place.shape


def _inputs(model: onnx.ModelProto) -> tuple[Inputs, dict[str, Read]]:
    """The numbers of a row, all inputs side by side, and the value of each input."""
    sizes = {}
    for value in fed_inputs(model.graph):
        kind = value.type.tensor_type
        sizes[value.name] = [size.dim_value for size in kind.shape.dim][1:]
        if kind.elem_type != TensorProto.FLOAT or len(sizes[value.name]) != 1:
            expected = "should be float32 (rows, columns)"
            raise NoBody(f"the input {value.name!r} {expected}: text and tensors have no form here")
        if not sizes[value.name][0]:
            raise NoBody(f"the input {value.name!r} should say how many columns it has")
    ends = np.cumsum([0, *(size[0] for size in sizes.values())])
    inputs = Inputs(int(ends[-1]), _names(model, {name: size[0] for name, size in sizes.items()}))
    places = zip(sizes, ends, ends[1:], strict=False)
    return inputs, {
        name: Value(inputs, np.arange(start, stop)[None, :]) for name, start, stop in places
    }


def _names(model: onnx.ModelProto, sizes: dict[str, int]) -> tuple[str, ...]:
    """The names of all numbers of a row: those in the model's metadata, or by input."""
    stored = {entry.key: entry.value for entry in model.metadata_props}.get("feature_names", "[]")
    names = json.loads(stored)
    if len(names) == sum(sizes.values()):
        return tuple(map(str, names))
    found = []
    for name, size in sizes.items():
        column = column_name(name)
        found += [column] if size == 1 else [f"{column}{number}" for number in range(size)]
    return tuple(found)


def named(node: onnx.NodeProto) -> str:
    """Return a node as errors call it."""
    return f"the node {node.op_type} that makes {node.output[0]!r}"


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    """Return an attribute of a node."""
    found = (helper.get_attribute_value(item) for item in node.attribute if item.name == name)
    return next(found, default)


def _same(reader: _Reader, node: onnx.NodeProto) -> Read:
    return reader.values[node.input[0]]


def _cast(reader: _Reader, node: onnx.NodeProto) -> Read:
    """Numbers stay float32; answers, numbers of leaves and labels are whole already."""
    found = reader.values[node.input[0]]
    kinds = {TensorProto.FLOAT}
    if isinstance(found, Chosen):
        text = isinstance(found.classes, tuple)
        kinds = {TensorProto.STRING} if text else {TensorProto.INT64}
    elif isinstance(found.step, Trees) and attribute(node, "to") == TensorProto.INT32:
        return row_numbers(found)
    elif isinstance(found.step, Asked | Numbered):
        kinds |= {TensorProto.UINT8, TensorProto.INT32, TensorProto.INT64}
    if attribute(node, "to") not in kinds:
        raise Unlike(f"it changes the type to {TensorProto.DataType.Name(attribute(node, 'to'))}")
    return found


Move = Callable[[_Reader, onnx.NodeProto, NDArray[np.intp]], NDArray[np.intp]]


def _moving(move: Move) -> Callable[[_Reader, onnx.NodeProto], Read]:
    """What only moves numbers, from their places to the places in the output."""

    def handler(reader: _Reader, node: onnx.NodeProto) -> Read:
        value = reader.value(node.input[0])
        return Value(value.step, move(reader, node, value.place))

    return handler


def _transpose(_reader: _Reader, node: onnx.NodeProto, place: NDArray[np.intp]) -> Any:
    return np.transpose(place, attribute(node, "perm"))


def _flatten(_reader: _Reader, node: onnx.NodeProto, place: NDArray[np.intp]) -> Any:
    axis = attribute(node, "axis", 1)
    axis += place.ndim if axis < 0 else 0
    return place.reshape(int(np.prod(place.shape[:axis])), -1)


def _reshape(reader: _Reader, node: onnx.NodeProto, place: NDArray[np.intp]) -> Any:
    shape = reader.constant(node.input[1]).ravel()
    sizes = zip(shape.tolist(), [*place.shape, *[0] * len(shape)], strict=False)
    return place.reshape([old if new == 0 else new for new, old in sizes])


def _features(reader: _Reader, node: onnx.NodeProto, place: NDArray[np.intp]) -> Any:
    return place[..., reader.constant(node.input[1]).ravel()]


def _array_features(reader: _Reader, node: onnx.NodeProto) -> Read:
    """A selection of columns, or the labels of classes."""
    if node.input[0] in reader.constants:
        return _classes(reader, node)
    return _moving(_features)(reader, node)


def _classes(reader: _Reader, node: onnx.NodeProto) -> Read:
    chosen = reader.values.get(node.input[1])
    if not isinstance(chosen, Chosen) or chosen.classes is not None:
        raise Unlike("it looks up what is not the number of a class")
    classes = reader.constant(node.input[0]).ravel()
    if classes.dtype.kind in "OUS":
        return Chosen(chosen.step, tuple(map(str, classes)))
    return Chosen(chosen.step, classes.astype(np.int64))


def _label(reader: _Reader, node: onnx.NodeProto) -> Read:
    """A Reshape or a Cast of a label leaves it as it is."""
    if isinstance(reader.values.get(node.input[0]), Chosen):
        return reader.values[node.input[0]]
    return _moving(_reshape)(reader, node)


def _gather(reader: _Reader, node: onnx.NodeProto) -> Read:
    axis = attribute(node, "axis", 0)
    if node.input[0] not in reader.constants:
        value = reader.value(node.input[0])
        return Value(value.step, np.take(value.place, reader.constant(node.input[1]), axis))
    found = reader.values.get(node.input[1])
    if isinstance(found, Chosen):
        return _classes(reader, node)
    if axis != 0:
        raise Unlike("it reads a table along another axis than the first")
    table, value = reader.constants[node.input[0]], reader.value(node.input[1])
    if isinstance(value.step, RowNumbers):
        return table_rows(table.values, value)
    return oblivious.rows_of_table(table, value)


def _gather_elements(reader: _Reader, node: onnx.NodeProto) -> Read:
    value = reader.value(node.input[1])
    if attribute(node, "axis", 0) not in (-1, value.place.ndim - 1):
        raise Unlike("it reads a table along another axis than the last")
    table = reader.constants.get(node.input[0])
    if table is None:
        raise Unlike("its table is not constant")
    return oblivious.elements_of_table(table, value)


def _concat(reader: _Reader, node: onnx.NodeProto) -> Read:
    """Numbers side by side; they stay where they are if all are of one step."""
    parts = tuple(reader.value(name) for name in node.input)
    axis = attribute(node, "axis")
    if len({part.step for part in parts}) == 1:
        return Value(parts[0].step, np.concatenate([part.place for part in parts], axis))
    if axis not in (1, -1) or any(part.place.ndim != ROWS_BY_COLUMNS for part in parts):
        raise Unlike("it joins other things than columns")
    for part in parts:
        reader.whole(part)
    size = sum(part.place.size for part in parts)
    return Value(Joined(size, parts), np.arange(size)[None, :])


def _arithmetic(operator: str) -> Callable[[_Reader, onnx.NodeProto], Read]:
    def handler(reader: _Reader, node: onnx.NodeProto) -> Read:
        left, right = node.input[:2]
        if operator == "/" and not {left, right} & reader.constants.keys():
            return _quotient(reader, left, right)
        swapped = left in reader.constants
        value = reader.value(right if swapped else left)
        constant = reader.constant(left if swapped else right)
        if operator == "+" and isinstance(value.step, Numbered):
            return oblivious.moved(value, constant.astype(np.int64))
        return _computed(reader, value, operator, constant, swapped=swapped)

    return handler


def _quotient(reader: _Reader, left: str, right: str) -> Value:
    """Numbers over one number of the same row."""
    source, shape = reader.row(left)
    divisor, single = reader.row(right)
    if single != (1, 1) or len(shape) != ROWS_BY_COLUMNS:
        raise Unlike("it divides by more than one number of the row")
    step = Quotient(source.size, source, divisor)
    return Value(step, np.arange(source.size)[None, :])


def _computed(
    reader: _Reader, value: Value, operator: str, constant: NDArray[Any], *, swapped: bool = False
) -> Value:
    """``value operator constant``, if that has a row's shape."""
    place, wide = np.broadcast_arrays(value.place, constant)
    source = reader.whole(Value(value.step, place))
    numbers = _finite(wide.astype(np.float32).ravel())
    step = Arithmetic(place.size, source, operator, numbers, swapped)
    return Value(step, np.arange(place.size).reshape(place.shape))


def _finite(constant: Floats) -> Floats:
    if not np.isfinite(constant).all():
        raise Unlike("it has constants that are not finite")
    return constant


def _less(reader: _Reader, node: onnx.NodeProto) -> Read:
    return oblivious.asked(reader.value(node.input[0]), reader.constant(node.input[1]))


def _clip(reader: _Reader, node: onnx.NodeProto) -> Read:
    value = reader.value(node.input[0])
    least, most = (
        reader.constant(node.input[place])
        if len(node.input) > place and node.input[place]
        else None
        for place in (1, 2)
    )
    for operator, end in (("max", least), ("min", most)):
        value = value if end is None else _computed(reader, value, operator, end)
    return value


def _scaler(reader: _Reader, node: onnx.NodeProto) -> Read:
    value = reader.value(node.input[0])
    offset = np.array(attribute(node, "offset"), np.float32)
    value = _computed(reader, value, "-", offset)
    return _computed(reader, value, "*", np.array(attribute(node, "scale"), np.float32))


def _imputer(reader: _Reader, node: onnx.NodeProto) -> Read:
    source, shape = reader.row(node.input[0])
    filling = np.array(attribute(node, "imputed_value_floats"), np.float32)
    constant = _finite(np.broadcast_to(filling, shape).ravel().astype(np.float32))
    step = Filled(source.size, source, float(attribute(node, "replaced_value_float", 0)), constant)
    return Value(step, np.arange(step.size).reshape(shape))


def _activation(function: str) -> Callable[[_Reader, onnx.NodeProto], Read]:
    def handler(reader: _Reader, node: onnx.NodeProto) -> Read:
        source, shape = reader.row(node.input[0])
        step = Activation(source.size, source, function)
        return Value(step, np.arange(step.size).reshape(shape))

    return handler


def _softmax(reader: _Reader, node: onnx.NodeProto) -> Read:
    source, shape = reader.row(node.input[0])
    return Value(Softmax(source.size, source), np.arange(source.size).reshape(shape))


def _normalizer(reader: _Reader, node: onnx.NodeProto) -> Read:
    if attribute(node, "norm", b"MAX") != b"L1":
        raise Unlike("only the norm L1 is known")
    source, shape = reader.row(node.input[0])
    return Value(Shares(source.size, source), np.arange(source.size).reshape(shape))


def _argmax(reader: _Reader, node: onnx.NodeProto) -> Read:
    source, shape = reader.row(node.input[0])
    if len(shape) != ROWS_BY_COLUMNS or attribute(node, "axis", 0) not in (1, -1):
        raise Unlike("it does not choose a column")
    if attribute(node, "select_last_index", 0):
        raise Unlike("it chooses the last of equal numbers")
    if isinstance(source, Softmax):  # its greatest number is that of its source
        source = source.source
    return Chosen(source)


def _sum(reader: _Reader, node: onnx.NodeProto) -> Read:
    axes = attribute(node, "axes")
    axes = reader.constant(node.input[1]) if axes is None and len(node.input) > 1 else axes
    if axes is None or len(axes) != 1:
        raise Unlike("it adds up along several axes")
    value = reader.value(node.input[0])
    if not isinstance(value.step, Looked | TableRows):
        if value.place.ndim != ROWS_BY_COLUMNS or int(axes[0]) not in (1, -1):
            raise Unlike("it adds up other things than columns")
        return Value(Total(1, reader.whole(value)), np.zeros((1, 1), np.intp))
    if isinstance(value.step, TableRows):
        return sum_of_rows(value, int(axes[0]))
    found = oblivious.total(value, int(axes[0]))
    if attribute(node, "keepdims", 1):
        return Value(found.step, np.expand_dims(found.place, int(axes[0])))
    return found


def _product(reader: _Reader, node: onnx.NodeProto) -> Read:
    """Layers, and the numbers of leaves."""
    left, right = node.input[:2]
    if left in reader.constants and len(node.input) == 2:  # without zero points
        return oblivious.numbered(reader.constant(left), reader.value(right))
    if node.op_type == "MatMulInteger":
        raise Unlike("it multiplies rows in int8, with ranges that the row decides")
    return _dense(reader, left, reader.constants.get(right), None)


def _gemm(reader: _Reader, node: onnx.NodeProto) -> Read:
    factors = attribute(node, "alpha", 1.0), attribute(node, "beta", 1.0)
    bias = reader.constant(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    value, weights = reader.value(node.input[0]), reader.constants.get(node.input[1])
    if factors != (1.0, 1.0) or weights is None:
        raise Unlike("it has factors, or weights that are not constant")
    if attribute(node, "transA", 0):
        zero = np.zeros(1, np.float32)
        return oblivious.weighted(value, weights.values, zero if bias is None else bias)
    if attribute(node, "transB", 0):
        weights = _turned(weights)
    return _dense(reader, node.input[0], weights, bias)


def _turned(weights: Constant) -> Constant:
    if weights.step is None or weights.codes is None:
        return Constant(weights.values.T)
    steps = np.broadcast_to(weights.step, weights.codes.shape)
    return Constant(weights.values.T, weights.codes.T, steps.T)


def _dense(
    reader: _Reader, name: str, weights: Constant | None, bias: NDArray[Any] | None
) -> Value:
    source, shape = reader.row(name)
    if weights is None or weights.values.ndim != ROWS_BY_COLUMNS or shape[:-1] != (1,):
        raise Unlike("it is no product of a row and constant weights")
    matrix = _finite(weights.values.astype(np.float32))
    size = matrix.shape[1]
    added = np.zeros(size, np.float32) if bias is None else np.broadcast_to(bias, (1, size))
    offset = _finite(added.ravel().astype(np.float32))
    if ((matrix != 0).sum(axis=0) == 1).all() and (np.abs(matrix[matrix != 0]) == 1).all():
        return _selected(reader, Value(source, np.arange(source.size)[None, :]), matrix, offset)
    codes, steps = weights.codes, None
    if codes is not None and weights.step is not None:
        each = np.broadcast_to(weights.step, codes.shape)
        steps = each[0].astype(np.float32)
        if (each != each[:1]).any():
            codes = steps = None
    step = Dense(size, source, matrix, offset, codes, steps)
    return Value(step, np.arange(size)[None, :])


def _selected(reader: _Reader, value: Value, matrix: Floats, offset: Floats) -> Value:
    """A product by a matrix with one number in each column, 1 or -1, which is exact.

    That is what stands behind trees: the scores themselves, [1 - s, s] or [-s, s].
    """
    taken = np.abs(matrix).argmax(axis=0)
    found = Value(value.step, value.place[:, taken])
    signs = matrix[taken, np.arange(len(taken))]
    if (signs < 0).any():
        found = _computed(reader, found, "*", signs)
    return _computed(reader, found, "+", offset) if offset.any() else found


def _linear(reader: _Reader, node: onnx.NodeProto) -> tuple[Read, Read] | Read:
    """LinearClassifier and LinearRegressor of ai.onnx.ml 1."""
    flat = np.array(attribute(node, "coefficients"), np.float32)
    intercepts = attribute(node, "intercepts")
    scores = len(intercepts) if intercepts else int(attribute(node, "targets", 1))
    bias = None if intercepts is None else np.array(intercepts, np.float32)
    weights = Constant(flat.reshape(scores, -1).T)
    value = _dense(reader, node.input[0], weights, bias)
    post = attribute(node, "post_transform", b"NONE").decode()
    if node.op_type == "LinearRegressor":
        if post != "NONE":
            raise Unlike(f"post-transform {post}")
        return value
    labels = attribute(node, "classlabels_strings") or attribute(node, "classlabels_ints")
    if len(labels) != scores:
        raise Unlike("it derives a second class from a single score")
    texts = attribute(node, "classlabels_strings")
    classes = tuple(text.decode() for text in texts) if texts else np.array(labels, np.int64)
    step = reader.whole(value)
    value = Value(step, np.arange(step.size)[None, :])
    return Chosen(step, classes), finished(value, post)


def finished(value: Value, post: str) -> Value:
    """Scores after a post-transform.

    Raises:
        Unlike: it is SOFTMAX_ZERO or PROBIT.
    """
    step, size = value.step, value.step.size
    if post == "SOFTMAX":
        return Value(Softmax(size, step), value.place)
    if post == "LOGISTIC":
        return Value(Activation(size, step, "logistic"), value.place)
    if post != "NONE":
        raise Unlike(f"post-transform {post}")
    return value


def _trees(reader: _Reader, node: onnx.NodeProto) -> tuple[Read, Read] | Read:
    value = reader.value(node.input[0])
    if value.place.ndim != ROWS_BY_COLUMNS or isinstance(value.step, PARTS):
        raise Unlike("it does not read a row")
    forest = read(node)
    if node.op_type != "TreeEnsembleClassifier":
        scores = raw_scores(value, forest)
        return Value(scores, np.arange(scores.size)[None, :])
    scores = classifier(value, forest)
    whole = Value(scores, np.arange(scores.size)[None, :])
    labels = forest.labels
    return Chosen(scores, labels), finished(whole, forest.post_transform)


Handler = Callable[[_Reader, onnx.NodeProto], Any]

HANDLERS: dict[str, Handler] = {
    "Identity": _same,
    "Cast": _cast,
    "Transpose": _moving(_transpose),
    "Flatten": _moving(_flatten),
    "Reshape": _label,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "ArrayFeatureExtractor": _array_features,
    "Concat": _concat,
    "Add": _arithmetic("+"),
    "Sub": _arithmetic("-"),
    "Mul": _arithmetic("*"),
    "Div": _arithmetic("/"),
    "Max": _arithmetic("max"),
    "Min": _arithmetic("min"),
    "Clip": _clip,
    "Scaler": _scaler,
    "Imputer": _imputer,
    "Relu": _activation("relu"),
    "Sigmoid": _activation("logistic"),
    "Tanh": _activation("tanh"),
    "Softmax": _softmax,
    "Normalizer": _normalizer,
    "ArgMax": _argmax,
    "Less": _less,
    "ReduceSum": _sum,
    "MatMul": _product,
    "MatMulInteger": _product,
    "Gemm": _gemm,
    "LinearClassifier": _linear,
    "LinearRegressor": _linear,
    "TreeEnsemble": _trees,
    "TreeEnsembleClassifier": _trees,
    "TreeEnsembleRegressor": _trees,
}
"""How each operator is read."""

KNOWN = "forests, linear models and small nets of float32 columns have one"
