"""Leaf values in few steps, and raw scores within the range that the original's have.

Leaves of one target take 255 values, so that many are one. Leaves of several are int8 rows of a
leaf table.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx

from onnxpress.graph.trees.forest import Floats, Forest
from onnxpress.graph.writer import GraphWriter, names_of, opset_of
from onnxpress.quantize.forest.faithful.originals import Matrix, Originals
from onnxpress.quantize.forest.refined.answers import floors_of

_STEPS = 127

Ends = tuple[float, ...]
"""A limit for each target, or one for all."""

_SCORED_ALIKE = 1e-4
"""Leaf rows whose sums differ by less than this share add up to the same."""


def rounded(values: Matrix, *, units: bool = False) -> Floats:
    """``values`` (leaves, targets) as float32 in 127 steps of one width on either side of zero.

    With ``units``, each target has a width of its own, as they may be in different units.

    >>> rounded(np.array([[127.0], [0.4], [-2.6]]))
    array([[127.],
           [  0.],
           [ -3.]], dtype=float32)
    """
    largest = np.abs(values)
    width = np.float32((largest.max(axis=0) if units else largest.max()) / _STEPS)
    codes = np.rint(values / np.where(width, width, 1.0))
    return codes.astype(np.float32) * width


def without_negative_leaves(forest: Forest) -> Forest:
    """A forest of one target with all leaves raised to zero or more, and a base value for it.

    onnxruntime reads two classes from one target by the signs of the leaves: with a negative one
    the scores are margins, not probabilities.
    """
    raised = -min(float(forest.leaf_weight.min()), 0.0)
    base = forest.base_values[0] if len(forest.base_values) else np.float32(0)
    return replace(
        forest,
        leaf_weight=(forest.leaf_weight + np.float32(raised)).astype(np.float32),
        base_values=np.array([base - raised * forest.n_trees], np.float32),
    )


def in_range(model: onnx.ModelProto, output: str, originals: Originals) -> onnx.ModelProto:
    """``model`` with ``output``, the scores of fitted leaves, in the range of the original's.

    Fitted scores may be a little below zero, and probabilities above one.

    1. Probabilities, or shares of another total, are zero or more and add up to the same total.
    2. Scores from which a classifier makes its probabilities (those of a threshold) are between the
       least and the greatest of the original's.
    3. Where the original predicts positive numbers, none is below the least of them.
    4. Any others stay as they are.
    """
    forest = originals.forest
    if not output or forest.leaf_values.min() < 0 or forest.post_transform != "NONE":
        return model
    total = _total(forest)
    ends = () if total or forest.labels is not None else _ends(model, originals)
    if not total and not ends:
        return model
    place = next(at for at, node in enumerate(model.graph.node) if output in node.output)
    writer = GraphWriter(model.graph, opset_of(model), names_of(model))
    after = list(model.graph.node[place + 1 :])
    del model.graph.node[place + 1 :]
    fitted = writer.name("fitted")
    names = model.graph.node[place].output
    names[list(names).index(output)] = fitted
    if total:
        positive = writer.add("Relu", fitted)
        sums = writer.reduce("ReduceSum", positive, 1)
        share = writer.add("Div", sums, writer.constant(np.array([total], np.float32)))
        writer.add("Div", positive, share, output=output)
    else:
        for at, (op_type, end) in enumerate(ends, 1):
            limit = writer.constant(np.array(end, np.float32))
            last = output if at == len(ends) else ""
            fitted = writer.add(op_type, fitted, limit, output=last)
    model.graph.node.extend(after)
    return model


def _ends(model: onnx.ModelProto, originals: Originals) -> tuple[tuple[str, Ends], ...]:
    """The operators that hold the scores of a regressor in range, and the ends, (targets,)."""
    if originals.forest.n_targets == 1 and len(model.graph.output) > 1:
        scores = originals.scores + originals.forest.base_values.sum()
        return ("Max", (float(scores.min()),)), ("Min", (float(scores.max()),))
    floors = None if originals.forest.base_values.any() else floors_of(originals.scores)
    return () if floors is None else (("Max", floors),)


def _total(forest: Forest) -> float:
    """What the scores of each row add up to, 0 if that differs from row to row.

    Two classes from one target that are probabilities add up to 1.
    """
    if forest.binary:
        return float(forest.binary == "probability")
    sums = forest.leaf_values.sum(axis=1, dtype=np.float64)
    if forest.n_targets == 1 or np.ptp(sums) > _SCORED_ALIKE * sums.max():
        return 0.0
    total = float(sums.mean()) * forest.n_trees + float(forest.base_values.sum())
    return round(total, 3)
