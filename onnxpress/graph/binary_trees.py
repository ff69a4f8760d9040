"""Trees of two classes in a form that every onnxruntime answers rightly.

A TreeEnsembleClassifier may hold the scores s of one class of two; the other class has 1 - s.
onnxruntime 1.26.0 and 1.27.0 answer -s instead, and the label of s > 0 (measured against 1.19 to
1.31; margins, whose scores have both signs, are right in all of them). The same trees as a
TreeEnsembleRegressor, with [1 - s, s] and the label by operators behind it, are right in all,
are as large, take 0.7 us more for one row and 12 % less time for a batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnxpress.graph.writer import GraphWriter, names_of, opset_of

BAD_RELEASES = ("1.26.0", "1.27.0")
_BASES = 2
_LABELS = ("classlabels_int64s", "classlabels_strings")


def is_answered_badly(node: onnx.NodeProto) -> bool:
    """Whether ``node`` is a TreeEnsembleClassifier that ``BAD_RELEASES`` answer wrongly."""
    if node.op_type != "TreeEnsembleClassifier":
        return False
    found = {item.name: item for item in node.attribute}
    labels = sum(
        len(found[name].ints) + len(found[name].strings) for name in _LABELS if name in found
    )
    if labels != 2 or "class_ids" not in found or _base_values(found) >= _BASES:
        return False
    ids = found["class_ids"].ints
    return len(set(ids)) == 1 and bool((_weights(found) >= 0).all())


def as_regressors(model: onnx.ModelProto) -> None:
    """Write the nodes of the main graph that are answered badly as regressors, in place.

    Scores in float64 and those with a post-transform stay as they are.
    """
    graph, taken, opset = model.graph, names_of(model), opset_of(model, default=1)
    read = {name for node in graph.node for name in node.input} | {
        item.name for item in graph.output
    }
    for position in reversed(range(len(graph.node))):
        node = graph.node[position]
        if is_answered_badly(node) and _is_plain(node):
            behind = onnx.GraphProto()
            _rewrite(node, GraphWriter(behind, opset, taken), read)
            for following in reversed(behind.node):
                graph.node.insert(position + 1, following)
            graph.initializer.extend(behind.initializer)


def _is_plain(node: onnx.NodeProto) -> bool:
    """Whether it has the first class's scores in float32, and no post-transform."""
    found = {item.name: item for item in node.attribute}
    tensors = any(name.endswith("_as_tensor") for name in found)
    transform = found["post_transform"].s if "post_transform" in found else b"NONE"
    return transform == b"NONE" and not tensors and found["class_ids"].ints[0] == 0


def _base_values(found: dict[str, onnx.AttributeProto]) -> int:
    return len(found["base_values"].floats) if "base_values" in found else 0


def _weights(found: dict[str, onnx.AttributeProto]) -> NDArray[Any]:
    if "class_weights" in found:
        values = found["class_weights"].floats
        return np.fromiter(values, np.float32, len(values))
    return onnx.numpy_helper.to_array(found["class_weights_as_tensor"].t)


def _rewrite(node: onnx.NodeProto, writer: GraphWriter, read: set[str]) -> None:
    """Make ``node`` a regressor of s, and write what follows from s. Long attributes are renamed, not copied."""
    label, scores = [*node.output, ""][:2]
    found = {item.name: item for item in node.attribute}
    classes = _classes(found)
    for name in (*_LABELS, "post_transform"):
        if name in found:
            node.attribute.remove(found[name])
    for item in node.attribute:
        item.name = item.name.replace("class_", "target_")
    node.attribute.append(helper.make_attribute("n_targets", 1))
    node.op_type = "TreeEnsembleRegressor"
    node.output[:] = [writer.name("s")]
    signs = writer.constant(np.array([[-1, 1]], np.float32))
    offset = writer.constant(np.array([1, 0], np.float32))
    pair = writer.add(
        "Gemm", node.output[0], signs, offset, output=scores if scores in read else ""
    )
    if label in read:
        writer.labels(pair, classes, label)


def _classes(found: dict[str, onnx.AttributeProto]) -> NDArray[Any]:
    texts = found["classlabels_strings"].strings if "classlabels_strings" in found else ()
    if texts:
        return np.array([text.decode() for text in texts], object)
    return np.array(found["classlabels_int64s"].ints, np.int64)
