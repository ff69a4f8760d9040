"""An oblivious forest as one TreeEnsembleClassifier or TreeEnsembleRegressor behind the front.

About three times as large as the operators of ``as_operators``, and up to twice as fast for a row
at a time: what such a call costs is mostly the number of operators. From 32 rows on the operators
are as fast, and several times faster for 1,024.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.graph.trees.forest import Forest, Mode
from onnxpress.graph.trees.graphs import ml_opset_of
from onnxpress.graph.writer import GraphWriter, names_of, opset_of
from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.forest.lossless.leaves import share_leaves
from onnxpress.quantize.forest.lossless.passes import merge_equal_children
from onnxpress.quantize.forest.lossless.portable import portable
from onnxpress.quantize.forest.refined.answers import Answers
from onnxpress.quantize.forest.refined.oblivious import ObliviousForest, two_class_scores
from onnxpress.quantize.forest.refined.subgraphs import Subgraphs, subgraph

_MAX_ML_OPSET = 4  # 5 withdrew both operators


def as_tree_ensemble(
    model: onnx.ModelProto,
    parts: Subgraphs,
    forest: ObliviousForest,
    answers: Answers,
) -> onnx.ModelProto:
    """``model`` with ``forest`` in place of its back; inputs and outputs stay as they are.

    Raises:
        NotApplicable: the model imports an ai.onnx.ml that has no such operator.
    """
    ml_opset = ml_opset_of(model)
    if ml_opset > _MAX_ML_OPSET:
        missing = "which has no operator for label and probabilities"
        raise NotApplicable(f"the model imports ai.onnx.ml {ml_opset}, {missing}")
    outputs = [value.name for value in model.graph.output]
    result = subgraph(model, parts.front, outputs)
    result.graph.name = model.graph.name
    result.metadata_props.extend(model.metadata_props)
    trees = merge_equal_children(share_leaves(as_trees(forest, answers.labels)))
    writer = GraphWriter(result.graph, opset_of(model), names_of(result) - {""})
    floor, last = answers.needed_floor(forest), outputs[0]
    if floor is not None or answers.threshold is not None:  # the first output is not the node's
        last = writer.name("last")
    node = onnx.NodeProto(input=[parts.features], output=[last, *outputs[1:]])
    portable(trees, node, result.graph)
    if floor is not None:
        writer.add("Max", last, writer.constant(floor), output=outputs[0])
    if answers.threshold is not None:
        answers.write_labels(writer, outputs[1], outputs[1], outputs[0])
    return result


def as_trees(forest: ObliviousForest, labels: NDArray[Any] | None) -> Forest:
    """The same predictions from ordinary trees: each of the 2^l splits of level ``l`` is alike."""
    trees, depth = forest.questions.feature.shape
    splits = trees * (2**depth - 1)
    level = np.repeat(np.arange(depth), 2 ** np.arange(depth))
    true_child, false_child = _heap_children(trees, depth)
    tree = np.arange(trees)
    table = forest.table[tree[:, None], leaf_of_heap(depth)].reshape(trees << depth, -1)
    values = np.asarray(table * forest.scale, np.float32)
    if labels is not None and values.shape[1] == 1:
        values = two_class_scores(values)
    return Forest(
        feature=forest.questions.feature[:, level].ravel().astype(np.int32),
        threshold=forest.questions.threshold[:, level].ravel(),
        mode=np.full(splits, Mode.LT, np.uint8),
        missing_true=np.zeros(splits, np.bool_),
        true_child=true_child,
        false_child=false_child,
        roots=(tree * (2**depth - 1)).astype(np.int32),
        leaf_offset=np.zeros(len(values) + 1, np.int32),  # filled below, with the next two
        leaf_target=np.zeros(0, np.int32),
        leaf_weight=np.zeros(0, np.float32),
        n_targets=values.shape[1],
        post_transform="NONE" if labels is None else "SOFTMAX",
        base_values=forest.offset if labels is None else forest.offset[:0],
        labels=_label_list(labels),
    ).with_leaf_values(values)


def _heap_children(trees: int, depth: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """True and false children of all splits, each tree in the order of a heap.

    The children of split i are 2i + 1, where the answer is yes, and 2i + 2. Those from 2^depth - 1
    on are leaves. Two trees of depth 2 have three splits and four leaves each:

    >>> yes, no = _heap_children(trees=2, depth=2)
    >>> yes.tolist(), no.tolist()
    ([1, -1, -3, 4, -5, -7], [2, -2, -4, 5, -6, -8])

    Split 0 leads to the splits 1 and 2, split 1 to the leaves 0 and 1 (written ~0 = -1, ~1 = -2).
    """
    splits = 2**depth - 1
    heap = np.arange(splits)
    child = np.stack([2 * heap + 1, 2 * heap + 2])[:, None, :]
    tree = np.arange(trees)[:, None]
    inner = child + tree * splits
    leaf = ~(child - splits + tree * 2**depth)
    both = np.where(child < splits, inner, leaf).reshape(2, -1).astype(np.int32)
    return both[0], both[1]


def leaf_of_heap(depth: int) -> NDArray[np.intp]:
    """Numbers of the leaves of an oblivious tree, (2 ** depth,), in the order of the heap.

    The first leaf is where every answer is yes, so it has all bits. The answer of level 0, which
    the heap splits on first, is the lowest bit of the number:

    >>> leaf_of_heap(2).tolist()
    [3, 1, 2, 0]
    """
    position = np.arange(2**depth)
    number = np.zeros(2**depth, np.intp)
    for level in range(depth):
        number |= (~(position >> (depth - 1 - level)) & 1) << level
    return number


def _label_list(labels: NDArray[Any] | None) -> NDArray[np.int64] | tuple[str, ...] | None:
    if labels is None or labels.dtype.kind == "i":
        return labels
    return tuple(map(str, labels))
