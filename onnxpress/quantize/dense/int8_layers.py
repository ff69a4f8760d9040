"""Layers in int8 with fixed ranges, written as QuantizeLinear and DequantizeLinear (QDQ).

    x  = DequantizeLinear(QuantizeLinear(x))          uint8, a step and a zero for the tensor
    W8 = DequantizeLinear(int8 weights)               a step for each output
    b  = DequantizeLinear(int32 bias)                 steps of x times steps of W8
    y  = Conv(x, W8, b)

What only moves values, between a layer and the one before it, is done on the whole numbers: the
pair is written before and behind it, with one step. Zero points are written where they are 0 too,
for onnxruntime takes a Gemm without them for one in float32.

These are operators of ai.onnx 13 alone. A runtime that knows the pattern computes the product in
int8; any other one computes the same in float32 (https://onnx.ai/onnx/operators/).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper, shape_inference, version_converter

from onnxpress.graph.gemm import gemm_attribute, with_upright_weights
from onnxpress.graph.writer import GraphWriter, names_of, opset_of
from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.dense.layers import Layer, layers_of

PER_OUTPUT_OPSET = 13
"""The first ai.onnx in which DequantizeLinear has a step for each output."""

WEIGHT_STEPS = 63
"""7 bits.

8 bits saturate in the 16-bit sums of CPUs without VNNI, so that results differ between CPUs.
"""
INPUT_STEPS = 255
LARGEST_BIAS = 2**30

MOVES = frozenset(["MaxPool", "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze"])
"""Operators whose output holds values of their first input."""

Range = tuple[float, float]
"""The least and the greatest value that a tensor keeps; zero lies between them."""


def prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """Copy ``model`` in the form that :func:`in_int8` treats.

    1. It has ai.onnx 13 or newer.
    2. No Gemm transposes its weights.
    3. A MatMul of rows and the Add of its bias are one Gemm, whose sum a runtime keeps in int8.

    Raises:
        NotApplicable: onnx cannot write it in ai.onnx 13.
    """
    if opset_of(model) < PER_OUTPUT_OPSET:
        metadata = list(model.metadata_props)
        try:
            model = version_converter.convert_version(model, PER_OUTPUT_OPSET)
        except Exception as error:  # onnx raises whatever its C++ does
            reason = f"onnx cannot write it in ai.onnx {PER_OUTPUT_OPSET}: {error}"
            raise NotApplicable(reason) from error
        del model.metadata_props[:]
        model.metadata_props.extend(metadata)
    return _with_biases(with_upright_weights(model))


def _with_biases(model: onnx.ModelProto) -> onnx.ModelProto:
    """Join in place each MatMul of a matrix of rows with the Add of constants behind it."""
    graph = model.graph
    vectors = {tensor.name for tensor in graph.initializer if len(tensor.dims) == 1}
    vectors |= {t.name for t in graph.initializer if len(t.dims) == 2 and t.dims[0] == 1}
    matrices = _matrices(model)
    readers = _readers(graph)
    joined = []
    for layer in layers_of(model):
        node = graph.node[layer.position]
        users = readers.get(node.output[0], [])
        if node.op_type != "MatMul" or node.input[0] not in matrices or len(users) != 1:
            continue
        (add,) = users
        bias = [name for name in add.input if name != node.output[0]]
        if add.op_type == "Add" and len(bias) == 1 and bias[0] in vectors:
            node.op_type = "Gemm"
            node.input.append(bias[0])
            node.output[0] = add.output[0]
            joined.append(add)
    for add in joined:
        graph.node.remove(add)
    return model


def _matrices(model: onnx.ModelProto) -> set[str]:
    """Names of the values that are known to have two dimensions."""
    graph = shape_inference.infer_shapes(model).graph
    return {
        value.name
        for value in (*graph.value_info, *graph.input)
        if value.type.tensor_type.HasField("shape") and len(value.type.tensor_type.shape.dim) == 2
    }


def _readers(graph: onnx.GraphProto) -> dict[str, list[onnx.NodeProto]]:
    """The nodes that read each value; an output of the graph counts as read once more."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for value in graph.output:
        readers.setdefault(value.name, []).append(onnx.NodeProto())
    return readers


def sources(model: onnx.ModelProto, layers: Collection[Layer]) -> dict[str, str]:
    """By value that is to become whole numbers, the value that sets its range.

    The first are the inputs of ``layers`` and what they were moved from, and outputs of ``layers``
    that onnxruntime would else compute in float32: those of a convolution and those that pass a
    Relu. The second is where moving began.
    """
    by_output = {name: node for node in model.graph.node for name in node.output}
    found: dict[str, str] = {}
    for layer in layers:
        path = [model.graph.node[layer.position].input[0]]
        while path[-1] in by_output and by_output[path[-1]].op_type in MOVES:
            path.append(by_output[path[-1]].input[0])
        found.update(dict.fromkeys(path, path[-1]))
    readers = _readers(model.graph)
    for layer in layers:
        output = model.graph.node[layer.position].output[0]
        activated = _activated(output, readers)
        if layer.is_convolution or activated != output:
            found.setdefault(activated, activated)
    return found


def _activated(output: str, readers: Mapping[str, list[onnx.NodeProto]]) -> str:
    """The output of the Relu that alone reads ``output``, or itself."""
    users = readers.get(output, [])
    only_relu = len(users) == 1 and users[0].op_type == "Relu"
    return str(users[0].output[0]) if only_relu else output


