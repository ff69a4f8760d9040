"""Decision trees: the tree inside takes as many columns as the estimator checks for."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.owner_checks.attributes import get, has, instance_of, number


def decision_tree(instance: Any) -> None:
    """Check that ``tree_`` has the columns, outputs and classes of the estimator."""
    if not has(instance, "tree_"):
        return
    tree = instance_of(get(instance, "tree_"), "tree_", "sklearn.tree._tree.Tree")
    number(instance, "n_features_in_", tree.n_features, tree.n_features)
    number(instance, "n_outputs_", tree.n_outputs, tree.n_outputs)
    if has(instance, "n_classes_"):
        classes = np.atleast_1d(np.asarray(get(instance, "n_classes_")))
        if classes.dtype.kind not in "iu" or not np.array_equal(classes, tree.n_classes):
            raise Damaged("n_classes_ should be that of its tree")


CHECKS = {"sklearn.tree._classes.BaseDecisionTree": decision_tree}
