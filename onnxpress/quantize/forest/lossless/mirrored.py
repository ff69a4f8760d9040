"""Splits that flag missing values as splits on negated features, which need no flag.

``x <= t`` is false for NaN. A split where NaN takes the true branch has a flag for that: a byte in
the file, and one more comparison in onnxruntime. ``-x < -t`` asks the same with its branches
swapped, and is false for NaN too:

    x <= t, NaN true: a, else b        becomes        -x <= float before -t: b, else a

scikit-learn flags the branch that more training rows take. Mirrored, that is the false branch at
most splits: in onnxruntime's memory it comes next, and the processor guesses it well. Trees are
walked in as little as half the time (measured).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import TensorProto

from onnxpress.graph.trees.forest import Floats, Forest, Mode
from onnxpress.quantize.forest.lossless.passes import subtree_sizes, unfold
from onnxpress.quantize.forest.lossless.site import Site

BELOW_TRUE = 0.45
"""Below this share of leaves on true branches, walking through mirrored trees is faster."""
_TO_LOWER, _TO_HIGHER = (Mode.LEQ, Mode.GT), (Mode.LT, Mode.GTE)
"""Where the mirrored threshold is the float before or after the negated one."""


def with_mirrored_columns(forest: Forest, site: Site, x: str) -> tuple[Forest, str]:
    """``forest`` without flags, and the name of the rows that it reads: x, then -x.

    Both stay as they are if

    1. there is no flag, or it is unknown how many columns ``x`` has;
    2. a flagged split compares otherwise than by order;
    3. its mirrored threshold is not finite, or so near to zero that a session may round it to zero;
    4. false branches would not lead to more leaves than true ones.
    """
    flagged = forest.missing_true
    if not flagged.any() or x != site.x or not site.columns:
        return forest, x
    if site.x_type not in (TensorProto.FLOAT, TensorProto.DOUBLE):
        return forest, x
    mirrored = _mirrored(forest, site.columns)
    if mirrored is None or _below_true(mirrored) > BELOW_TRUE:
        return forest, x
    negated = site.writer.add("Neg", x)
    return mirrored, site.writer.add("Concat", x, negated, axis=1)


def _mirrored(forest: Forest, columns: int) -> Forest | None:
    """``forest`` with its flagged splits on features ``columns`` further; None if one cannot be.

    Of x0 <= 1 (NaN true: leaf 0, else leaf 1) with two columns it makes -x0 <= -1.0000001, the
    float before -1, on feature 2: leaf 1, else leaf 0.
    """
    flagged = forest.missing_true
    if not np.isin(forest.mode[flagged], (*_TO_LOWER, *_TO_HIGHER)).all():
        return None
    threshold = forest.threshold.copy()
    threshold[flagged] = _next_to_negated(forest.threshold[flagged], forest.mode[flagged])
    smallest = np.finfo(threshold.dtype).smallest_normal
    if not (np.isfinite(threshold[flagged]) & (np.abs(threshold[flagged]) >= smallest)).all():
        return None
    if not np.isfinite(forest.threshold[flagged]).all():
        return None
    return replace(
        forest,
        feature=np.where(flagged, forest.feature + columns, forest.feature).astype(np.int32),
        threshold=threshold,
        missing_true=np.zeros_like(flagged),
        true_child=np.where(flagged, forest.false_child, forest.true_child),
        false_child=np.where(flagged, forest.true_child, forest.false_child),
    )


def _next_to_negated(threshold: Floats, mode: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> Floats:
    """The thresholds of mirrored splits: not (x <= t) is -x < -t, or -x <= the float before -t."""
    upwards = np.isin(mode, _TO_HIGHER)
    infinity = np.where(upwards, np.inf, -np.inf).astype(threshold.dtype)
    with np.errstate(over="ignore"):
        found: Floats = np.nextafter(-threshold, infinity)
    return found


def _below_true(forest: Forest) -> float:
    """The share of leaves below the true branches of all splits, among those below both."""
    tree = unfold(forest)
    size = subtree_sizes(tree)

    def leaves(child: np.ndarray[tuple[int], np.dtype[np.int32]]) -> int:
        return int((size[child[child >= 0]] + 1).sum()) + int((child < 0).sum())

    below = leaves(tree.true_child)
    return below / (below + leaves(tree.false_child))
