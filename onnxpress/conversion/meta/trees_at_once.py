"""Ask all trees of an ensemble in one tree operator, one column for each of them.

Two stumps, x0 <= 1 with the numbers 7 and 9, and x1 <= 2 with 4 and 5:

    row [0, 3]   columns [7, 5]
    row [2, 0]   columns [9, 4]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from onnxpress.conversion.converters.trees.arrays import trees_of
from onnxpress.conversion.converters.trees.attributes import ensemble_attributes
from onnxpress.conversion.meta.members import Members
from onnxpress.conversion.meta.values import Inputs
from onnxpress.graph.trees.arrays import Array


def are_trees(estimators: Sequence[Any]) -> bool:
    """Whether all are scikit-learn's decision trees of one output, and nothing but that."""
    from sklearn import tree

    kinds = (
        *(tree.DecisionTreeClassifier, tree.ExtraTreeClassifier),
        *(tree.DecisionTreeRegressor, tree.ExtraTreeRegressor),
    )
    return all(type(one) in kinds and one.n_outputs_ == 1 for one in estimators)


def numbers_of_leaves(
    estimators: Sequence[Any], numbers: Sequence[Array], members: Members, inputs: Inputs
) -> str:
    """Write the number of the leaf that each tree reaches, float32 (rows, trees).

    ``numbers[i]`` (nodes,) are those of the nodes of tree ``i``.
    """
    trees = []
    for place, (one, number) in enumerate(zip(estimators, numbers, strict=True)):
        (arrays,) = trees_of(one)
        trees.append(replace(arrays, value=number[:, None], first_id=place))
    attributes = ensemble_attributes(trees, "target", 1.0, normalise=False)
    return members.add_ml(
        "TreeEnsembleRegressor",
        members.matrix(inputs),
        n_targets=len(trees),
        **{name: values.tolist() for name, values in attributes.items()},
    )
