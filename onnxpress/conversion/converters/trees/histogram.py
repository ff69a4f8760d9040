"""What histogram gradient boosting needs around its tree operator: native categories as columns, and the log link.

skl2onnx 1.20 leaves both out without a word: it compares categories with a threshold that means nothing, and answers a
Poisson or gamma regression with the logarithm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import TensorProto

from onnxpress.conversion.converters.trees.arrays import Array, TreeArrays

LOG_LINKED = ("poisson", "gamma")
"""Losses whose prediction is the exponential of the trees' sum."""

WORDS = 8
"""Of 32 bits, in scikit-learn's bit set of 256 categories."""

_LOWEST_OPSET = 11  # the first Equal for floats


@dataclass(frozen=True)
class Membership:
    """Columns, one for each distinct category split of one feature: 1 for the rows that go right, else 0."""

    feature: int
    categories: Array
    """(categories,) float32, as they come in the rows."""
    right: Array
    """(categories, splits) float32 of 0 and 1."""
    unknown_right: Array
    """(splits,) float32 of 0 and 1: where missing values and categories never seen go."""


def without_categories(
    model: Any, trees: Sequence[TreeArrays]
) -> tuple[list[TreeArrays], list[Membership]]:
    """The same trees on raw rows followed by the columns of the memberships; they split on these at 0.5.

    scikit-learn moves categorical features to the front and numbers their categories before its trees see a row.

    Raises:
        NotImplementedError: the categories are not numbers.
    """
    if model.is_categorical_ is None:
        return list(trees), []
    predictors = [predictor for iteration in model._predictors for predictor in iteration]
    order = np.argsort(~model.is_categorical_, kind="stable")
    splits = [np.flatnonzero(predictor.nodes["is_categorical"]) for predictor in predictors]
    tests = np.concatenate(
        [_tests(predictor, at) for predictor, at in zip(predictors, splits, strict=True)]
    )
    distinct, column = np.unique(tests, axis=0, return_inverse=True)
    columns = np.split(len(order) + column.reshape(-1), np.cumsum([len(at) for at in splits])[:-1])
    result = []
    for tree, at, new in zip(trees, splits, columns, strict=True):
        feature, threshold, missing_left = (
            order[tree.feature],
            tree.threshold.copy(),
            tree.missing_left.copy(),
        )
        feature[at], threshold[at], missing_left[at] = new, 0.5, False
        result.append(
            replace(tree, feature=feature, threshold=threshold, missing_left=missing_left)
        )
    known = model._preprocessor.named_transformers_["encoder"].categories_
    return result, [
        _membership(int(order[number]), known[number], distinct[distinct[:, 0] == number])
        for number in np.unique(distinct[:, 0])
    ]


def _tests(predictor: Any, at: Array) -> Array:
    """Feature, where missing values go, and the 8 words of the bit set of categories that go left, for nodes ``at``."""
    nodes = predictor.nodes[at]
    left = predictor.raw_left_cat_bitsets[nodes["bitset_idx"]].reshape(len(at), WORDS)
    return np.column_stack([nodes["feature_idx"], nodes["missing_go_to_left"], left]).astype(
        np.uint32
    )


def _membership(feature: int, known: Array, tests: Array) -> Membership:
    if known.dtype.kind not in "fiub":
        raise NotImplementedError(
            f"native categories of type {known.dtype}; encode them in a pipeline instead"
        )
    categories = known[known == known]  # noqa: PLR0124 - NaN, the last one if present, counts as missing
    bits = (tests[:, 2:, None] >> np.arange(32, dtype=np.uint32)) & 1
    left = bits.reshape(len(tests), -1)[:, : len(categories)]
    return Membership(
        feature,
        categories.astype(np.float32),
        (1 - left.T).astype(np.float32),
        (tests[:, 1] == 0).astype(np.float32),
    )


class AroundTrees:
    """A skl2onnx container that adds the membership columns before, and the exponential after, a tree operator."""

    def __init__(
        self, container: Any, scope: Any, memberships: Sequence[Membership], *, exponential: bool
    ) -> None:
        """Pass everything on to ``container``.

        Raises:
            NotImplementedError: memberships below opset 11.
        """
        self._container, self._scope, self._memberships, self._exponential = (
            container,
            scope,
            memberships,
            exponential,
        )
        if memberships and container.target_opset < _LOWEST_OPSET:
            raise NotImplementedError(f"native categories need opset {_LOWEST_OPSET} or newer")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, op_type: str, inputs: Any, outputs: Any, **named: Any) -> None:
        """As the container's own."""
        if not op_type.startswith("TreeEnsemble"):
            self._container.add_node(op_type, inputs, outputs, **named)
            return
        if self._memberships:
            inputs = self._with_columns(inputs if isinstance(inputs, str) else inputs[0])
        if not self._exponential:
            self._container.add_node(op_type, inputs, outputs, **named)
            return
        logarithm = self._name("log_prediction")
        self._container.add_node(op_type, inputs, logarithm, **named)
        self._container.add_node(
            "Exp", logarithm, outputs, name=self._scope.get_unique_operator_name("Exp")
        )

    def _with_columns(self, rows: str) -> str:
        """(rows, features) to (rows, features + splits): categories one-hot, times a table of 0 and 1."""
        rows = self._node("Cast", rows, to=TensorProto.FLOAT)
        columns = [rows]
        for one in self._memberships:
            value = self._node(
                "Gather", rows, self._constant("feature", np.array([one.feature])), axis=1
            )
            hit = self._node(
                "Cast",
                self._node("Equal", value, self._constant("categories", one.categories)),
                to=TensorProto.FLOAT,
            )
            known = self._node(
                "MatMul", hit, self._constant("right", one.right - one.unknown_right)
            )
            columns.append(
                self._node("Add", known, self._constant("unknown_right", one.unknown_right))
            )
        return self._node("Concat", *columns, axis=1)

    def _node(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        output = self._name(op_type.lower())
        name = self._scope.get_unique_operator_name(op_type)
        self._container.add_node(op_type, list(inputs), output, name=name, **attributes)
        return output

    def _constant(self, stem: str, array: Array) -> str:
        name = self._name(stem)
        kind = TensorProto.FLOAT if array.dtype.kind == "f" else TensorProto.INT64
        self._container.add_initializer(name, kind, array.shape, array.ravel())
        return name

    def _name(self, stem: str) -> str:
        name: str = self._scope.get_unique_variable_name(stem)
        return name
