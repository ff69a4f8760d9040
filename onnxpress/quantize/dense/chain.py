"""A net of dense layers, one after another, read from a graph and written back.

    z1 = x @ W1 + b1    x1 = activation(z1)    z2 = x1 @ W2 + b2    ...    z = x @ W + b

What comes before the first layer and behind the last stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from onnxpress.graph.gemm import gemm_attribute
from onnxpress.graph.writer import GraphWriter, names_of, opset_of
from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.dense.layers import MATRIX, MATRIX_PRODUCTS, layers_of

ACTIVATIONS = frozenset(["Relu", "Tanh", "Sigmoid"])
LINKS = {"Softmax": "Softmax", "LogSoftmax": "Softmax", "Sigmoid": "Sigmoid"}
"""What makes probabilities, or their logarithms, of the last layer's sums."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Weights:
    """One layer: ``matrix`` (inputs, outputs) and ``bias`` (outputs,)."""

    matrix: Floats
    bias: Floats


@dataclass(frozen=True)
class Chain:
    """Layers, each of which alone reads what the one before gives."""

    layers: tuple[Weights, ...]
    activations: tuple[str, ...]
    """Behind each layer but the last."""
    input: str
    output: str
    """The sums of the last layer."""
    link: str
    """How they become probabilities, a value of ``LINKS``; empty if they do not."""
    products: tuple[int, ...]
    """Positions of the products in the graph, one for each layer."""
    biases: tuple[int | None, ...]
    """Positions of the Add behind each product; None where the product has the bias."""


def read_chain(model: onnx.ModelProto) -> Chain:
    """The chain with most weights in a graph whose weights are upright.

    Raises:
        NotApplicable: there is no dense layer with a constant bias.
    """
    reader = _Reader(model)
    found: dict[int, Chain] = {}
    for layer in layers_of(model):
        inside = any(layer.position in chain.products for chain in found.values())
        if not layer.is_convolution and not inside:
            chain = reader.chain(layer.position)
            if chain is not None:
                found[layer.position] = chain
    if not found:
        raise NotApplicable("the graph has no dense layer that can be trained")
    return max(found.values(), key=lambda chain: sum(one.matrix.size for one in chain.layers))


@dataclass(frozen=True)
class _Step:
    """A layer, and where its nodes are."""

    weights: Weights
    product: int
    bias: int | None
    output: str


class _Reader:
    """The nodes of a graph by what they read, and its constants."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes = model.graph.node
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.readers: dict[str, list[int]] = {}
        for position, node in enumerate(self.nodes):
            for name in node.input:
                self.readers.setdefault(name, []).append(position)
        self.outputs = {value.name for value in model.graph.output}

    def chain(self, position: int) -> Chain | None:
        """The chain that starts with the product at ``position``; None if that is no layer."""
        step = self._step(position)
        if step is None:
            return None
        steps, activations = [step], []
        while True:
            follower = self._follower(steps[-1].output)
            if follower is None:
                break
            activation, step = follower
            steps.append(step)
            activations.append(activation)
        last = steps[-1].output
        links = [self.nodes[place].op_type for place in self.readers.get(last, [])]
        return Chain(
            tuple(step.weights for step in steps),
            tuple(activations),
            self.nodes[position].input[0],
            last,
            next((LINKS[link] for link in links if link in LINKS), ""),
            tuple(step.product for step in steps),
            tuple(step.bias for step in steps),
        )

    def _step(self, position: int) -> _Step | None:
        node = self.nodes[position]
        if node.op_type not in MATRIX_PRODUCTS or node.input[1] not in self.constants:
            return None
        tensor = self.constants[node.input[1]]
        if len(tensor.dims) != MATRIX or tensor.data_type != onnx.TensorProto.FLOAT:
            return None
        matrix = numpy_helper.to_array(tensor)
        if node.op_type == "Gemm":
            return self._gemm(position, matrix)
        return self._product_and_sum(position, matrix)

    def _gemm(self, position: int, matrix: Floats) -> _Step | None:
        node = self.nodes[position]
        plain = {"alpha": 1, "beta": 1, "transA": 0, "transB": 0}
        if any(gemm_attribute(node, name, value) != value for name, value in plain.items()):
            return None
        none = np.zeros(matrix.shape[1], np.float32)
        bias = self._vector(node.input[2], none) if len(node.input) > 2 else none
        if bias is None:
            return None
        return _Step(Weights(matrix, bias), position, None, node.output[0])

    def _product_and_sum(self, position: int, matrix: Floats) -> _Step | None:
        product = self.nodes[position].output[0]
        add = self._sole_reader(product)
        if add is None or self.nodes[add].op_type != "Add":
            return None
        names = [name for name in self.nodes[add].input if name != product]
        none = np.zeros(matrix.shape[1], np.float32)
        bias = self._vector(names[0], none) if names else None
        if bias is None:
            return None
        return _Step(Weights(matrix, bias), position, add, self.nodes[add].output[0])

    def _vector(self, name: str, like: Floats) -> Floats | None:
        """A constant bias of the shape ``like``; None if it is no such thing."""
        if name not in self.constants:
            return None
        values = numpy_helper.to_array(self.constants[name])
        fits = (
            values.dtype == np.float32 and values.size in (1, like.size) and values.ndim <= MATRIX
        )
        return np.broadcast_to(values.ravel(), like.shape).copy() if fits else None

    def _follower(self, output: str) -> tuple[str, _Step] | None:
        """The activation and the layer that alone read ``output``."""
        activation = self._sole_reader(output)
        if activation is None or self.nodes[activation].op_type not in ACTIVATIONS:
            return None
        product = self._sole_reader(self.nodes[activation].output[0])
        if product is None or self.nodes[product].input[0] != self.nodes[activation].output[0]:
            return None
        step = self._step(product)
        return None if step is None else (self.nodes[activation].op_type, step)

    def _sole_reader(self, name: str) -> int | None:
        places = self.readers.get(name, [])
        return places[0] if len(places) == 1 and name not in self.outputs else None


def with_layers(
    model: onnx.ModelProto, chain: Chain, layers: Sequence[Weights]
) -> tuple[onnx.ModelProto, list[str]]:
    """Copy ``model`` with other weights in its chain; also return the names of the matrices.

    Layers may have other numbers of hidden neurons.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    del graph.value_info[:]
    writer = GraphWriter(graph, opset_of(model), names_of(model))
    names = []
    for layer, product, add in zip(layers, chain.products, chain.biases, strict=True):
        node = graph.node[product]
        names.append(writer.constant(layer.matrix, "weights"))
        node.input[1] = names[-1]
        bias = writer.constant(layer.bias, "bias")
        if add is not None:
            sums = graph.node[product].output[0]
            graph.node[add].input[:] = [sums, bias]
        else:
            node.input[:] = [node.input[0], node.input[1], bias]
    read = {name for node in graph.node for name in node.input}
    read.update(value.name for value in graph.output)
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return result, names
