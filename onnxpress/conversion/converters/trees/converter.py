"""skl2onnx's tree converters, working in arrays and following scikit-learn on missing values.

skl2onnx 1.20 reads a tree node by node in Python (about 17 µs and 0.8 KB a node) and leaves out where a missing value goes
in scikit-learn's trees and forests. Here its own converter still decides everything about the graph (operators, labels,
casts, post-transform), but is shown trees cut down to two nodes; the long attributes of the tree operators that it adds
are then written from arrays: the same bytes as skl2onnx writes where no split sends missing values left.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx

from onnxpress.conversion.converters.trees.arrays import (
    MISSING,
    Array,
    TreeArrays,
    ensemble_attributes,
    leaf_number_attributes,
    node_attributes,
    trees_of,
)
from onnxpress.conversion.converters.trees.histogram import (
    LOG_LINKED,
    AroundTrees,
    without_categories,
)
from onnxpress.graph.trees.fields import replace

_PENDING: ContextVar[dict[str, dict[str, Array]] | None] = ContextVar("_PENDING", default=None)
"""Arrays by the name of the tree operator that waits for them."""


@contextmanager
def deferred() -> Iterator[Callable[[onnx.ModelProto], None]]:
    """Within this context converted tree operators stay empty until the yielded function is called on the model.

    skl2onnx copies a model eight times over while it builds it, and callers may again; empty operators cost nothing.
    The function raises RuntimeError if an operator that waits to be filled is not in the model under its own name.
    """
    pending: dict[str, dict[str, Array]] = {}

    def fill(model: onnx.ModelProto) -> None:
        for node in model.graph.node:
            _fill(node, pending.pop(node.name, {}))
        if pending:
            raise RuntimeError(
                f"tree operators {sorted(pending)} were converted but are not in the model"
            )

    token = _PENDING.set(pending)
    try:
        yield fill
    finally:
        _PENDING.reset(token)


@cache
def register() -> None:
    """Put the array converters in the place of skl2onnx's, for this process; calling it again changes nothing."""
    from skl2onnx import update_registered_converter
    from skl2onnx._supported_operators import sklearn_operator_name_map
    from skl2onnx.common._registration import get_converter, get_shape_calculator
    from sklearn import ensemble, tree

    def wrap(model: type, wrapped: Callable[[Callable[..., None]], Callable[..., None]]) -> None:
        alias = sklearn_operator_name_map[model]
        original, shapes = get_converter(alias), get_shape_calculator(alias)
        update_registered_converter(
            model, alias, shapes, wrapped(original), options=original.get_allowed_options()
        )

    families = {
        tree: ("DecisionTree", "ExtraTree"),
        ensemble: ("RandomForest", "ExtraTrees", "GradientBoosting", "HistGradientBoosting"),
    }
    for module, names in families.items():
        for model in (
            getattr(module, name + kind) for name in names for kind in ("Classifier", "Regressor")
        ):
            wrap(model, _in_arrays)


def _in_arrays(original: Callable[..., None]) -> Callable[..., None]:
    """skl2onnx's converter ``original``, with the tree operators it adds written from arrays."""

    def convert(scope: Any, operator: Any, container: Any) -> None:
        model = operator.raw_operator
        options = container.get_options(model)
        extras = sum(bool(options.get(name)) for name in ("decision_path", "decision_leaf"))
        trees = trees_of(model)
        histogram = hasattr(model, "_predictors")
        trees, memberships = without_categories(model, trees) if histogram else (trees, [])
        exponential = histogram and model.loss in LOG_LINKED
        operators = _operators(model, trees)
        as_is = bool(extras) or _is_double(operator)
        if as_is and memberships:
            raise NotImplementedError("native categories need float32 rows")
        if as_is:  # rare: skl2onnx's own way, plus the missing values it leaves out
            operators += [[tree] for tree in trees for _ in range(extras)]
            arrays = ({MISSING: node_attributes(held)[MISSING]} for held in operators)
        else:
            arrays = (_attributes(model, held) for held in operators)
        around = AroundTrees(
            _Filling(container, arrays), scope, memberships, exponential=exponential
        )
        convert_as(model if as_is else _hollow(model), original, scope, operator, around)

    return convert


