"""Layers as int8 products whose inputs are scaled row by row when the model runs.

    peak = ReduceMax(|x|) of each row    scale = peak / 127
    y = MatMulInteger(round(x / scale) + 128, W8) * scale * scale of the column

onnxruntime's own dynamic quantisation takes one scale for all rows of a call, so that a row
with an outlier takes the precision away from all others. A scale per row costs a little speed
(512 x 512 weights: 0.47 to 0.67 of the time of float32 instead of 0.43 to 0.48), and a
prediction depends on its own row alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from onnxpress.graph.gemm import gemm_attribute, with_upright_weights
from onnxpress.graph.writer import GraphWriter, names_of, opset_of
from onnxpress.quantize.dense.layers import weights_to_treat
from onnxpress.tables.rows import Rows

MIN_WEIGHTS = 256 * 256
"""A smaller layer is slower than in float32 at one row.

Scaling its input costs more than int8 saves.
"""
ZERO = 128
INPUT_STEPS = 127
WEIGHT_STEPS = 63
"""7 bits.

8 bits saturate in the 16-bit sums of CPUs without VNNI, so that results differ between CPUs.
"""


def dynamic(model: onnx.ModelProto, rows: Rows) -> onnx.ModelProto:
    """Weights in int8, activations quantised at run time; ``rows`` are not needed.

    Small layers before the last large one are treated too. In float32 their sums differ in
    the last bit between batch sizes, and rounding to 8 bits would make a whole step of that.

    Raises:
        NotApplicable: the graph has no layer large enough to gain.
    """
    del rows
    upright = with_upright_weights(model)
    return _Int8Layers(upright, weights_to_treat(upright, MIN_WEIGHTS)).run()


class _Int8Layers:
    """A copy of ``model`` in which the layers of ``treated`` weights are int8 products."""

    def __init__(self, model: onnx.ModelProto, treated: set[str]) -> None:
        self.model = model
        self.result = onnx.ModelProto()
        self.result.CopyFrom(model)
        graph = self.result.graph
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        self.writer = GraphWriter(graph, opset_of(model), names_of(model))
        self.weights = {
            tensor.name: numpy_helper.to_array(tensor)
            for tensor in model.graph.initializer
            if tensor.name in treated
        }
        self.written: dict[tuple[str, float], tuple[str, str]] = {}

    def run(self) -> onnx.ModelProto:
        """The model with its treated layers in int8."""
        graph = self.result.graph
        nodes = self.model.graph.node
        needed = {item.name for item in graph.output}
        for node in nodes:
            if not self._is_treated(node):
                needed.update(node.input)
        replaced = {node.input[1] for node in nodes if self._is_treated(node)} - needed
        graph.initializer.extend(
            item for item in self.model.graph.initializer if item.name not in replaced
        )
        for node in nodes:
            if self._is_treated(node):
                self._layer(node)
            else:
                self.writer.copy(node)
        return self.result

    def _is_treated(self, node: onnx.NodeProto) -> bool:
        upright = node.op_type == "Gemm" and not gemm_attribute(node, "transA", 0)
        product = node.op_type == "MatMul" or upright
        return product and node.input[1] in self.weights

    def _layer(self, node: onnx.NodeProto) -> None:
        """The operators of one layer, with the output of ``node``."""
        writer, gemm = self.writer, node.op_type == "Gemm"
        alpha = gemm_attribute(node, "alpha", 1) if gemm else 1
        weights, steps = self._stored(node.input[1], alpha)
        biased = gemm and len(node.input) > 2 and bool(node.input[2])
        rows, scale = self._quantised(node.input[0])
        zeros = writer.constant(np.array(ZERO, np.uint8)), writer.constant(np.array(0, np.int8))
        sums = writer.add("MatMulInteger", rows, weights, *zeros)
        scaled = writer.add("Mul", writer.add("Cast", sums, to=TensorProto.FLOAT), scale)
        last = "" if biased else node.output[0]
        product = writer.add("Mul", scaled, steps, output=last)
        if biased:
            beta, bias = gemm_attribute(node, "beta", 1), node.input[2]
            if beta != 1:
                bias = writer.add("Mul", bias, writer.constant(np.array(beta, np.float32)))
            writer.add("Add", product, bias, output=node.output[0])

    def _stored(self, name: str, alpha: float) -> tuple[str, str]:
        """``alpha`` times the weights in int8, and their steps.

        Layers that share weights share these.
        """
        if (name, alpha) not in self.written:
            weights, steps = _int8(self.weights[name] * np.float32(alpha))
            constants = self.writer.constant(weights, "weights"), self.writer.constant(steps)
            self.written[name, alpha] = constants
        return self.written[name, alpha]

    def _quantised(self, values: str) -> tuple[str, str]:
        """``values`` in uint8 around 128, and the scale of each row."""
        writer = self.writer
        peak = writer.reduce("ReduceMax", writer.add("Abs", values), -1)
        steps = writer.constant(np.array(INPUT_STEPS, np.float32))
        least = writer.constant(np.array(np.finfo(np.float32).tiny, np.float32))
        scale = writer.add("Max", writer.add("Div", peak, steps), least)
        one = writer.constant(np.array(1, np.float32)), writer.constant(np.array(ZERO, np.uint8))
        return writer.add("QuantizeLinear", writer.add("Div", values, scale), *one), scale


def _int8(weights: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[Any]]:
    """Whole numbers from -63 to 63 (inputs, outputs) and the step of each output.

    Three inputs and two outputs, the second of which has no weights. The steps are 1/63 and 1:

    >>> _int8(np.float32([[1, 0], [-1 / 3, 0], [0, 0]]))[0].tolist()
    [[63, 0], [-21, 0], [0, 0]]
    """
    steps = np.abs(weights).max(axis=0) / np.float32(WEIGHT_STEPS)
    steps = np.where(steps > 0, steps, 1).astype(np.float32)
    return np.round(weights / steps).astype(np.int8), steps
