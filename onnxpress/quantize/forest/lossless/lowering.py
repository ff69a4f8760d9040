"""Lowering: a Forest becomes TreeEnsemble (ai.onnx.ml 5) and the standard operators that finish its outputs.

Scores are summed in the order and precision of the original operator, so that raw scores are equal to the last bit and
ties between classes fall as before; base values and post-transforms, which TreeEnsemble lacks, follow as operators.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from onnxpress.graph.trees.forest import Forest
from onnxpress.graph.trees.reader import Untreatable
from onnxpress.quantize.forest.lossless.code_columns import with_code_columns
from onnxpress.quantize.forest.lossless.leaf_table import (
    numbered,
    reduced_axes,
    rows_by_tree,
    smallest_form,
)
from onnxpress.quantize.forest.lossless.leaves import base_as_trees, drop_zeros
from onnxpress.quantize.forest.lossless.passes import lossless
from onnxpress.quantize.forest.lossless.site import Site, Step
from onnxpress.quantize.forest.lossless.tree_ensemble import tree_ensemble

TWO = 2  # classes that onnxruntime scores by rules of their own


def lower(forest: Forest, site: Site) -> None:
    """Fills ``site`` with nodes that compute what ``forest`` and its original operator compute, bit for bit.

    Raises Untreatable where TreeEnsemble (5) and standard operators cannot promise that.
    """
    _refuse_unclear(forest)
    if forest.aggregate in ("SUM", "AVERAGE"):
        forest = base_as_trees(drop_zeros(forest))
    x = site.x
    if site.x_type not in (TensorProto.FLOAT, TensorProto.DOUBLE):
        x = site.writer.add("Cast", x, to=TensorProto.FLOAT)
    forest, x = with_code_columns(forest, site, x)
    post = _post_steps(forest) if site.scores else []
    if forest.labels is None:
        steps = _base_step(forest, site) + post
        site.writer.chain(
            raw_scores(forest, site, x, "" if steps else site.scores), steps, site.scores
        )
        return
    scores = (_pair if forest.binary else _class_scores)(
        forest, site, x, "" if post else site.scores
    )
    _add_label(forest, site, scores)
    site.writer.chain(scores, post, site.scores)


def _refuse_unclear(forest: Forest) -> None:
    """Rules of onnxruntime's tree operators that differ from the specification or that no operator computes."""
    post = forest.post_transform
    if post not in ("NONE", "SOFTMAX", "LOGISTIC"):
        raise Untreatable(f"post-transform {post} has no operator of its own")
    if forest.labels is None:
        if forest.n_targets == 1 and post != "NONE":
            raise Untreatable("onnxruntime leaves out the post-transform of a single target")
        if forest.n_targets > 1 and forest.base_values.any() and not _every_target_scored(forest):
            raise Untreatable(
                "onnxruntime leaves out the base value of a target that no tree has scored"
            )
    elif forest.binary:
        if post != "NONE" and (forest.binary, post) != ("margin", "LOGISTIC"):
            raise Untreatable(
                f"two classes from one target ({forest.binary}) with {post}: runtimes differ"
            )
    elif forest.n_targets <= TWO:
        raise Untreatable("a single class, or two that are scored apart: runtimes differ")
    elif not (
        len(forest.base_values) == forest.n_targets
        or _every_target_scored(forest)
        or _some_score_positive(forest)
    ):
        raise Untreatable("a class may stay without a score, which is not the same as the score 0")


