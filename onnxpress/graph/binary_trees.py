"""Write trees of two classes in a form that every onnxruntime reads rightly.

A TreeEnsembleClassifier may hold the scores s of one class of two; the other class has 1 - s.
onnxruntime 1.26.0 and 1.27.0 give -s instead, and the label of s > 0 (measured against 1.19 to
1.31; margins, whose scores have both signs, are right in all of them). With two base values only
the label is wrong. The same trees as a
TreeEnsembleRegressor, with [1 - s, s] and the label by operators behind it, are right in all,
are as large, take 0.7 us more for one row and 12 % less time for a batch.

With the post-transform LOGISTIC the scores are margins: probabilities [1 - p, p] for p the logistic
function of s, and the label of s > 0. If no weight of a leaf is negative (few rows, and no tree
splits them), every onnxruntime takes s for a probability and gives the label of s > 0.5 (measured
in 1.31). A boosting model that is converted here is written as a regressor then too.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from onnxpress.graph.trees.attributes import TreeAttributes
from onnxpress.graph.writer import GraphWriter, names_of, opset_of
from onnxpress.onnx_file.tree_attributes import CLASS_LABELS

BAD_RELEASES = ("1.26.0", "1.27.0")
_BASES = 2
LOGISTIC = "LOGISTIC"


def is_misread(node: onnx.NodeProto) -> bool:
    """Whether ``node`` is a TreeEnsembleClassifier that ``BAD_RELEASES`` misread."""
    if node.op_type != "TreeEnsembleClassifier":
        return False
    found = TreeAttributes(node, np.dtype(np.float32))
    if len(found.labels) != 2:
        return False
    ids = found.ints("class_ids")
    one_class = len(ids) > 0 and bool((ids == ids[0]).all())
    return one_class and bool((found.floats("class_weights") >= 0).all())


def as_regressors(model: onnx.ModelProto, *, margins: bool = False) -> None:
    """Write the nodes of the main graph that are misread as regressors, in place.

    Scores in float64 and those with a post-transform stay as they are. With ``margins`` those with
    LOGISTIC are written too: not so in a model that came as ONNX, whose meaning is what onnxruntime
    makes of it.
    """
    transforms = {"NONE", LOGISTIC} if margins else {"NONE"}
    graph, taken, opset = model.graph, names_of(model), opset_of(model, default=1)
    read = {item.name for item in graph.output}
    for node in graph.node:
        read.update(node.input)
    for position in reversed(range(len(graph.node))):
        node = graph.node[position]
        if is_misread(node) and _is_plain(node, transforms):
            behind = onnx.GraphProto()
            _rewrite(node, GraphWriter(behind, opset, taken), read)
            for following in reversed(behind.node):
                graph.node.insert(position + 1, following)
            graph.initializer.extend(behind.initializer)


def _is_plain(node: onnx.NodeProto, transforms: set[str]) -> bool:
    """Whether it has the first class's scores in float32, one base value at most, and no more.

    A post-transform is one of ``transforms``.
    """
    if _base_values(node) >= _BASES:
        return False
    found = TreeAttributes(node, np.dtype(np.float32))
    if any(name.endswith("_as_tensor") for name in found.by_name):
        return False
    transform = found.text("post_transform", "NONE")
    return transform in transforms and found.ints("class_ids")[0] == 0


def _base_values(node: onnx.NodeProto) -> int:
    """Count the base values that are a list."""
    return sum(len(item.floats) for item in node.attribute if item.name == "base_values")


def _rewrite(node: onnx.NodeProto, writer: GraphWriter, read: set[str]) -> None:
    """Make ``node`` a regressor of s, and write what follows from s.

    Long attributes are renamed, not copied: what was the class's is the target's.
    """
    label, scores = [*node.output, ""][:2]
    found = TreeAttributes(node, np.dtype(np.float32))
    labels, margin = found.labels, found.text("post_transform", "NONE") == LOGISTIC
    for item in [*node.attribute]:
        if item.name in {*CLASS_LABELS, "post_transform"}:
            node.attribute.remove(item)
        else:
            item.name = item.name.replace("class_", "target_")
    node.attribute.append(helper.make_attribute("n_targets", 1))
    node.op_type = "TreeEnsembleRegressor"
    node.output[:] = [writer.name("s")]
    signs = writer.constant(np.array([[-1, 1]], np.float32))
    output = scores if scores in read else ""
    if margin:
        pair = writer.add("Mul", node.output[0], signs)
        writer.add("Sigmoid", pair, output=output)
    else:
        offset = writer.constant(np.array([1, 0], np.float32))
        pair = writer.add("Gemm", node.output[0], signs, offset, output=output)
    if label in read:
        classes = np.array(labels, object) if isinstance(labels, tuple) else labels
        writer.labels(pair, classes, label)
