"""Large matrix products with weights in blocks of 4 bits, by onnxruntime's MatMulNBits.

The operator reads the weights as they are stored: an eighth of the memory, which is what one row a
call waits for. Rows stay float32. The operator can make them int8, block by block, and would be
faster still; but sums in float32 before it differ in the last bit between batch sizes, and rounding
would make a whole step of that.

Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md, MatMulNBits
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from onnxpress.graph.gemm import gemm_attribute
from onnxpress.graph.writer import GraphWriter, names_of, opset_of
from onnxpress.onnx_file.known_operators import MICROSOFT
from onnxpress.quantize.dense.blocks import BLOCK, in_blocks
from onnxpress.quantize.dense.layers import layers, weights_to_treat

MIN_WEIGHTS = 256 * 256
"""Where every matrix is smaller, they are as fast in float32."""

MIN_STORED = 1024
"""Elements from which a matrix is written in blocks."""

FLOAT32_ROWS = 1
"""The operator's accuracy level."""


def block_products(model: onnx.ModelProto) -> onnx.ModelProto:
    """Copy ``model``, whose weights are upright, with its large matrix products in blocks.

    Raises:
        NotApplicable: there is no large one.
    """
    weights_to_treat(model, MIN_WEIGHTS)
    treated = layers(model, MIN_STORED)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    writer = GraphWriter(graph, opset_of(model), names_of(model))
    products = _BlockProducts(model, writer)
    for node in model.graph.node:
        if _is_product(node) and node.input[1] in treated:
            products.write(node)
        else:
            writer.copy(node)
    read = {name for node in graph.node for name in node.input}
    read.update(value.name for value in graph.output)
    graph.initializer.extend(item for item in model.graph.initializer if item.name in read)
    if all(entry.domain != MICROSOFT for entry in result.opset_import):
        result.opset_import.append(onnx.helper.make_opsetid(MICROSOFT, 1))
    return result


def _is_product(node: onnx.NodeProto) -> bool:
    if node.op_type == "Gemm":
        return all(gemm_attribute(node, name, 1) == 1 for name in ("alpha", "beta"))
    return node.op_type == "MatMul"


class _BlockProducts:
    """What is written for layers, once for weights that several read."""

    def __init__(self, model: onnx.ModelProto, writer: GraphWriter) -> None:
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.writer = writer
        self.stored: dict[str, tuple[str, str, tuple[int, int]]] = {}

    def write(self, node: onnx.NodeProto) -> None:
        """Write a product with the output of ``node``, and its bias if it has one."""
        weights, steps, (inputs, outputs) = self._blocks(node.input[1])
        biased = len(node.input) > 2 and bool(node.input[2])
        product = self.writer.name("v") if biased else node.output[0]
        attributes = {"K": inputs, "N": outputs, "bits": 4, "block_size": BLOCK}
        attributes["accuracy_level"] = FLOAT32_ROWS
        given = [node.input[0], weights, steps]
        self.writer.write("MatMulNBits", given, [product], attributes, MICROSOFT)
        if biased:
            self.writer.add("Add", product, node.input[2], output=node.output[0])

    def _blocks(self, name: str) -> tuple[str, str, tuple[int, int]]:
        if name not in self.stored:
            matrix = numpy_helper.to_array(self.constants[name])
            if len(matrix) < BLOCK:  # the operator takes no shorter blocks
                matrix = np.pad(matrix, ((0, BLOCK - len(matrix)), (0, 0)))
            blocks = in_blocks(matrix)
            packed = self.writer.constant(_packed(blocks.numbers), name)
            steps = self.writer.constant(np.ascontiguousarray(blocks.steps[:, 0].T).ravel())
            shape = tuple(self.constants[name].dims)
            self.stored[name] = packed, steps, (shape[0], shape[1])
        return self.stored[name]


def _packed(numbers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(outputs, blocks, bytes of a block): each byte has an input and, in its high bits, the next.

    One block of four inputs and one output:

    >>> _packed(np.uint8([[[1], [2], [3], [4]]])).tolist()
    [[[33, 67]]]
    """
    turned = numbers.transpose(2, 0, 1)
    return np.ascontiguousarray(turned[:, :, ::2] + 16 * turned[:, :, 1::2])
