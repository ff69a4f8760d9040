"""An oblivious forest as operators of ai.onnx (opset 9 or later) behind the front of a model.

Rows are the last axis while trees are compared and summed: every operator then works on long
contiguous stretches.

    features (rows, f) -> Transpose -> Gather (depth, trees, rows) -> Less thresholds
    -> Where 2^level or 0 -> ReduceSum over levels -> Add first leaf of the tree
    -> Gather leaf table (trees, rows, columns) -> ReduceSum over trees
    -> Softmax and ArgMax, or Add offset and Max with the least answer

The leaf table is int8, cast and scaled by operators with constant inputs, which a runtime computes
once, when it loads the model (onnxruntime does not do so for DequantizeLinear). A classifier's
offset is part of its table.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from onnxpress.graph.writer import GraphWriter, names_of, opset_of
from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.forest.refined.answers import Answers
from onnxpress.quantize.forest.refined.oblivious import ObliviousForest, two_class_scores
from onnxpress.quantize.forest.refined.subgraphs import Subgraphs, subgraph

_MIN_OPSET = 9  # Where


def as_operators(
    model: onnx.ModelProto,
    parts: Subgraphs,
    forest: ObliviousForest,
    answers: Answers,
) -> onnx.ModelProto:
    """``model`` with ``forest`` in place of its back; inputs and outputs stay as they are.

    Raises:
        NotApplicable: the opset is below 9, or the model declares another number of columns than it
            returns.
    """
    opset = opset_of(model)
    if opset < _MIN_OPSET:
        raise NotApplicable(f"needs opset {_MIN_OPSET} or later, the model has {opset}")
    labels = answers.labels
    _check_columns(model, len(forest.scale) if labels is None else len(labels))
    outputs = [value.name for value in model.graph.output]
    result = subgraph(model, parts.front, outputs)
    writer = _ShortNames(result.graph, opset, names_of(result) - {""})
    if labels is None:
        sums = _sum_of_trees(_leaf_values(writer, parts.features, forest, forest.scale), writer)
        _numbers(writer, sums, forest, answers, outputs[0])
    else:
        _classes(writer, parts.features, forest, answers, outputs)
    result.graph.name = model.graph.name
    result.metadata_props.extend(model.metadata_props)
    _import_used(result, model)
    return result


class _ShortNames(GraphWriter):
    """Names of two or three characters: a name is in the file as often as it is read."""

    def __init__(self, graph: onnx.GraphProto, opset: int, taken: set[str]) -> None:
        super().__init__(graph, opset, taken)
        self.taken = taken

    def name(self, base: str) -> str:
        """See Writer; ``base`` is dropped."""
        del base
        number = len(self.taken)
        while (name := f"r{number:x}") in self.taken:
            number += 1
        self.taken.add(name)
        return name


def _check_columns(model: onnx.ModelProto, columns: int) -> None:
    declared = declared_columns(model)
    if declared not in (0, columns):
        raise NotApplicable(f"the model declares {declared} output columns and returns {columns}")


def _leaf_values(
    writer: GraphWriter, features: str, forest: ObliviousForest, scale: NDArray[np.float32]
) -> str:
    """The leaf value of each tree for each row, float32 (trees, rows, columns of ``scale``)."""
    questions = forest.questions
    trees, depth = questions.feature.shape
    columns = writer.add("Transpose", features, perm=[1, 0])
    numbers = writer.whole(questions.feature.T, TensorProto.INT32)
    values = writer.add("Gather", columns, numbers, axis=0)
    answers = writer.add("Less", values, writer.constant(questions.threshold.T[:, :, None]))
    bit = writer.constant((1 << np.arange(depth, dtype=np.int32))[:, None, None])
    bits = writer.add("Where", answers, bit, writer.constant(np.zeros(1, np.int32)))
    leaf = writer.reduce("ReduceSum", bits, 0, keepdims=False)
    first = writer.constant((np.arange(trees, dtype=np.int32) << depth)[:, None])
    table = writer.whole(forest.table.reshape(trees << depth, -1), TensorProto.FLOAT)
    table = writer.add("Mul", table, writer.constant(scale))
    return writer.add("Gather", table, writer.add("Add", leaf, first), axis=0)


def _sum_of_trees(values: str, writer: GraphWriter) -> str:
    return writer.reduce("ReduceSum", values, 0, keepdims=False)


def _numbers(
    writer: GraphWriter, sums: str, forest: ObliviousForest, answers: Answers, output: str
) -> None:
    """Prediction, which no sum of trees takes below the floor."""
    floor, offset = answers.needed_floor(forest), writer.constant(forest.offset)
    if floor is None:
        writer.add("Add", sums, offset, output=output)
    else:
        writer.add("Max", writer.add("Add", sums, offset), writer.constant(floor), output=output)


def _classes(
    writer: GraphWriter,
    features: str,
    forest: ObliviousForest,
    answers: Answers,
    outputs: list[str],
) -> None:
    """Label and probabilities."""
    scale = forest.scale
    if len(scale) == 1:
        scale = two_class_scores(scale)
    scores = _sum_of_trees(_leaf_values(writer, features, forest, scale), writer)
    writer.add("Softmax", scores, output=outputs[1], axis=1)
    answers.write_labels(writer, scores, outputs[1], outputs[0])


def declared_columns(model: onnx.ModelProto) -> int:
    """Columns of the last output as the model declares them, 0 where it does not."""
    dimensions = model.graph.output[-1].type.tensor_type.shape.dim
    return int(dimensions[1].dim_value) if len(dimensions) > 1 else 0


def _import_used(result: onnx.ModelProto, model: onnx.ModelProto) -> None:
    """Import only the domains in use, in place."""
    used = {node.domain for node in result.graph.node} | {"", "ai.onnx"}
    del result.opset_import[:]
    result.opset_import.extend(entry for entry in model.opset_import if entry.domain in used)
