"""Lowering: a Forest becomes TreeEnsemble (ai.onnx.ml 5) and the operators that finish its outputs.

Scores are summed in the order and precision of the original operator, so that raw scores are equal
to the last bit and ties between classes fall as before. Base values and post-transforms, which
TreeEnsemble lacks, follow as operators.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from onnxpress.graph.trees.attributes import floats, ints, strings, text
from onnxpress.graph.trees.forest import Forest
from onnxpress.graph.trees.reader import Untreatable
from onnxpress.graph.writer import ML_DOMAIN
from onnxpress.quantize.forest.lossless.code_columns import with_code_columns
from onnxpress.quantize.forest.lossless.leaf_table import (
    numbered,
    reduced_axes,
    rows_by_tree,
    smallest_form,
)
from onnxpress.quantize.forest.lossless.leaves import base_as_trees, drop_zeros
from onnxpress.quantize.forest.lossless.mirrored import with_mirrored_columns
from onnxpress.quantize.forest.lossless.passes import lossless
from onnxpress.quantize.forest.lossless.site import Site, SiteWriter, Step
from onnxpress.quantize.forest.lossless.tree_ensemble import fill_tree_ensemble

LARGEST_SUM = 1e38
"""Sums of float32 below this are finite."""
MOST_CLASSES = 16
TWO = 2  # classes that onnxruntime scores by rules of their own


def lower(forest: Forest, site: Site, *, mirrored: bool = False) -> None:
    """Write what computes the outputs of ``forest`` and its original operator, bit for bit.

    With ``mirrored``, flags for missing values become columns of negated features.

    Raises:
        Untreatable: TreeEnsemble (5) and operators of ai.onnx cannot promise that.
    """
    _refuse_unclear(forest)
    if forest.aggregate in ("SUM", "AVERAGE"):
        forest = drop_zeros(forest)
    x = site.x
    if site.x_type not in (TensorProto.FLOAT, TensorProto.DOUBLE):
        x = site.writer.add("Cast", x, to=TensorProto.FLOAT)
    forest, x = with_code_columns(forest, site, x)
    if mirrored:
        forest, x = with_mirrored_columns(forest, site, x)
    if one_node_classifies(forest):
        write_classes(forest, site, x)
        return
    forest = base_as_trees(forest)
    post = _post_steps(forest, site) if site.scores else []
    if forest.labels is None:
        steps = _base_step(forest, site.writer) + post
        raw = raw_scores(forest, site.writer, x, "" if steps else site.scores)
        site.writer.chain(raw, steps, site.scores)
        return
    write_scores = _pair if forest.binary else _class_scores
    scores = write_scores(forest, site.writer, x, "" if post else site.scores)
    _add_label(forest, site, scores)
    site.writer.chain(scores, post, site.scores)


def _refuse_unclear(forest: Forest) -> None:
    """Refuse what onnxruntime's tree operators compute by rules of their own.

    Those rules differ from the specification, or no operator computes them.
    """
    post = forest.post_transform
    if post not in ("NONE", "SOFTMAX", "LOGISTIC"):
        raise Untreatable(f"post-transform {post} has no operator of its own")
    if forest.labels is None:
        _refuse_unclear_targets(forest)
    elif forest.binary:
        if post != "NONE" and (forest.binary, post) != ("margin", "LOGISTIC"):
            rule = f"two classes from one target ({forest.binary}) with {post}"
            raise Untreatable(f"{rule}: runtimes differ")
    elif forest.n_targets <= TWO:
        raise Untreatable("a single class, or two that are scored apart: runtimes differ")
    elif not _every_class_scored(forest):
        raise Untreatable("a class may stay without a score, which is not the same as the score 0")


def _refuse_unclear_targets(forest: Forest) -> None:
    if forest.n_targets == 1 and forest.post_transform != "NONE":
        raise Untreatable("onnxruntime leaves out the post-transform of a single target")
    if forest.n_targets > 1 and forest.base_values.any() and not every_target_scored(forest):
        raise Untreatable(
            "onnxruntime leaves out the base value of a target that no tree has scored"
        )


def _every_class_scored(forest: Forest) -> bool:
    """Whether a class cannot stay without a score, or that makes no difference."""
    based = len(forest.base_values) == forest.n_targets
    return based or every_target_scored(forest) or _some_score_positive(forest)


def every_target_scored(forest: Forest) -> bool:
    """Whether each target has a tree that scores it in all of its leaves.

    Pairs of a tree and a target are counted as one key, ``tree * targets + target``. Tree 0 has two
    leaves; if one scores target 0 and both score target 1, key 0 is counted once and key 1 twice,
    so that target 1 is scored whichever leaf is reached.
    """
    owner = forest.tree_of_leaf.astype(np.int64)
    leaves = np.bincount(owner[owner >= 0], minlength=forest.n_trees)
    pairs = np.repeat(owner, np.diff(forest.leaf_offset)) * forest.n_targets + forest.leaf_target
    scored, count = np.unique(pairs[pairs >= 0], return_counts=True)
    always = scored[count == leaves[scored // forest.n_targets]] % forest.n_targets
    return len(np.unique(always)) == forest.n_targets


def _some_score_positive(forest: Forest) -> bool:
    """Whether the best score is above 0 on every input.

    That is so if no weight is negative and each leaf has a positive one.
    """
    positive = np.add.reduceat(forest.leaf_weight > 0, forest.leaf_offset[:-1])
    return bool((forest.leaf_weight >= 0).all() and positive.all())


def _post_steps(forest: Forest, site: Site) -> list[Step]:
    """From raw scores to the scores output, which may be float32 where the trees are float64."""
    steps: list[Step] = []
    if forest.leaf_weight.dtype == np.float64 and not site.double_scores:
        steps.append(("Cast", [], {"to": TensorProto.FLOAT}))
    if forest.post_transform == "SOFTMAX":
        steps.append(("Softmax", [], {"axis": 1}))
    if forest.post_transform == "LOGISTIC":
        steps.append(("Sigmoid", [], {}))
    return steps


def one_node_classifies(forest: Forest) -> bool:
    """Whether LinearClassifier (ai.onnx.ml 1) does all that follows the raw scores.

    That is one node instead of up to four, each of which costs a call about a microsecond. It
    multiplies float32 scores by ones and zeros, which is exact where no score is infinite.

    1. Scores are float32, and no sum of them overflows.
    2. Something follows but the label: a post-transform, or the second class's score.
    3. A base value is added at once, not before 1 - s is taken.
    4. The coefficients, classes times classes, are few.
    """
    if forest.labels is None or forest.leaf_weight.dtype != np.float32:
        return False
    largest = float(np.abs(forest.leaf_weight).max(initial=0.0)) * max(forest.n_trees, 1)
    based = bool(forest.base_values.any())
    return (
        largest < LARGEST_SUM
        and (forest.binary != "" or forest.post_transform != "NONE")
        and not (forest.binary == "probability" and based)
        and len(forest.labels) <= MOST_CLASSES
    )


def write_classes(forest: Forest, site: Site, x: str) -> None:
    """Write raw scores and a LinearClassifier: the label of the first greatest, and the scores.

    Of three classes the coefficients are the unit matrix; of two from one target s they are (-1, 1)
    and the intercepts those of [1 - s, s] or [-s, s].
    """
    writer, labels = site.writer, forest.labels
    if labels is None:
        raise ValueError("a regressor has no labels")
    raw = raw_scores(forest, writer, x)
    base = np.zeros(forest.n_targets, np.float32)
    base[: len(forest.base_values)] = forest.base_values
    coefficients = np.eye(forest.n_targets, dtype=np.float32)
    if forest.binary:
        coefficients = np.array([[-1], [1]], np.float32)
        base = np.array([-base[0], base[0]] if forest.binary == "margin" else [1, 0], np.float32)
    outputs = [site.label or writer.name(""), site.scores or writer.name("")]
    node = writer.place("LinearClassifier", [raw], outputs, ML_DOMAIN)
    floats(node, "coefficients", coefficients.ravel())
    floats(node, "intercepts", base)
    if isinstance(labels, tuple):
        strings(node, "classlabels_strings", [label.encode() for label in labels])
    else:
        ints(node, "classlabels_ints", labels)
    if forest.post_transform != "NONE":
        text(node, "post_transform", forest.post_transform)


def _base_step(forest: Forest, writer: SiteWriter) -> list[Step]:
    """Add the base values, padded with zeros to one per target; nothing if all are zero."""
    if not forest.base_values.any():
        return []
    padded = np.pad(forest.base_values, (0, forest.n_targets - len(forest.base_values)))
    return [("Add", [writer.constant(padded)], {})]


def _class_scores(forest: Forest, writer: SiteWriter, x: str, output: str) -> str:
    """Scores of three or more classes, (rows, classes), before the post-transform."""
    steps = _base_step(forest, writer)
    return writer.chain(raw_scores(forest, writer, x, "" if steps else output), steps, output)


def _pair(forest: Forest, writer: SiteWriter, x: str, output: str) -> str:
    """Scores of two classes from one target s, (rows, 2): [1 - s, s] or [-s, s].

    One Gemm computes them; its product by -1 or 1 is exact.
    """
    dtype = forest.leaf_weight.dtype
    raw, offset = raw_scores(forest, writer, x), np.array([1, 0], dtype)
    if forest.binary == "margin":
        base = forest.base_values[0] if len(forest.base_values) else 0
        offset = np.array([-base, base], dtype)
    else:
        raw = writer.chain(raw, _base_step(forest, writer), "")
    signs = writer.constant(np.array([[-1, 1]], dtype))
    return writer.add("Gemm", raw, signs, writer.constant(offset), output=output)


def _add_label(forest: Forest, site: Site, scores: str) -> None:
    """Write the class label of the first greatest of ``scores`` (rows, classes)."""
    labels = forest.labels
    if not site.label or labels is None:
        return
    classes = np.array(labels, object) if isinstance(labels, tuple) else labels
    site.writer.labels(scores, classes, site.label)


def raw_scores(forest: Forest, writer: SiteWriter, x: str, output: str = "") -> str:
    """Write the aggregated leaf weights, (rows, n_targets) in the forest's dtype.

    Returns the name of the result.
    """
    output = output or writer.name("")
    forest = lossless(forest)
    if (np.diff(forest.leaf_offset) == 1).all():
        _tree_ensemble(forest, writer, x, output)
    else:
        _gathered_scores(forest, writer, x, output)
    return output


def _tree_ensemble(forest: Forest, writer: SiteWriter, x: str, output: str) -> None:
    """Write the operator itself, whose leaves have one entry each."""
    node = writer.place("TreeEnsemble", [x], [output], ML_DOMAIN)
    fill_tree_ensemble(forest, node)


def _gathered_scores(forest: Forest, writer: SiteWriter, x: str, output: str) -> None:
    """Write raw scores by way of a leaf table.

    TreeEnsemble finds each tree's row number. Numbers are transposed to (trees, rows), rows are
    gathered to (trees, rows, n_targets) and aggregated. Trees come first because onnxruntime then
    adds them one after another, as its tree operators do.
    """
    complete = (np.diff(forest.leaf_offset) == forest.n_targets).all()
    if forest.aggregate in ("MIN", "MAX") and not complete:
        raise Untreatable(f"a leaf that leaves targets out under {forest.aggregate}")
    rows, row = rows_by_tree(forest)
    found = writer.name("")
    _tree_ensemble(numbered(forest, row), writer, x, found)
    number = writer.add("Cast", found, to=TensorProto.INT32)
    by_tree = writer.add("Transpose", number, perm=[1, 0])
    values = writer.add("Gather", smallest_form(rows, writer), by_tree, axis=0)
    op_type = {"MIN": "ReduceMin", "MAX": "ReduceMax"}.get(forest.aggregate, "ReduceSum")
    steps = [reduced_axes(op_type, writer)]
    if forest.aggregate == "AVERAGE":
        steps.append(("Div", [writer.constant(np.array(forest.n_trees, rows.dtype))], {}))
    writer.chain(values, steps, output)