def in_int8(
    model: onnx.ModelProto, ranges: Mapping[str, Range], treated: Collection[Layer]
) -> onnx.ModelProto:
    """Copy a ``prepared`` model with the ``treated`` layers in int8.

    ``ranges`` has the range of the ``sources`` of each.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    writer = GraphWriter(graph, opset_of(model), names_of(model))
    source_of = sources(model, treated)
    layers = _Layers(model, writer, {name: ranges[source_of[name]] for name in source_of})
    by_position = {layer.position: layer for layer in treated}
    for position, node in enumerate(model.graph.node):
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        if position in by_position:
            layers.quantise(copy, by_position[position])
        else:
            copy.input[:] = [
                layers.whole(name) if name in source_of else name for name in node.input
            ]
        graph.node.append(copy)
    read = {name for node in graph.node for name in node.input}
    read.update(value.name for value in graph.output)
    graph.initializer.extend(
        tensor for tensor in model.graph.initializer if tensor.name in read or not treated
    )
    return result


@dataclass(frozen=True)
class _Stored:
    """A tensor in whole numbers: the float value, and its steps."""

    value: str
    steps: NDArray[np.float32]


class _Layers:
    """What is written for layers, once for a tensor that several read."""

    def __init__(
        self, model: onnx.ModelProto, writer: GraphWriter, ranges: Mapping[str, Range]
    ) -> None:
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.writer, self.ranges = writer, ranges
        self.inputs: dict[str, str] = {}
        self.weights: dict[tuple[str, int], _Stored] = {}
        self.zeros: dict[tuple[int, str], str] = {}

    def quantise(self, node: onnx.NodeProto, layer: Layer) -> None:
        """Let ``node`` read whole numbers."""
        steps = step_and_zero(self.ranges[node.input[0]])[0]
        weights = self._weights(layer)
        node.input[0], node.input[1] = self.whole(node.input[0]), weights.value
        plain = gemm_attribute(node, "alpha", 1) == gemm_attribute(node, "beta", 1) == 1
        if plain and len(node.input) > 2 and node.input[2]:
            node.input[2] = self._bias(node.input[2], steps * weights.steps)

    def whole(self, name: str) -> str:
        """Round a value to whole numbers of its range, as float32 again."""
        if name not in self.inputs:
            step, zero = step_and_zero(self.ranges[name])
            stored = self.writer.constant(step), self.writer.constant(zero)
            whole = self.writer.add("QuantizeLinear", name, *stored)
            self.inputs[name] = self.writer.add("DequantizeLinear", whole, *stored)
        return self.inputs[name]

    def _weights(self, layer: Layer) -> _Stored:
        key = layer.weights, layer.outputs_axis
        if key not in self.weights:
            matrix = numpy_helper.to_array(self.constants[layer.weights])
            whole, steps = whole_weights(matrix, layer.outputs_axis)
            value = self._restored(whole, layer.weights, steps, layer.outputs_axis)
            self.weights[key] = _Stored(value, steps)
        return self.weights[key]

    def _bias(self, name: str, steps: NDArray[np.float32]) -> str:
        """The bias in steps of the sums, if it is constant and fits."""
        if name not in self.constants:
            return name
        bias = numpy_helper.to_array(self.constants[name]).astype(np.float64).ravel()
        whole = np.round(np.broadcast_to(bias, steps.shape) / steps)
        if not (np.abs(whole) < LARGEST_BIAS).all():
            return name
        return self._restored(whole.astype(np.int32), name, steps, 0)

    def _restored(
        self, whole: NDArray[Any], name: str, steps: NDArray[np.float32], axis: int
    ) -> str:
        """Float32 again: ``steps`` along ``axis`` around zero."""
        key = len(steps), whole.dtype.str
        if key not in self.zeros:
            self.zeros[key] = self.writer.constant(np.zeros(len(steps), whole.dtype))
        stored = self.writer.constant(whole, name), self.writer.constant(steps), self.zeros[key]
        return self.writer.add("DequantizeLinear", *stored, axis=axis)


def whole_weights(
    weights: NDArray[np.float32], axis: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole numbers from -63 to 63 and the step of each output, which ``axis`` counts.

    Three inputs and two outputs, the second of which has no weights. The steps are 1/63 and 1:

    >>> whole_weights(np.float32([[1, 0], [-1 / 3, 0], [0, 0]]), 1)[0].tolist()
    [[63, 0], [-21, 0], [0, 0]]
    """
    others = tuple(place for place in range(weights.ndim) if place != axis)
    steps = np.abs(weights).max(axis=others, keepdims=True) / np.float32(WEIGHT_STEPS)
    steps = np.where(steps > np.finfo(np.float32).tiny, steps, 1).astype(np.float32)
    return np.round(weights / steps).astype(np.int8), steps.ravel()


def restored(whole: NDArray[np.int8], steps: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Return the weights that :func:`whole_weights` has made whole numbers of."""
    shape = [1] * whole.ndim
    shape[axis] = -1
    return np.asarray(whole * steps.reshape(shape), np.float32)


def step_and_zero(kept: Range) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The step of 256 whole numbers over a range, and the one that means zero, as scalars.

    >>> [value.item() for value in step_and_zero((-1.0, 254.0))]
    [1.0, 1]
    """
    low, high = kept
    step = np.float32(max((high - low) / INPUT_STEPS, float(np.finfo(np.float32).tiny)))
    return np.array(step), np.array(np.clip(np.round(-low / step), 0, INPUT_STEPS), np.uint8)
