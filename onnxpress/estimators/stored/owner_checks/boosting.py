"""Gradient boosting, of both kinds.

Every tree writes one column of an array that is as wide as the estimator says.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.histogram_nodes import check_predictor, features
from onnxpress.estimators.stored.owner_checks.attributes import (
    array,
    get,
    has,
    instance_of,
    is_array,
    number,
)

LOSSES, LINKS = "sklearn._loss.loss", "sklearn._loss.link"
PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
BINS = "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper"
TREE = "sklearn.tree._classes.DecisionTreeRegressor"


def gradient_boosting(instance: Any) -> None:
    """Check ``estimators_`` and ``init_``.

    ``estimators_`` is (iterations, columns) of regression trees, and ``init_`` gives as many
    columns for each row.
    """
    if not has(instance, "estimators_"):
        return
    columns = number(instance, "n_trees_per_iteration_", 1)
    n_features = number(instance, "n_features_in_", 1)
    for tree in array(instance, "estimators_", "O", None, columns).flat:
        instance_of(tree, "estimators_", TREE)
        inner = instance_of(get(tree, "tree_"), "tree_", "sklearn.tree._tree.Tree")
        if inner.n_features != n_features or inner.n_outputs != 1 or inner.max_n_classes != 1:
            raise Damaged("each of its trees should take its columns and give one number")
    _starting_point(instance, columns)


def _starting_point(instance: Any, columns: int) -> None:
    """Check ``init_``: it predicts ``columns`` scores, or one number, for each row.

    The loss does not change how many they are.
    """
    start, loss = get(instance, "init_"), get(instance, "_loss")
    if type(loss).__module__ != LOSSES or type(get(loss, "link")).__module__ != LINKS:
        raise Damaged("_loss should be one of scikit-learn's, with its link")
    if type(loss).is_multiclass is not (columns > 1):
        raise Damaged("_loss should be of as many columns as there are trees in an iteration")
    if any(kind.__name__ == "GradientBoostingRegressor" for kind in type(instance).__mro__):
        number(instance, "n_trees_per_iteration_", 1, 1)
        if not _is_zero(start):
            instance_of(start, "init_", "sklearn.dummy.DummyRegressor")
            number(start, "n_outputs_", 1, 1)
            array(start, "constant_", "f4 f8 i8 i4", 1, 1)
    elif not _is_zero(start):
        instance_of(start, "init_", "sklearn.dummy.DummyClassifier")
        number(start, "n_outputs_", 1, 1)
        classes = number(start, "n_classes_", max(columns, 2), max(columns, 2))
        array(start, "class_prior_", "f8", classes)
        if get(start, "strategy") != "prior":
            raise Damaged("init_ should give the share of each class")


def _is_zero(start: Any) -> bool:
    return isinstance(start, str) and start == "zero"


def predictor(instance: Any) -> None:
    """The nodes of one tree of HistGradientBoosting."""
    sets = get(instance, "binned_left_cat_bitsets"), get(instance, "raw_left_cat_bitsets")
    check_predictor(get(instance, "nodes"), sets)


def histogram_boosting(instance: Any) -> None:
    """Check that trees use existing columns, and categories only in columns of categories."""
    if not has(instance, "_predictors"):
        return
    if get(instance, "_in_fit") if has(instance, "_in_fit") else False:
        raise Damaged("it should not be in the middle of a fit")
    n_features = number(instance, "n_features_in_", 1)
    number(instance, "_n_features", n_features, n_features)
    columns = number(instance, "n_trees_per_iteration_", 1)
    bins = instance_of(get(instance, "_bin_mapper"), "_bin_mapper", BINS)
    categorical = np.flatnonzero(array(bins, "is_categorical_", "u1 bool", n_features))
    thresholds = get(bins, "bin_thresholds_")
    if type(thresholds) is not list or len(thresholds) != n_features:
        raise Damaged("it should have a list of thresholds for each column")
    for place in categorical:
        known = is_array(thresholds[place], "bin_thresholds_", "f8", None)
        if not ((known >= 0) & (known <= 255)).all():
            raise Damaged("categories should be numbered from 0 to 255")
    _predictors(get(instance, "_predictors"), columns, n_features, categorical)
    _preprocessor(vars(instance).get("_preprocessor"), n_features)


def _predictors(iterations: Any, columns: int, n_features: int, categorical: Any) -> None:
    if type(iterations) is not list or not all(
        type(row) is list and len(row) == columns for row in iterations
    ):
        raise Damaged(f"_predictors should be lists of {columns} trees")
    trees = {id(tree): tree for row in iterations for tree in row}  # a file may have one many times
    for tree in trees.values():
        nodes = get(instance_of(tree, "_predictors", PREDICTOR), "nodes")
        predictor(tree)
        asked, by_category = features(nodes)
        if len(asked) and asked[-1] >= n_features:
            raise Damaged(f"a tree asks about a column that is none of its {n_features}")
        if not np.isin(by_category, categorical).all():
            raise Damaged("a tree asks for categories of a column of numbers")


def _preprocessor(found: Any, n_features: int) -> None:
    """None, or what scikit-learn makes itself.

    Categories to numbers, the rest as it is, no column more or less.
    """
    if found is None:
        return
    instance_of(found, "_preprocessor", "sklearn.compose._column_transformer.ColumnTransformer")
    number(found, "n_features_in_", n_features, n_features)
    steps = get(found, "transformers_")
    if type(steps) is not list or not all(type(step) is tuple and len(step) == 3 for step in steps):
        raise Damaged("_preprocessor should be a list of steps")
    named = has(found, "feature_names_in_")
    if named:
        names = is_array(get(found, "feature_names_in_"), "feature_names_in_", "O", n_features)
        if len(set(names)) != n_features:
            raise Damaged("feature_names_in_ should be different names")
    taken = np.zeros(n_features, np.int64)
    for name, step, mask in steps:
        if isinstance(step, str) and step == "drop" and not np.any(mask):
            continue
        instance_of(
            step,
            "a step of _preprocessor",
            "sklearn.preprocessing._encoders.OrdinalEncoder",
            "sklearn.preprocessing._function_transformer.FunctionTransformer",
        )
        if type(step).__name__ == "FunctionTransformer":
            _passes_on(step)
        taken += is_array(mask, "a mask of _preprocessor", "bool", n_features)
        if named:  # of a DataFrame it takes columns by name instead
            _same_columns(get(found, "_transformer_to_input_indices"), name, mask)
    if (taken != 1).any() or get(found, "sparse_output_") is not False:
        raise Damaged("_preprocessor should pass each column on once")


def _same_columns(indices: Any, name: Any, mask: Any) -> None:
    """Raise Damaged unless the columns that a step takes by name are those of its mask."""
    taken = indices.get(name) if type(indices) is dict and type(name) is str else None
    if type(taken) is not list or not all(
        type(place) is int or isinstance(place, np.integer) for place in taken
    ):
        raise Damaged("_transformer_to_input_indices should be lists of places")
    if not np.array_equal(taken, np.flatnonzero(mask)):
        raise Damaged("_transformer_to_input_indices should be the columns of each step")


def _passes_on(step: Any) -> None:
    """The function is None or ``check_array`` with its keywords, which change no column."""
    import functools

    from sklearn.utils import check_array

    function = get(step, "func")
    if function is None:
        return
    if type(function) is not functools.partial or function.func is not check_array or function.args:
        raise Damaged("a step of _preprocessor should pass numbers on as they are")
    if not set(function.keywords) <= {"dtype", "ensure_all_finite"} or get(step, "kw_args"):
        raise Damaged("a step of _preprocessor should pass numbers on as they are")


BASE = "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.BaseHistGradientBoosting"
CHECKS = {
    "sklearn.ensemble._gb.BaseGradientBoosting": gradient_boosting,
    PREDICTOR: predictor,
    BASE: histogram_boosting,
}
