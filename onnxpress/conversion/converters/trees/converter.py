"""Convert trees, forests and boosting models in arrays, following scikit-learn on missing values.

skl2onnx 1.20 reads a tree node by node in Python (about 17 µs and 0.8 KB a node) and leaves out
where a missing value goes in scikit-learn's trees and forests. Here its own converter still decides
everything about the graph (operators, labels, casts, post-transform), but sees hollow trees; the
long attributes of the tree operators that it adds are then written from arrays. The bytes are those
that skl2onnx writes where no split sends missing values left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from onnxpress.conversion.converters.trees.around import AroundTrees
from onnxpress.conversion.converters.trees.arrays import trees_of
from onnxpress.conversion.converters.trees.attributes import (
    MISSING,
    ensemble_attributes,
    leaf_number_attributes,
    node_attributes,
)
from onnxpress.conversion.converters.trees.categories import without_categories
from onnxpress.conversion.converters.trees.deferring import FillingContainer
from onnxpress.conversion.converters.trees.hollow import EXPONENTIAL, convert_as, hollow
from onnxpress.conversion.registering import Converter, replace_converters
from onnxpress.graph.trees.arrays import Array, TreeArrays

LOG_LINKED = ("poisson", "gamma")
"""Losses of histogram boosting whose prediction is the exponential of the trees' sum."""


@cache
def register() -> None:
    """Replace skl2onnx's converters, for this process; calling it again changes nothing."""
    from sklearn import ensemble, tree

    models = []
    for name in ("DecisionTree", "ExtraTree"):
        models += [getattr(tree, f"{name}Classifier"), getattr(tree, f"{name}Regressor")]
    for name in ("RandomForest", "ExtraTrees", "GradientBoosting", "HistGradientBoosting"):
        models += [getattr(ensemble, f"{name}Classifier"), getattr(ensemble, f"{name}Regressor")]
    replace_converters(models, _in_arrays)


def _in_arrays(original: Converter) -> Converter:
    """Wrap skl2onnx's converter so that the tree operators it adds are written from arrays."""

    def convert(scope: Any, operator: Any, container: Any) -> None:
        model = operator.raw_operator
        trees = trees_of(model)
        histogram = hasattr(model, "_predictors")
        trees, memberships = without_categories(model, trees) if histogram else (trees, [])
        as_is = bool(_extras(model, container)) or _is_double(operator)
        if as_is and memberships:
            raise NotImplementedError("native categories need float32 rows")
        raw = bool(container.get_options(model, {}).get("raw_scores"))
        if as_is and raw and _is_exponential(model):
            raise NotImplementedError("exponential loss, its decisions from float64 rows")
        if as_is:
            arrays = _missing_alone(model, trees, _extras(model, container))
        else:
            arrays = (_attributes(model, held, raw=raw) for held in _operators(model, trees))
        filling = FillingContainer(container, arrays)
        exponential = histogram and model.loss in LOG_LINKED
        around = AroundTrees(scope, filling, memberships, exponential=exponential)
        convert_as(model if as_is else hollow(model), original, scope, operator, around)

    return convert


def _extras(model: Any, container: Any) -> int:
    """Count the further tree operators that options of skl2onnx ask for."""
    options = container.get_options(model)
    return sum(bool(options.get(name)) for name in ("decision_path", "decision_leaf"))


def _missing_alone(model: Any, trees: list[TreeArrays], extras: int) -> Iterator[dict[str, Array]]:
    """Make what skl2onnx leaves out where it converts in its own way: where missing values go."""
    operators = _operators(model, trees)
    operators += [[tree] for tree in trees for _ in range(extras)]
    for held in operators:
        yield {MISSING: node_attributes(held)[MISSING]}


def _operators(model: Any, trees: list[TreeArrays]) -> list[Sequence[TreeArrays]]:
    """List the trees of each operator that skl2onnx writes.

    One operator holds all, or each tree has one, whose leaves are looked up in a table.
    """
    if _looks_leaves_up(model):
        return [[tree] for tree in trees if len(tree.split) > 1]
    return [trees]


def _looks_leaves_up(model: Any) -> bool:
    return hasattr(model, "predict_proba") and getattr(model, "n_outputs_", 1) > 1


def _attributes(model: Any, trees: Sequence[TreeArrays], *, raw: bool) -> dict[str, Array]:
    """Make the long attributes of one operator, with the weights that skl2onnx gives its leaves.

    ``raw`` asks for the decision function of a boosting model, not for its probabilities.

    1. Of several outputs, leaves are numbered.
    2. Histogram boosting has the learning rate in its leaves already.
    3. Gradient boosting multiplies by it; with init="zero" skl2onnx gives one base value for all
       classes, which onnxruntime refuses: here each class has one.
    4. Of exponential loss the probability is logistic(2 s), s being the decision function. skl2onnx
       writes this behind the trees, also where s is asked for, and a node without a post-transform
       is read as a probability if no leaf is negative; here 2 s is in the leaves.
    5. Of two classes, scikit-learn gives the second where s = 0, and ONNX the first. A base value
       of 0, without which no sum is 0 but by chance, becomes the smallest normal number.
    6. Trees and forests average, classifiers over shares of the classes.
    """
    if _looks_leaves_up(model):
        return leaf_number_attributes(trees)
    kind = "class" if hasattr(model, "classes_") else "target"
    if hasattr(model, "_predictors"):
        return ensemble_attributes(trees, kind, 1.0, normalise=False)
    if hasattr(model, "learning_rate"):
        return _of_gradient_boosting(model, trees, raw=raw)
    return ensemble_attributes(trees, kind, 1.0 / len(trees), normalise=kind == "class")


def _of_gradient_boosting(
    model: Any, trees: Sequence[TreeArrays], *, raw: bool
) -> dict[str, Array]:
    kind = "class" if hasattr(model, "classes_") else "target"
    slope = 2.0 if _is_exponential(model) and not raw else 1.0
    arrays = ensemble_attributes(trees, kind, slope * model.learning_rate, normalise=False)
    base: Any = None
    if model.init == "zero":
        base = np.zeros(model.estimators_.shape[1])
    elif model.init is None and kind == "class":
        base = slope * model._raw_predict_init(np.zeros((1, model.n_features_in_))).ravel()
    if base is not None:
        arrays["base_values"] = base.astype(np.float32)
        if kind == "class" and len(base) == 1 and base[0] == 0:
            arrays["base_values"] = np.array([np.finfo(np.float32).tiny])
    return arrays


def _is_exponential(model: Any) -> bool:
    return getattr(model, "loss", None) == EXPONENTIAL


def _is_double(operator: Any) -> bool:
    from skl2onnx.common.data_types import guess_numpy_type

    return guess_numpy_type(operator.inputs[0].type) is np.float64
