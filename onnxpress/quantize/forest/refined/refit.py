"""Fitting all leaf values of all trees again, together, with the splits fixed.

Global refinement: Ren et al., "Global Refinement of Random Forest", CVPR 2015; Buschjäger and
Morik, "Improving the Accuracy-Memory Trade-Off of Random Forests Via Leaf-Refinement", 2021. The
problem is convex.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from onnxpress.quantize.forest.refined.losses import Loss, Matrix


def refit(
    leaves: NDArray[np.int32],
    values: Matrix,
    offset: Matrix,
    target: Matrix,
    loss: Loss,
    *,
    rows: float | None = None,
    steps: int = 40,
) -> Matrix:
    """Leaf values (trees, leaves, columns) near the minimum of ``loss`` with a ridge on them.

    The ridge is worth ``rows`` rows of data, by default as many as the loss asks for. ``leaves``
    (rows, trees) are the leaves that rows reach, ``values`` the start, ``target`` has the shape
    (rows, columns). L-BFGS runs in variables scaled by the leaves' row counts, with one BLAS thread
    so that sums have one order.
    """
    trees, size, columns = values.shape
    reached = leaf_matrix(leaves, size)
    transposed = reached.T  # of the same arrays: they are the most that learning keeps
    count = np.asarray(reached.sum(axis=0), np.float64).reshape(-1, 1)
    steepest = float(loss.curvature(np.full((1, 1), 0.5))[0, 0])  # of one row, at its largest
    rows = loss.ridge_rows if rows is None else rows
    ridge = rows * steepest
    scaling = 1 / np.sqrt((count + rows) * steepest)

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        table = flat.reshape(-1, columns) * scaling
        scores = (reached @ table.astype(np.float32)).astype(np.float64) + offset
        slope = transposed @ (loss.mean(scores) - target).astype(np.float32)
        total = loss.value(scores, target) + 0.5 * ridge * float(np.square(table).sum())
        return total, ((slope + ridge * table) * scaling).ravel()

    start = (values.reshape(-1, columns) / scaling).ravel()
    options = {"maxiter": steps, "maxcor": 8}
    with threadpool_limits(limits=1):
        found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options).x
    return np.asarray((found.reshape(-1, columns) * scaling).reshape(trees, size, columns))


def leaf_matrix(leaves: NDArray[np.int32], size: int) -> csr_matrix:
    """Which row reaches which leaf, as 0/1 in a sparse (rows, trees * size) matrix.

    Two trees of two leaves each, and three rows:

    >>> leaf_matrix(np.array([[0, 1], [1, 1], [1, 0]]), size=2).toarray().astype(int)
    array([[1, 0, 0, 1],
           [0, 1, 0, 1],
           [0, 1, 1, 0]])
    """
    rows, trees = leaves.shape
    column = (leaves + np.arange(trees, dtype=np.int32) * size).ravel()
    ones = np.ones(column.size, np.float32)
    starts = np.arange(0, column.size + 1, trees)
    return csr_matrix((ones, column, starts), shape=(rows, trees * size))
