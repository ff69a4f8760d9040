"""Lowering: a Forest becomes TreeEnsemble (ai.onnx.ml 5) and the standard operators that finish its outputs.

A leaf of TreeEnsemble (5) adds one weight to one target. A forest whose leaves do that is written as it is. Leaves that
add to several targets are written as a leaf table: every tree puts the number of its leaf's row on a target of its own
(exact in float32 up to 2^24), the rows are gathered and added up tree by tree. Both sum in the order and precision of
the original operator, so that scores are equal to the last bit and ties between classes fall as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import onnx
from numpy.typing import DTypeLike, NDArray
from onnx import TensorProto, helper, numpy_helper

from stages.quantize.forest.forest import Floats, Forest
from stages.quantize.forest.passes import drop_zeros, lossless
from stages.quantize.forest.reader import Untreatable
from stages.quantize.forest.writer import tree_ensemble

EXACT_IN_FLOAT32 = 1 << 24
OPSET_REDUCE_AXES_INPUT = 13  # ReduceSum takes its axes as an input from here on
OPSET_REDUCE_OTHERS_AXES_INPUT = 18  # ReduceMin and ReduceMax do from here on


@dataclass
class Site:
    """Where a tree node stands in its graph, and what is put in its place.

    ``label`` and ``scores`` are output names, empty where nothing reads them; ``opset`` is the graph's ai.onnx version.
    """

    x: str
    label: str
    scores: str
    x_type: int
    opset: int
    names: Iterator[str]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)

    @property
    def dtype(self) -> DTypeLike:
        """What thresholds are compared in: float64 for a double input, float32 for every other."""
        return np.float64 if self.x_type == TensorProto.DOUBLE else np.float32

    def add(self, op_type: str, inputs: list[str], output: str = "", **attributes: object) -> str:
        """Appends an ai.onnx node and returns the name of its output."""
        output = output or next(self.names)
        self.nodes.append(helper.make_node(op_type, inputs, [output], **attributes))
        return output

    def constant(self, values: NDArray[np.generic]) -> str:
        """Adds an initializer and returns its name."""
        name = next(self.names)
        self.initializers.append(numpy_helper.from_array(values, name))
        return name


def lower(forest: Forest, site: Site) -> None:
    """Fills ``site`` with nodes that compute what ``forest`` and its original operator compute, bit for bit.

    Raises Untreatable where TreeEnsemble (5) and standard operators cannot promise that.
    """
    _refuse_unclear(forest)
    x = site.x
    if site.x_type not in (TensorProto.FLOAT, TensorProto.DOUBLE):
        x = site.add("Cast", [x], to=TensorProto.FLOAT)
    if forest.labels is None:
        _finish_regressor(forest, site, x)
    elif forest.binary:
        _finish_binary(forest, site, x)
    else:
        _finish_classes(forest, site, x)


def _refuse_unclear(forest: Forest) -> None:
    """Rules of onnxruntime's tree operators that differ from the specification, or that have no operator of their own."""
    if forest.post_transform in ("PROBIT", "SOFTMAX_ZERO"):
        raise Untreatable(f"post-transform {forest.post_transform} has no operator of its own")
    if forest.labels is None:
        if forest.n_targets == 1 and forest.post_transform != "NONE":
            raise Untreatable("onnxruntime leaves the post-transform of a single target out")
    elif forest.binary:
        if forest.post_transform not in ("NONE", "LOGISTIC" if forest.binary == "margin" else "NONE"):
            raise Untreatable(f"one target of two classes with {forest.post_transform}: runtimes differ")
    elif forest.n_targets < 3:  # noqa: PLR2004
        raise Untreatable("two classes that are scored apart, or a single class: runtimes differ")
    elif not (_every_target_scored(forest) or _some_score_positive(forest)):
        raise Untreatable("a class may stay without a score, which is not the same as the score 0")


