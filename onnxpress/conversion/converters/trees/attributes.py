"""Make the long attributes of the tree operators of ai.onnx.ml from arrays.

Their names and types are in :mod:`onnxpress.onnx_file.tree_attributes`. Two trees, of three nodes
(a split and two leaves) and of one leaf, become:

    nodes_treeids       0           0     0     1
    nodes_nodeids       0           1     2     0
    nodes_modes         BRANCH_LEQ  LEAF  LEAF  LEAF
    nodes_featureids    3           0     0     0
    nodes_values        0.5         0     0     0
    nodes_truenodeids   1           0     0     0
    nodes_falsenodeids  2           0     0     0

and, with one column of values, 7 and 9 in the first tree's leaves and 4 in the second's:

    target_treeids      0  0  1
    target_nodeids      1  2  0
    target_ids          0  0  0
    target_weights      7  9  4
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxpress.conversion.converters.trees.thresholds import float32_below
from onnxpress.graph.trees.arrays import TreeArrays
from onnxpress.onnx_file.tree_attributes import LEAF_MODE, SPLIT_MODES

Array = npt.NDArray[Any]

MISSING = "nodes_missing_value_tracks_true"


def node_attributes(trees: Sequence[TreeArrays]) -> dict[str, Array]:
    """Make the ``nodes_*`` attributes of one operator that holds ``trees``.

    All are (nodes,): int32, float32 or bytes; the rows of leaves are 0.
    """
    sizes = [len(tree.split) for tree in trees]
    split = np.concatenate([tree.split for tree in trees])

    def at_splits(field: str, dtype: Any) -> Array:
        columns = [getattr(tree, field) for tree in trees]
        values = np.concatenate(columns, dtype=dtype, casting="unsafe")
        values[~split] = 0
        return values

    return {
        "nodes_treeids": np.repeat(np.arange(len(trees), dtype=np.int32), sizes),
        "nodes_nodeids": np.concatenate([np.arange(size, dtype=np.int32) for size in sizes]),
        "nodes_featureids": at_splits("feature", np.int32),
        "nodes_modes": np.where(split, SPLIT_MODES[0], LEAF_MODE),
        "nodes_values": float32_below(at_splits("threshold", np.float64)),
        "nodes_truenodeids": at_splits("left", np.int32),
        "nodes_falsenodeids": at_splits("right", np.int32),
        MISSING: at_splits("missing_left", np.uint8),
        "nodes_hitrates": np.ones(len(split), np.float32),
    }


def ensemble_attributes(
    trees: Sequence[TreeArrays], kind: str, scale: float, *, normalise: bool
) -> dict[str, Array]:
    """Make all long attributes of a TreeEnsembleClassifier or -Regressor.

    ``kind`` is "class" or "target". A leaf's weights are its values, divided by their sum where
    ``normalise``, times ``scale``; of two class columns only the second is written. All is computed
    in float64, in skl2onnx's order of operations up to the last rounding, so that the bits agree:

        values [[2, 6], [1, 0]], scale 0.5, normalised   [[0.125, 0.375], [0.5, 0]]
        written for two classes                          [0.375, 0]
    """
    nodes = node_attributes(trees)
    leaf = ~np.concatenate([tree.split for tree in trees])
    values = np.concatenate([tree.value[~tree.split] for tree in trees])
    if normalise:
        total = reduce(np.add, values.T)
        values = values * (scale / np.where(total != 0, total, 1.0))[:, None]
    else:
        values = values * scale
    if kind == "class" and values.shape[1] == 2:
        values = values[:, 1:]
    first = np.array([tree.first_id for tree in trees], np.int32)
    leaves = [np.count_nonzero(~tree.split) for tree in trees]
    ids = np.repeat(first, leaves)[:, None] + np.arange(values.shape[1], dtype=np.int32)
    return nodes | _leaves(kind, nodes, leaf, ids, values)


def leaf_number_attributes(trees: Sequence[TreeArrays]) -> dict[str, Array]:
    """Make all long attributes of a TreeEnsembleClassifier whose label is the leaf's node id."""
    nodes = node_attributes(trees)
    leaf = ~np.concatenate([tree.split for tree in trees])
    numbers = nodes["nodes_nodeids"][leaf][:, None]
    labels = {"classlabels_int64s": nodes["nodes_nodeids"]}
    return nodes | labels | _leaves("class", nodes, leaf, numbers, np.ones(numbers.shape))


def _leaves(
    kind: str, nodes: dict[str, Array], leaf: Array, ids: Array, weights: Array
) -> dict[str, Array]:
    """Make the ``class_*`` or ``target_*`` attributes from (leaves, columns) ids and weights."""
    columns = weights.shape[1]
    return {
        f"{kind}_treeids": np.repeat(nodes["nodes_treeids"][leaf], columns),
        f"{kind}_nodeids": np.repeat(nodes["nodes_nodeids"][leaf], columns),
        f"{kind}_ids": ids.ravel(),
        f"{kind}_weights": weights.ravel().astype(np.float32),
    }
