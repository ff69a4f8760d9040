"""Make the long attributes of the one tree operator of a booster."""

from __future__ import annotations

import numpy as np

from onnxpress.boosters.model import BoosterModel
from onnxpress.conversion.converters.trees.attributes import node_attributes
from onnxpress.graph.trees.arrays import Array

GROUP = 32
"""Trees of an output whose leaves a runtime adds in float32.

A longer sum loses more digits: 3,000 trees at once are off by 5e-6 of the sum of absolute leaves.
"""


def groups_of(model: BoosterModel) -> int:
    """Return how many sums there are of each output, which are added in float64."""
    return -(-len(model.trees) // (GROUP * model.outputs))


def regressor_attributes(model: BoosterModel) -> dict[str, Array]:
    """Make all long attributes of a TreeEnsembleRegressor of the unlinked sums.

    The base is in it where there is one group.

    Target ``(group * outputs + output) * width + column`` is for a column of the values, of which a
    leaf has ``width``: one, or with linear leaves one for the constant and one for each linear
    feature. Zeros of factors are left out:

        output 1 of 2, the first group, value [5, 0, 7]     target_ids 3, 5     target_weights 5, 7
    """
    trees, width = model.trees, 1 + len(model.linear)
    nodes = node_attributes(trees)
    leaf = ~np.concatenate([tree.split for tree in trees])
    values = np.concatenate([tree.value[~tree.split] for tree in trees]) * model.scale
    leaves = [np.count_nonzero(~tree.split) for tree in trees]
    group = np.arange(len(trees)) // (GROUP * model.outputs)
    output = group * model.outputs + [tree.first_id for tree in trees]
    first = np.repeat(output * width, leaves).astype(np.int32)
    written = values != 0
    written[:, ::width] = True
    row, column = np.nonzero(written)
    base = np.zeros((model.outputs, width), np.float32)
    base[:, 0] = model.base
    bases = {"base_values": base.ravel()} if groups_of(model) == 1 else {}
    return (
        nodes
        | bases
        | {
            "target_treeids": nodes["nodes_treeids"][leaf][row],
            "target_nodeids": nodes["nodes_nodeids"][leaf][row],
            "target_ids": first[row] + column.astype(np.int32),
            "target_weights": values[row, column].astype(np.float32),
        }
    )
