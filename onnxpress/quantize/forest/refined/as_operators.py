"""An oblivious forest as operators of ai.onnx (opset 9 or later) behind the front of a model.

    features -> sum of the leaves (``sum_of_leaves``)
    -> Softmax and ArgMax, or Add offset and Max with the least answer

A classifier's offset is part of its leaf table.
"""

from __future__ import annotations

import onnx

from onnxpress.graph.writer import GraphWriter, names_of, opset_of
from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.forest.refined.answers import Answers
from onnxpress.quantize.forest.refined.oblivious import ObliviousForest, two_class_scores
from onnxpress.quantize.forest.refined.subgraphs import Subgraphs, subgraph
from onnxpress.quantize.forest.refined.sum_of_leaves import sum_of_leaves

_MIN_OPSET = 9  # Flatten and Transpose of any type


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
        _numbers(writer, parts, forest, answers, outputs[0])
    else:
        _classes(writer, parts, forest, answers, outputs)
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


def _numbers(
    writer: GraphWriter,
    parts: Subgraphs,
    forest: ObliviousForest,
    answers: Answers,
    output: str,
) -> None:
    """Prediction, which no sum of trees takes below the floor."""
    floor = answers.needed_floor(forest)
    if floor is None:
        sum_of_leaves(writer, parts, forest, forest.scale, offset=forest.offset, output=output)
    else:
        scores = sum_of_leaves(writer, parts, forest, forest.scale, offset=forest.offset)
        writer.add("Max", scores, writer.constant(floor), output=output)


def _classes(
    writer: GraphWriter,
    parts: Subgraphs,
    forest: ObliviousForest,
    answers: Answers,
    outputs: list[str],
) -> None:
    """Label and probabilities."""
    scale = forest.scale
    if len(scale) == 1:
        scale = two_class_scores(scale)
    scores = sum_of_leaves(writer, parts, forest, scale)
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
