"""ColumnTransformers that choose columns by position, whatever the columns are called.

skl2onnx looks columns up among the names of the graph's inputs, and gives inputs whose name is no
identifier another one. So a graph is made with plain input names, and columns are chosen by position.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


def by_position(estimator: Any) -> Any:
    """The fitted estimator with every ColumnTransformer in it choosing by position.

    The estimator stays as it is. What holds a ColumnTransformer is copied, one level deep; all else is
    shared.
    """
    return _copied(estimator, {})


@contextmanager
def any_order() -> Iterator[None]:
    """Let skl2onnx slice all columns of a matrix in the order that they are asked for in.

    Version 1.20 passes the matrix on as it is where as many columns are asked for as there are. To be
    deleted when ``skl2onnx._parse._fetch_input_slice`` looks at the order.
    """
    from skl2onnx import _parse

    fetch = _parse._fetch_input_slice

    def fetch_in_order(scope: Any, inputs: list[Any], columns: list[int]) -> list[Any]:
        found: list[Any] = fetch(scope, inputs, columns)
        if found is not inputs or list(columns) == list(range(len(columns))):
            return found
        slicing = scope.declare_local_operator("SklearnArrayFeatureExtractor")
        slicing.inputs, slicing.column_indices = inputs, columns
        slicing.outputs.append(scope.declare_local_variable("columns_in_order", inputs[0].type))
        outputs: list[Any] = slicing.outputs
        return outputs

    _parse._fetch_input_slice = fetch_in_order
    try:
        yield
    finally:
        _parse._fetch_input_slice = fetch


def _copied(item: Any, done: dict[int, Any]) -> Any:
    """``item`` itself unless something in it changes; ``done`` are results by the id of the original."""
    from sklearn.base import BaseEstimator

    if id(item) in done:
        return done[id(item)]
    done[id(item)] = item  # where an object holds itself
    if isinstance(item, BaseEstimator):
        done[id(item)] = _copied_estimator(item, done)
    elif isinstance(item, dict):
        done[id(item)] = _copied_dict(item, done)
    elif isinstance(item, (list, tuple)) and type(item) in (list, tuple):
        parts = [_copied(part, done) for part in item]
        if _differ(parts, item):
            done[id(item)] = type(item)(parts)
    elif isinstance(item, np.ndarray) and item.dtype == object and item.ndim:
        done[id(item)] = _copied_array(item, done)
    return done[id(item)]


def _copied_estimator(item: Any, done: dict[int, Any]) -> Any:
    from sklearn.compose import ColumnTransformer

    fields = {name: _copied(value, done) for name, value in vars(item).items()}
    if isinstance(item, ColumnTransformer) and "transformers_" in fields:
        fields["transformers_"] = _positions(item, fields["transformers_"])
    if not _differ(fields.values(), vars(item).values()):
        return item
    result = object.__new__(type(item))
    vars(result).update(fields)
    return result


def _copied_dict(item: dict[Any, Any], done: dict[int, Any]) -> dict[Any, Any]:
    values = {key: _copied(value, done) for key, value in item.items()}
    if not _differ(values.values(), item.values()):
        return item
    result = copy.copy(item)  # scikit-learn's Bunch, for one
    result.update(values)
    return result


def _copied_array(item: Any, done: dict[int, Any]) -> Any:
    parts = [_copied(part, done) for part in item.flat]
    if not _differ(parts, item.flat):
        return item
    result = np.empty(item.size, object)
    result[:] = parts
    return result.reshape(item.shape)


def _positions(transformer: Any, fitted: list[Any]) -> list[Any]:
    """``transformers_`` with positions; a single column stays a single one."""
    found = transformer._transformer_to_input_indices
    return [
        (name, part, int(found[name][0]) if isinstance(columns, str) else [int(i) for i in found[name]])
        for name, part, columns in fitted
    ]


def _differ(ones: Any, others: Any) -> bool:
    return any(one is not other for one, other in zip(ones, others, strict=True))
