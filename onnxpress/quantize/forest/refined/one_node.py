"""Write an oblivious forest as one TreeEnsembleClassifier or TreeEnsembleRegressor behind the front of a model.

About three times as large as the operators of ``graft``, and twice as fast for a row at a time: what such a call costs is
mostly the number of operators. Large batches of many classes are faster there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnxpress.graph.trees.forest import Forest, Mode
from onnxpress.graph.trees.graphs import ML_DOMAIN
from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.forest.lossless.leaves import share_leaves
from onnxpress.quantize.forest.lossless.passes import merge_equal_children
from onnxpress.quantize.forest.lossless.portable import portable
from onnxpress.quantize.forest.refined.cut import Cut, part
from onnxpress.quantize.forest.refined.oblivious import ObliviousForest

_MAX_ML_OPSET = 4  # 5 withdrew both operators


def in_one_node(
    model: onnx.ModelProto, cut: Cut, forest: ObliviousForest, labels: NDArray[Any] | None
) -> onnx.ModelProto:
    """``model`` with ``forest`` in place of all that follows ``cut.features``; inputs and outputs stay as they are.

    ``labels`` are the class labels, None for regression. Raises NotApplicable when the model imports an ai.onnx.ml that
    has no such operator.
    """
    ml_opset = max(
        (entry.version for entry in model.opset_import if entry.domain == ML_DOMAIN), default=1
    )
    if ml_opset > _MAX_ML_OPSET:
        raise NotApplicable(
            f"the model imports ai.onnx.ml {ml_opset}, which has no operator for label and probabilities"
        )
    outputs = [value.name for value in model.graph.output]
    result = part(model, cut.front, outputs)
    result.graph.name = model.graph.name
    result.metadata_props.extend(model.metadata_props)
    node = helper.make_node("TreeEnsemble", [cut.features], outputs, domain=ML_DOMAIN)
    portable(merge_equal_children(share_leaves(as_trees(forest, labels))), node, result.graph)
    return result


def as_trees(forest: ObliviousForest, labels: NDArray[Any] | None) -> Forest:
    """The same answers from ordinary trees: level ``l`` of a tree asks its question ``l`` in each of its 2^l splits."""
    trees, depth = forest.questions.feature.shape
    splits = 2**depth - 1
    level = np.repeat(np.arange(depth), 2 ** np.arange(depth))
    # In the order of a heap: the children of split i are 2i + 1, where the answer is yes, and 2i + 2.
    heap = np.arange(splits)
    child = np.stack([2 * heap + 1, 2 * heap + 2])
    tree = np.arange(trees)[:, None]
    inner = child[:, None, :] + tree * splits
    leaf = ~(child[:, None, :] - splits + tree * 2**depth)
    true_child, false_child = (
        np.where(child[:, None, :] < splits, inner, leaf).reshape(2, -1).astype(np.int32)
    )
    values = forest.table[tree, _numbers(depth)].reshape(trees * 2**depth, -1) * forest.scale
    if (
        labels is not None and values.shape[1] == 1
    ):  # softmax of (-z/2, z/2) is the logistic function of z
        values = np.concatenate([-values, values], axis=1) * np.float32(0.5)
    return Forest(
        feature=forest.questions.feature[:, level].ravel().astype(np.int32),
        threshold=forest.questions.threshold[:, level].ravel(),
        mode=np.full(trees * splits, Mode.LT, np.uint8),
        missing_true=np.zeros(trees * splits, np.bool_),
        true_child=true_child,
        false_child=false_child,
        roots=(tree[:, 0] * splits).astype(np.int32),
        leaf_offset=np.zeros(len(values) + 1, np.int32),  # filled below, with the next two
        leaf_target=np.zeros(0, np.int32),
        leaf_weight=np.zeros(0, np.float32),
        n_targets=values.shape[1],
        post_transform="NONE" if labels is None else "SOFTMAX",
        base_values=forest.offset if labels is None else forest.offset[:0],
        labels=_label_list(labels),
    ).with_leaf_values(values)


def _numbers(depth: int) -> NDArray[np.intp]:
    """Numbers of the leaves of an oblivious tree, (2 ** depth,), in the order of the heap: the first answered yes always."""
    position = np.arange(2**depth)
    number = np.zeros(2**depth, np.intp)
    for level in range(depth):
        number |= (~(position >> (depth - 1 - level)) & 1) << level
    return number


def _label_list(labels: NDArray[Any] | None) -> NDArray[np.int64] | tuple[str, ...] | None:
    if labels is None or labels.dtype.kind == "i":
        return labels
    return tuple(map(str, labels))