def _every_target_scored(forest: Forest) -> bool:
    """Whether base values, or some tree in each of its leaves, score each target."""
    if len(forest.base_values) == forest.n_targets:
        return True
    pairs, count = np.unique(
        np.repeat(forest.tree_of_leaf, np.diff(forest.leaf_offset)).astype(np.int64) * forest.n_targets
        + forest.leaf_target,
        return_counts=True,
    )
    leaves = np.bincount(forest.tree_of_leaf[forest.tree_of_leaf >= 0], minlength=forest.n_trees)
    full = pairs[(pairs >= 0) & (count == leaves[np.maximum(pairs, 0) // forest.n_targets])]
    return len(np.unique(full % forest.n_targets)) == forest.n_targets


def _some_score_positive(forest: Forest) -> bool:
    """Whether the best score is above 0 on every input: no negative weight, and a positive one in each leaf."""
    positive = np.add.reduceat(forest.leaf_weight > 0, forest.leaf_offset[:-1])
    return not len(forest.base_values) and bool((forest.leaf_weight >= 0).all() and positive.all())


def _finish_regressor(forest: Forest, site: Site, x: str) -> None:
    """Raw scores, base values, post-transform."""
    post = {"SOFTMAX": "Softmax", "LOGISTIC": "Sigmoid"}.get(forest.post_transform)
    steps = [len(forest.base_values) > 0, post is not None, forest.leaf_weight.dtype == np.float64]
    names = [site.scores if not any(steps[i:]) else "" for i in range(1, 4)]
    scores = raw_scores(forest, site, x, site.scores if not any(steps) else "")
    if steps[0]:
        scores = site.add("Add", [scores, site.constant(forest.base_values)], names[0])
    if steps[2]:
        scores = site.add("Cast", [scores], "" if post else site.scores, to=TensorProto.FLOAT)
    if post:
        site.add(post, [scores], site.scores, **({"axis": 1} if post == "Softmax" else {}))


def _finish_binary(forest: Forest, site: Site, x: str) -> None:
    """One target s of two classes: [1 - s, s] or [-s, s], as one Gemm; the label is the greater of the two."""
    dtype = forest.leaf_weight.dtype
    base = forest.base_values[0] if len(forest.base_values) else dtype.type(0)
    raw = raw_scores(forest, site, x)
    if forest.binary == "probability" and base != 0:
        raw, base = site.add("Add", [raw, site.constant(np.array([base]))]), dtype.type(0)
    offset = np.array([1, 0], dtype) if forest.binary == "probability" else np.array([-base, base], dtype)
    inputs = [raw, site.constant(np.array([[-1, 1]], dtype)), site.constant(offset)]
    pair = site.add("Gemm", inputs, site.scores if forest.post_transform == "NONE" and dtype == np.float32 else "")
    _label(forest, site, pair)
    _finish_scores(forest, site, pair)


def _finish_classes(forest: Forest, site: Site, x: str) -> None:
    """One target per class: the label is the first greatest score before the post-transform."""
    base = forest.base_values[: forest.n_targets]
    plain = forest.post_transform == "NONE" and forest.leaf_weight.dtype == np.float32
    scores = raw_scores(forest, site, x, site.scores if plain and not base.any() else "")
    if base.any():
        padded = np.pad(base, (0, forest.n_targets - len(base)))
        scores = site.add("Add", [scores, site.constant(padded)], site.scores if plain else "")
    _label(forest, site, scores)
    _finish_scores(forest, site, scores)


def _finish_scores(forest: Forest, site: Site, scores: str) -> None:
    """Post-transform of (rows, classes) ``scores`` into the scores output, which is float32."""
    if not site.scores or scores == site.scores:
        return
    post = {"SOFTMAX": "Softmax", "LOGISTIC": "Sigmoid"}.get(forest.post_transform)
    if forest.leaf_weight.dtype == np.float64:
        scores = site.add("Cast", [scores], "" if post else site.scores, to=TensorProto.FLOAT)
    if post:
        site.add(post, [scores], site.scores, **({"axis": 1} if post == "Softmax" else {}))


def _label(forest: Forest, site: Site, scores: str) -> None:
    """The class label of the first greatest of ``scores`` (rows, classes)."""
    if not site.label:
        return
    labels = forest.labels
    if not isinstance(labels, tuple) and np.array_equal(labels, np.arange(len(labels))):
        site.add("ArgMax", [scores], site.label, axis=1, keepdims=0)
        return
    winner = site.add("ArgMax", [scores], axis=1, keepdims=0)
    values = np.array(labels, object) if isinstance(labels, tuple) else labels
    site.add("Gather", [site.constant(values), winner], site.label, axis=0)


def raw_scores(forest: Forest, site: Site, x: str, output: str = "") -> str:
    """The aggregated leaf weights, (rows, n_targets) in the forest's dtype; returns the name of the result."""
    output = output or next(site.names)
    if forest.aggregate in ("SUM", "AVERAGE"):
        forest = drop_zeros(forest)
    forest = lossless(forest)
    if (np.diff(forest.leaf_offset) == 1).all():
        site.nodes.append(tree_ensemble(forest, x, output))
    else:
        _leaf_table(forest, site, x, output)
    return output


def _leaf_table(forest: Forest, site: Site, x: str, output: str) -> None:
    """Row numbers from TreeEnsemble, transposed to (trees, rows), gathered to (trees, rows, n_targets), aggregated.

    Trees come first because onnxruntime then adds them one after another, as its tree operators do.
    """
    if forest.aggregate in ("MIN", "MAX") and (np.diff(forest.leaf_offset) != forest.n_targets).any():
        raise Untreatable(f"a leaf that leaves targets out under {forest.aggregate}")
    rows, row = np.unique(forest.leaf_values, axis=0, return_inverse=True)
    if len(rows) > EXACT_IN_FLOAT32:
        raise Untreatable(f"{len(rows)} different leaves; a leaf table counts to {EXACT_IN_FLOAT32}")
    numbered = tree_ensemble(_numbered(forest, row.astype(np.int32)), x, next(site.names))
    site.nodes.append(numbered)
    number = site.add("Cast", [numbered.output[0]], to=TensorProto.INT32)
    by_tree = site.add("Transpose", [number], perm=[1, 0])
    gathered = site.add("Gather", [leaf_table(rows, site), by_tree], axis=0)
    average = forest.aggregate == "AVERAGE"
    total = _reduce(forest.aggregate, gathered, site, "" if average else output)
    if average:
        site.add("Div", [total, site.constant(np.array(forest.n_trees, rows.dtype))], output)


def _numbered(forest: Forest, row: NDArray[np.int32]) -> Forest:
    """Each tree adds the row number of its leaf to its own target; a leaf that trees share is copied for each."""
    children = [forest.true_child, forest.false_child, forest.roots]
    owners = [forest.tree_of_split, forest.tree_of_split, np.arange(forest.n_trees, dtype=np.int32)]
    at = [np.flatnonzero(child < 0) for child in children]
    tree = np.concatenate([owner[index] for owner, index in zip(owners, at, strict=True)])
    leaf = np.concatenate([~child[index] for child, index in zip(children, at, strict=True)])
    keys, number = np.unique(tree.astype(np.int64) * len(row) + row[leaf], return_inverse=True)
    uses = np.argsort(-np.bincount(number), kind="stable")
    rank = np.empty_like(uses)
    rank[uses] = np.arange(len(uses))
    keys, number = keys[uses], rank[number]
    ends = np.cumsum([len(index) for index in at])
    renumbered = []
    for child, index, part in zip(children, at, np.split(number, ends[:-1]), strict=True):
        result = child.copy()
        result[index] = ~part.astype(np.int32)
        renumbered.append(result)
    return replace(
        forest,
        true_child=renumbered[0],
        false_child=renumbered[1],
        roots=renumbered[2],
        leaf_offset=np.arange(len(keys) + 1, dtype=np.int32),
        leaf_target=(keys // len(row)).astype(np.int32),
        leaf_weight=(keys % len(row)).astype(forest.leaf_weight.dtype),
        n_targets=forest.n_trees,
        aggregate="SUM",
    )


def leaf_table(rows: Floats, site: Site) -> str:
    """The distinct leaf rows (rows, n_targets) as a tensor, in the smallest form that gives back the same floats.

    Few distinct values are a palette under uint8 or uint16 codes; int8 steps of one width need the width alone. Both
    are computed from constants, so that runtimes fold them when the model is loaded.
    """
    float_type = helper.np_dtype_to_tensor_dtype(rows.dtype)
    steps = _int8_steps(rows)
    if steps is not None:
        codes = site.add("Cast", [site.constant(steps[0])], to=float_type)
        return site.add("Mul", [codes, site.constant(steps[1])])
    palette, code = np.unique(rows, return_inverse=True)
    for dtype in (np.uint8, np.uint16):
        if len(palette) <= np.iinfo(dtype).max + 1 and rows.size * np.dtype(dtype).itemsize + palette.nbytes < rows.nbytes:
            codes = site.add("Cast", [site.constant(code.reshape(rows.shape).astype(dtype))], to=TensorProto.INT32)
            return site.add("Gather", [site.constant(palette), codes], axis=0)
    return site.constant(rows)


def _int8_steps(rows: Floats) -> tuple[NDArray[np.int8], Floats] | None:
    """(codes, width) with ``codes * width == rows`` exactly, for codes from -127 to 127; None if there is none."""
    width = (np.abs(rows).max() / 127).astype(rows.dtype)
    if not width:
        return None
    codes = np.rint(rows / width)
    exact = np.abs(codes).max() <= 127 and np.array_equal(codes.astype(rows.dtype) * width, rows)  # noqa: PLR2004
    return (codes.astype(np.int8), np.array(width)) if exact else None


def _reduce(aggregate: str, values: str, site: Site, output: str) -> str:
    """Aggregates the first axis of (trees, rows, n_targets)."""
    op_type = {"MIN": "ReduceMin", "MAX": "ReduceMax"}.get(aggregate, "ReduceSum")
    since = OPSET_REDUCE_AXES_INPUT if op_type == "ReduceSum" else OPSET_REDUCE_OTHERS_AXES_INPUT
    if site.opset >= since:
        return site.add(op_type, [values, site.constant(np.array([0]))], output, keepdims=0)
    return site.add(op_type, [values], output, keepdims=0, axes=[0])
