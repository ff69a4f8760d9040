"""All leaf values of a pruned forest fitted together, by least squares to the original's scores.

The problem is linear: raw scores are sums of leaf values. A ridge holds each value near the mean of
what it replaces, so that with all splits kept the original comes out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from onnxpress.graph.trees.forest import Forest
from onnxpress.quantize.forest.faithful.originals import Matrix, Originals, summed
from onnxpress.quantize.forest.faithful.pruning import Pruned

_ROWS_PER_RIDGE = 200
"""A ridge is worth one row of so many."""
_STEPS = 20
_CLOSE = 1e-4
"""Conjugate gradients end when the residual is this share of the first one."""


def fitted(originals: Originals, pruned: Pruned) -> Matrix:
    """Leaf values (leaves, targets) of the pruned forest."""
    leaves = pruned.leaf[originals.leaves[:, pruned.trees]]
    wanted = originals.scores
    start = _scaled(pruned.start, leaves, wanted, originals.weight)
    scored = _scored_targets(originals.forest, pruned)
    rest = wanted - summed(start, leaves)
    return start + _least_squares(leaves, rest, originals.weight, scored)


def _scaled(start: Matrix, leaves: NDArray[np.int32], wanted: Matrix, weight: Matrix) -> Matrix:
    """``start`` times a factor and plus a constant for each target, nearest to ``wanted``.

    They stand in for the trees that are left out. The constant is shared out among all trees.
    """
    found = summed(start, leaves)
    mean, center = (np.average(part, axis=0, weights=weight) for part in (found, wanted))
    # not by @, whose order of sums is that of BLAS on this CPU
    spread = (weight * ((found - mean) ** 2).sum(axis=1)).sum()
    together = (weight * ((found - mean) * (wanted - center)).sum(axis=1)).sum()
    factor = together / spread if spread > 0 else 1.0
    return np.asarray(factor * start + (center - factor * mean) / leaves.shape[1])


def _scored_targets(forest: Forest, pruned: Pruned) -> NDArray[np.bool_]:
    """Which targets each leaf may add to, (leaves, targets): those that its tree scored before."""
    owner = np.repeat(forest.tree_of_leaf, np.diff(forest.leaf_offset))
    by_tree = np.zeros((forest.n_trees, forest.n_targets), np.bool_)
    by_tree[owner, forest.leaf_target] = True
    scored = np.zeros((len(pruned.start), forest.n_targets), np.bool_)
    parts = np.flatnonzero(pruned.leaf >= 0)
    scored[pruned.leaf[parts]] = by_tree[forest.tree_of_leaf[parts]]
    return scored


def _least_squares(
    leaves: NDArray[np.int32], wanted: Matrix, weight: Matrix, scored: NDArray[np.bool_]
) -> Matrix:
    """Values (leaves, targets) that sum up to ``wanted`` (rows, targets), near to zero.

    Conjugate gradients on the normal equations, preconditioned by the rows of each leaf (Hestenes
    and Stiefel 1952), for all targets side by side.
    """
    rows, trees = leaves.shape
    ones = np.ones(leaves.size, np.float32)
    starts = np.arange(0, leaves.size + 1, trees)
    reached = csr_matrix((ones, leaves.ravel(), starts), shape=(rows, len(scored)))
    transposed = reached.T.tocsr()
    ridge = rows / _ROWS_PER_RIDGE
    scale = (transposed @ weight + ridge)[:, None]

    def product(values: Matrix) -> Matrix:
        seen = (reached @ values) * weight[:, None]
        return np.asarray(scored * (transposed @ seen + ridge * values))

    found = np.zeros(scored.shape)
    residual = scored * (transposed @ (wanted * weight[:, None]))
    step = residual / scale
    size = (residual * step).sum(axis=0)
    least = _CLOSE**2 * size
    for _ in range(_STEPS):
        if (size <= least).all():
            break
        along = product(step)
        length = _ratio(size, (step * along).sum(axis=0))
        found += length * step
        residual -= length * along
        following = residual / scale
        before, size = size, (residual * following).sum(axis=0)
        step = following + _ratio(size, before) * step
    return found


def _ratio(above: Matrix, below: Matrix) -> Matrix:
    """``above / below`` (targets,), and 0 where nothing is left to fit."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
