"""Channels between two layers, brought to one size: the same net, easier to round.

A Relu of ``s * x`` is ``s`` times the Relu of x. So each output of a layer can be divided by a
number, and the weights of the next layer that read it multiplied by it, with the same answers. All
channels of a value share one step in int8, and weights have one for each output: large channels
are made smaller until those of the value and the weights that read it are equally large
(SmoothQuant with a strength of a half; Xiao et al., arXiv:2211.10438).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from onnxpress.graph.gemm import gemm_attribute
from onnxpress.quantize.dense.layers import Layer

SAME_CHANNELS = frozenset(["Relu", "MaxPool"])
"""What may lie between two layers: it treats each channel alone and keeps factors above zero."""

POWERS = 24
"""A factor is a power of two up to this one: rescaling rounds nothing."""


@dataclass(frozen=True)
class Pair:
    """Two layers, the second of which alone reads what the first gives."""

    first: Layer
    second: Layer
    value: str
    """What the second reads, (rows, channels, ...)."""


def pairs_of(model: onnx.ModelProto, layers: list[Layer]) -> list[Pair]:
    """The pairs of neighbours in a ``prepared`` model whose channels can be rescaled."""
    nodes = model.graph.node
    readers: dict[str, list[int]] = {}
    for position, node in enumerate(nodes):
        for name in node.input:
            readers.setdefault(name, []).append(position)
    for value in model.graph.output:
        readers.setdefault(value.name, []).extend([-1, -1])
    constants = {tensor.name for tensor in model.graph.initializer if tensor.dims}
    by_position = {layer.position: layer for layer in layers}
    found = []
    for layer in layers:
        place, value = layer.position, nodes[layer.position].output[0]
        while len(readers.get(value, [])) == 1:
            place = readers[value][0]
            if nodes[place].op_type not in SAME_CHANNELS or len(nodes[place].output) > 1:
                break
            value = nodes[place].output[0]
        second = by_position.get(place)
        if second is None or second == layer or len(readers[value]) != 1:
            continue
        both = nodes[layer.position], nodes[second.position]
        fits = all(_can_be_rescaled(node, constants) for node in both)
        shared = any(len(readers[name]) > 1 for node in both for name in node.input[1:])
        if fits and not shared and nodes[place].input[0] == value and _reads_all(layer, second):
            found.append(Pair(layer, second, value))
    return found


def _can_be_rescaled(node: onnx.NodeProto, constants: set[str]) -> bool:
    """Whether its bias, if any, is constant and all factors are 1."""
    plain = all(gemm_attribute(node, name, 1) == 1 for name in ("alpha", "beta", "group"))
    return plain and all(name in constants for name in node.input[2:])


def _reads_all(first: Layer, second: Layer) -> bool:
    """Whether the inputs of ``second`` are the outputs of ``first``, one by one."""
    return first.shape[first.outputs_axis] == second.shape[1 - second.outputs_axis]


def smoothed(
    model: onnx.ModelProto, pairs: list[Pair], peaks: Mapping[str, NDArray[np.float32]]
) -> onnx.ModelProto:
    """Copy ``model`` with the channels between ``pairs`` rescaled.

    ``peaks`` are the greatest magnitudes (channels,) of the values that the second layers read.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    tensors = {tensor.name: tensor for tensor in result.graph.initializer}
    for pair in pairs:
        weights = numpy_helper.to_array(tensors[pair.second.weights])
        factors = _factors(peaks[pair.value], weights, 1 - pair.second.outputs_axis)
        node = model.graph.node[pair.first.position]
        inverse = np.asarray(1 / factors, np.float32)
        _multiply(tensors[pair.first.weights], inverse, pair.first.outputs_axis)
        for bias in node.input[2:]:
            _multiply(tensors[bias], inverse, len(tensors[bias].dims) - 1)
        _multiply(tensors[pair.second.weights], factors, 1 - pair.second.outputs_axis)
    return result


def _factors(
    peaks: NDArray[np.float32], weights: NDArray[np.float32], axis: int
) -> NDArray[np.float32]:
    """What to divide each channel by: powers of two; 1 for a channel that is always zero."""
    others = tuple(place for place in range(weights.ndim) if place != axis)
    reading = np.abs(weights).max(axis=others)
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = np.rint(np.log2(peaks / reading) / 2)
    powers = np.where(np.isfinite(powers), powers, 0)
    return np.asarray(np.exp2(np.clip(powers, -POWERS, POWERS)), np.float32)


def _multiply(tensor: onnx.TensorProto, factors: NDArray[np.float32], axis: int) -> None:
    """Multiply a tensor along an axis, in place."""
    values = numpy_helper.to_array(tensor)
    shape = [1] * values.ndim
    shape[axis] = -1
    tensor.CopyFrom(numpy_helper.from_array(values * factors.reshape(shape), tensor.name))