def _every_target_scored(forest: Forest) -> bool:
    """Whether each target has a tree that scores it in all of its leaves."""
    owner = forest.tree_of_leaf.astype(np.int64)
    leaves = np.bincount(owner[owner >= 0], minlength=forest.n_trees)
    pairs = np.repeat(owner, np.diff(forest.leaf_offset)) * forest.n_targets + forest.leaf_target
    scored, count = np.unique(pairs[pairs >= 0], return_counts=True)
    always = scored[count == leaves[scored // forest.n_targets]] % forest.n_targets
    return len(np.unique(always)) == forest.n_targets


def _some_score_positive(forest: Forest) -> bool:
    """Whether the best score is above 0 on every input: no negative weight, and a positive one in each leaf."""
    positive = np.add.reduceat(forest.leaf_weight > 0, forest.leaf_offset[:-1])
    return bool((forest.leaf_weight >= 0).all() and positive.all())


def _post_steps(forest: Forest) -> list[Step]:
    """From raw scores to the scores output, which is float32 also where the trees are float64."""
    steps: list[Step] = []
    if forest.leaf_weight.dtype == np.float64:
        steps.append(("Cast", [], {"to": TensorProto.FLOAT}))
    if forest.post_transform == "SOFTMAX":
        steps.append(("Softmax", [], {"axis": 1}))
    if forest.post_transform == "LOGISTIC":
        steps.append(("Sigmoid", [], {}))
    return steps


def _base_step(forest: Forest, site: Site) -> list[Step]:
    """Adds the base values, padded with zeros to one per target; nothing if all are zero."""
    if not forest.base_values.any():
        return []
    padded = np.pad(forest.base_values, (0, forest.n_targets - len(forest.base_values)))
    return [("Add", [site.writer.constant(padded)], {})]


def _class_scores(forest: Forest, site: Site, x: str, output: str) -> str:
    """Scores of three or more classes, (rows, classes), before the post-transform."""
    steps = _base_step(forest, site)
    return site.writer.chain(raw_scores(forest, site, x, "" if steps else output), steps, output)


def _pair(forest: Forest, site: Site, x: str, output: str) -> str:
    """Scores of two classes from one target s, (rows, 2): [1 - s, s] or [-s, s], by one Gemm with an exact product."""
    dtype = forest.leaf_weight.dtype
    raw, offset = raw_scores(forest, site, x), np.array([1, 0], dtype)
    if forest.binary == "margin":
        base = forest.base_values[0] if len(forest.base_values) else 0
        offset = np.array([-base, base], dtype)
    else:
        raw = site.writer.chain(raw, _base_step(forest, site), "")
    signs = np.array([[-1, 1]], dtype)
    return site.writer.add(
        "Gemm", raw, site.writer.constant(signs), site.writer.constant(offset), output=output
    )


def _add_label(forest: Forest, site: Site, scores: str) -> None:
    """The class label of the first greatest of ``scores`` (rows, classes)."""
    labels = forest.labels
    if not site.label or labels is None:
        return
    classes = np.array(labels, object) if isinstance(labels, tuple) else labels
    site.writer.labels(scores, classes, site.label)


def raw_scores(forest: Forest, site: Site, x: str, output: str = "") -> str:
    """The aggregated leaf weights, (rows, n_targets) in the forest's dtype; returns the name of the result."""
    output = output or site.writer.name("")
    forest = lossless(forest)
    if (np.diff(forest.leaf_offset) == 1).all():
        tree_ensemble(forest, x, output, site.writer.graph.node.add())
    else:
        _gathered_scores(forest, site, x, output)
    return output


def _gathered_scores(forest: Forest, site: Site, x: str, output: str) -> None:
    """Raw scores by way of a leaf table.

    TreeEnsemble finds each tree's row number; numbers are transposed to (trees, rows), rows gathered to (trees, rows,
    n_targets) and aggregated. Trees come first because onnxruntime then adds them one after another, as its tree
    operators do.
    """
    if (
        forest.aggregate in ("MIN", "MAX")
        and (np.diff(forest.leaf_offset) != forest.n_targets).any()
    ):
        raise Untreatable(f"a leaf that leaves targets out under {forest.aggregate}")
    rows, row = rows_by_tree(forest)
    found = site.writer.name("")
    tree_ensemble(numbered(forest, row), x, found, site.writer.graph.node.add())
    number = site.writer.add("Cast", found, to=TensorProto.INT32)
    by_tree = site.writer.add("Transpose", number, perm=[1, 0])
    values = site.writer.add("Gather", smallest_form(rows, site.writer), by_tree, axis=0)
    op_type = {"MIN": "ReduceMin", "MAX": "ReduceMax"}.get(forest.aggregate, "ReduceSum")
    steps = [reduced_axes(op_type, site.writer)]
    if forest.aggregate == "AVERAGE":
        steps.append(("Div", [site.writer.constant(np.array(forest.n_trees, rows.dtype))], {}))
    site.writer.chain(values, steps, output)
