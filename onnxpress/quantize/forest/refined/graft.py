"""Write an oblivious forest as standard ONNX operators (opset 9 or later, no ai.onnx.ml) behind the front of a model.

Rows are the last axis while trees are compared and summed: every operator then works on long contiguous stretches.

    features (rows, f) -> Transpose -> Gather (depth, trees, rows) -> Less thresholds -> Where 2^level or 0
    -> ReduceSum over levels -> Add first leaf of the tree -> Gather leaf table (trees, rows, columns)
    -> ReduceSum over trees -> Softmax and ArgMax, or Add offset

The leaf table is int8, cast and scaled by nodes with constant inputs, which a runtime computes once, when it loads the
model (onnxruntime does not do so for DequantizeLinear). A classifier's offset is part of its table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.forest.refined.cut import Cut, part
from onnxpress.quantize.forest.refined.oblivious import ObliviousForest

_MIN_OPSET = 9  # Where


class _Tail:
    """The nodes and constants behind the features, under names that the front does not use."""

    def __init__(self, taken: set[str], opset: int) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.opset = opset
        self._taken = taken

    def name(self) -> str:
        number = len(self._taken)
        while (name := f"r{number:x}") in self._taken:
            number += 1
        self._taken.add(name)
        return name

    def constant(self, values: NDArray[Any]) -> str:
        name = self.name()
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def small(self, values: NDArray[Any], to: int) -> str:
        """Whole numbers stored in as few bytes as they need, cast to ``to`` once, when a runtime loads the model."""
        narrow = np.min_scalar_type(values.max()) if values.min() >= 0 else np.dtype(np.int8)
        return self.add("Cast", self.constant(values.astype(narrow)), to=to)

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        output = output or self.name()
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def total(self, tensor: str, output: str | None = None) -> str:
        """The sum over the first axis."""
        if self.opset < 13:  # axes became an input in opset 13
            return self.add("ReduceSum", tensor, output=output, axes=[0], keepdims=0)
        return self.add(
            "ReduceSum", tensor, self.constant(np.array([0])), output=output, keepdims=0
        )


def graft(
    model: onnx.ModelProto, cut: Cut, forest: ObliviousForest, labels: NDArray[Any] | None
) -> onnx.ModelProto:
    """``model`` with ``forest`` in place of all that follows ``cut.features``; inputs and outputs stay as they are.

    ``labels`` are the class labels, None for regression. Raises NotApplicable below opset 9, and when the
    model declares another number of columns than it returns.
    """
    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset < _MIN_OPSET:
        raise NotApplicable(f"needs opset {_MIN_OPSET} or later, the model has {opset}")
    outputs = [value.name for value in model.graph.output]
    declared, columns = (
        declared_columns(model),
        len(forest.scale) if labels is None else len(labels),
    )
    if declared not in (0, columns):
        raise NotApplicable(f"the model declares {declared} output columns and returns {columns}")
    front = part(model, cut.front, outputs)
    tail = _Tail(_names(front), opset)
    if labels is None:
        sums = tail.total(_leaf_values(tail, cut.features, forest, forest.scale))
        tail.add("Add", sums, tail.constant(forest.offset), output=outputs[0])
    else:
        _classes(tail, cut.features, forest, labels, outputs)
    return _assembled(model, front, tail)


def _leaf_values(
    tail: _Tail, features: str, forest: ObliviousForest, scale: NDArray[np.float32]
) -> str:
    """The leaf value of each tree for each row, float32 (trees, rows, columns of ``scale``)."""
    asked = forest.questions
    trees, depth = asked.feature.shape
    columns = tail.add("Transpose", features, perm=[1, 0])
    values = tail.add("Gather", columns, tail.small(asked.feature.T, TensorProto.INT32), axis=0)
    answers = tail.add("Less", values, tail.constant(asked.threshold.T[:, :, None]))
    bit = tail.constant((1 << np.arange(depth, dtype=np.int32))[:, None, None])
    leaf = tail.total(tail.add("Where", answers, bit, tail.constant(np.zeros(1, np.int32))))
    first = tail.constant((np.arange(trees, dtype=np.int32) << depth)[:, None])
    table = tail.small(forest.table.reshape(trees << depth, -1), TensorProto.FLOAT)
    table = tail.add("Mul", table, tail.constant(scale))  # constant too: computed once, at load
    return tail.add("Gather", table, tail.add("Add", leaf, first), axis=0)


def _classes(
    tail: _Tail, features: str, forest: ObliviousForest, labels: NDArray[Any], outputs: list[str]
) -> None:
    """Label and probabilities."""
    scale = forest.scale
    if len(scale) == 1:  # softmax of (-z/2, z/2) is the logistic function of z
        scale = np.concatenate([-scale, scale]) * np.float32(0.5)
    scores = tail.total(_leaf_values(tail, features, forest, scale))
    tail.add("Softmax", scores, output=outputs[1], axis=1)
    if labels.dtype.kind == "i" and np.array_equal(labels, np.arange(len(labels))):
        tail.add("ArgMax", scores, output=outputs[0], axis=1, keepdims=0)
        return
    best = tail.add("ArgMax", scores, axis=1, keepdims=0)
    tail.add("Gather", tail.constant(labels), best, output=outputs[0], axis=0)


def declared_columns(model: onnx.ModelProto) -> int:
    """Columns of the last output as the model states them, 0 where it does not."""
    dimensions = model.graph.output[-1].type.tensor_type.shape.dim
    return int(dimensions[1].dim_value) if len(dimensions) > 1 else 0


def _names(model: onnx.ModelProto) -> set[str]:
    graph = model.graph
    names = {
        value.name for group in (graph.input, graph.output, graph.initializer) for value in group
    }
    return names.union(*(node.output for node in graph.node))


def _assembled(model: onnx.ModelProto, front: onnx.ModelProto, tail: _Tail) -> onnx.ModelProto:
    """Front and tail under the inputs, outputs and metadata of ``model``, importing only the domains in use."""
    result = onnx.ModelProto()
    result.CopyFrom(front)
    result.graph.name = model.graph.name
    result.graph.node.extend(tail.nodes)
    result.graph.initializer.extend(tail.constants)
    result.metadata_props.extend(model.metadata_props)
    used = {node.domain for node in result.graph.node} | {""}
    del result.opset_import[:]
    result.opset_import.extend(
        entry for entry in model.opset_import if entry.domain in used or entry.domain == "ai.onnx"
    )
    return result