def convert_as(
    substitute: Any, original: Callable[..., None], scope: Any, operator: Any, container: Any
) -> None:
    """Run skl2onnx's converter on ``substitute`` in the place of the operator's estimator, under the same options."""
    model, operator.raw_operator = operator.raw_operator, substitute
    stores = [store for store in (scope.options, container.options) if store and id(model) in store]
    try:
        for store in stores:  # options are kept by the estimator's id
            store[id(substitute)] = store[id(model)]
        original(scope, operator, container)
    finally:
        operator.raw_operator = model
        for store in stores if substitute is not model else ():
            store.pop(id(substitute), None)


def _operators(model: Any, trees: list[TreeArrays]) -> list[Sequence[TreeArrays]]:
    """The trees held by each operator that skl2onnx writes: one for all, or one a tree to be looked up in a table."""
    return [[tree] for tree in trees if len(tree.split) > 1] if _looks_leaves_up(model) else [trees]


def _looks_leaves_up(model: Any) -> bool:
    return hasattr(model, "predict_proba") and getattr(model, "n_outputs_", 1) > 1


def _attributes(model: Any, trees: Sequence[TreeArrays]) -> dict[str, Array]:
    """The long attributes of one operator, with the weights that skl2onnx gives to this family's leaves."""
    if _looks_leaves_up(model):
        return leaf_number_attributes(trees)
    kind = "class" if hasattr(model, "classes_") else "target"
    if hasattr(
        model, "_predictors"
    ):  # histogram boosting: the learning rate is in the leaves already
        return ensemble_attributes(trees, kind, 1.0, normalise=False)
    if hasattr(model, "learning_rate"):
        arrays = ensemble_attributes(trees, kind, model.learning_rate, normalise=False)
        if (
            model.init == "zero"
        ):  # skl2onnx gives one base value for all classes, which onnxruntime refuses
            arrays["base_values"] = np.zeros(model.estimators_.shape[1], np.float32)
        return arrays
    return ensemble_attributes(trees, kind, 1.0 / len(trees), normalise=kind == "class")


def _hollow(model: Any) -> Any:
    """A shallow copy of ``model`` with trees of at most two nodes (skl2onnx asks whether there is more than one)."""
    result = copy.copy(model)
    if hasattr(model, "_predictors"):
        result._predictors = [
            [SimpleNamespace(nodes=())] * len(trees) for trees in model._predictors
        ]
    elif not hasattr(model, "estimators_"):
        leaves = {
            "children_left": (-1, -1),
            "children_right": (-1, -1),
            "feature": (0, 0),
            "threshold": (0.0, 0.0),
        }
        result.tree_ = SimpleNamespace(
            node_count=min(2, model.tree_.node_count), value=model.tree_.value, **leaves
        )
    elif isinstance(model.estimators_, np.ndarray):
        result.estimators_ = np.array(
            [[_hollow(tree) for tree in stage] for stage in model.estimators_], dtype=object
        )
    else:
        result.estimators_ = [_hollow(tree) for tree in model.estimators_]
    return result


def _is_double(operator: Any) -> bool:
    from skl2onnx.common.data_types import guess_numpy_type

    return guess_numpy_type(operator.inputs[0].type) is np.float64


class _Filling:
    """A skl2onnx container that fills the tree operators added to it, one after the other, with ``arrays``."""

    def __init__(self, container: Any, arrays: Iterable[dict[str, Array]]) -> None:
        self._container, self._arrays = container, iter(arrays)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, op_type: str, *positional: Any, **named: Any) -> None:
        """As the container's own; one element stands for each array while onnx checks and sorts the attributes."""
        if not op_type.startswith("TreeEnsemble"):
            self._container.add_node(op_type, *positional, **named)
            return
        arrays = next(self._arrays)
        stand_ins = {name: array[:1].tolist() for name, array in arrays.items()}
        self._container.add_node(op_type, *positional, **{**named, **stand_ins})
        node, pending = self._container.nodes[-1], _PENDING.get()
        if pending is None:
            _fill(node, arrays)
        else:
            pending[node.name] = arrays


def _fill(node: Any, arrays: dict[str, Array]) -> None:
    """Replace the elements of the repeated attributes named in ``arrays``, in place; ``arrays`` is left empty."""
    for attribute in node.attribute:
        if attribute.name in arrays:
            replace(attribute, arrays.pop(attribute.name))
