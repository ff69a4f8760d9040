"""K nearest neighbours as a matrix product, where the metric allows: ``Gemm``, ``TopK`` and ``Gather``.

Of |x - s|² = |x|² + |s|² - 2 x·s the first term is the same for every stored row s, so ``Gemm`` alone ranks them. Squares
cancel: unless all rows are small whole numbers, whose products are exact, they are taken around the rows' mean, a few more
neighbours than asked for are looked up, and those are ranked again by the squares of differences, where nothing cancels.
Of equal votes the first label wins, as in scikit-learn. Of equally near rows the one stored first is taken; which one
scikit-learn takes depends on its search (brute force and k-d tree differ from each other), so that answers on such rows may.

Other metrics stay with skl2onnx's own graph.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.conversion.converters.in_double import in_double
from onnxpress.graph.kernel_machine import centred
from onnxpress.graph.neighbor_names import ROWS, TARGETS
from onnxpress.graph.writer import Writer

METRICS = ("euclidean", "sqeuclidean", "cosine")
MORE = 2
"""Further rows that are looked up and ranked exactly: those that rounding may have put behind the last neighbour."""


@cache
def register() -> None:
    """Put the converters in the place of skl2onnx's, for this process; calling it again changes nothing."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common._registration import get_converter, get_shape_calculator
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    for model in (KNeighborsClassifier, KNeighborsRegressor):
        alias = f"Sklearn{model.__name__}"
        original, shapes = get_converter(alias), get_shape_calculator(alias)
        update_registered_converter(
            model, alias, shapes, _or_as_product(original), options=original.get_allowed_options()
        )


def _or_as_product(original: Callable[..., None]) -> Callable[..., None]:
    double = in_double(original)

    def convert(scope: Any, operator: Any, container: Any) -> None:
        if _is_covered(operator):
            outputs = [variable.full_name for variable in operator.outputs]
            _write(
                operator.raw_operator,
                operator.inputs[0].full_name,
                outputs,
                ContainerWriter(scope, container),
            )
        else:
            double(scope, operator, container)

    return convert


def _is_covered(operator: Any) -> bool:
    """Whether the rows are float32, and metric, weights and targets such as are written here."""
    from skl2onnx.common.data_types import FloatTensorType

    model = operator.raw_operator
    if not isinstance(operator.inputs[0].type, FloatTensorType) or not isinstance(
        model._fit_X, np.ndarray
    ):
        return False
    if (
        model.effective_metric_ not in METRICS
        or model.weights not in ("uniform", "distance")
        or model._y.ndim > 1
    ):
        return False
    return not (model.effective_metric_ == "cosine" and (model._fit_X == 0).all(axis=1).any())


def _write(model: Any, x: str, outputs: list[str], writer: Writer) -> None:
    """Writes label and probabilities, or the prediction."""
    weighted, labelled = model.weights == "distance", hasattr(model, "classes_")
    index, squares = _nearest(model, x, weighted=weighted, writer=writer)
    values = writer.add(
        "Gather", _votes(model, writer) if labelled else _column(model._y, writer), index, axis=0
    )
    mean, keepdims = (
        outputs[-1],
        not labelled,
    )  # (rows, neighbours, classes) or (rows, neighbours) before
    if weighted:
        distance = (
            writer.add("Sqrt", squares) if model.effective_metric_ == "euclidean" else squares
        )
        weights = _weights(distance, writer)
        if labelled:
            weights = writer.add(
                "Reshape", weights, writer.constant(np.array([-1, model.n_neighbors, 1], np.int64))
            )
        writer.reduce(
            "ReduceSum", writer.add("Mul", values, weights), 1, keepdims=keepdims, output=mean
        )
    else:
        writer.reduce("ReduceMean", values, 1, keepdims=keepdims, output=mean)
    if labelled:
        writer.labels(mean, model.classes_, outputs[0])


def _nearest(model: Any, x: str, *, weighted: bool, writer: Writer) -> tuple[str, str]:
    """Numbers of the nearest stored rows, int64 (rows, neighbours), and, if ``weighted``, their squared distances."""
    rows = np.asarray(model._fit_X, np.float64)
    if model.effective_metric_ == "cosine":  # half the squared distance of two unit vectors
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        norm = writer.reduce("ReduceL2", x, 1)
        x = writer.add(
            "Div", x, writer.add("Max", norm, writer.constant(np.array([1e-30], np.float32)))
        )
    stored = rows.astype(np.float32)
    _, centre = centred(stored)
    stored_name = writer.constant(stored, ROWS)
    around, name = x, stored_name
    if centre is not None:
        around, name = (
            writer.add("Sub", value, writer.constant(centre)) for value in (x, stored_name)
        )
    whole = centre is None
    count = model.n_neighbors if whole else min(model.n_neighbors + MORE, len(stored))
    own = writer.reduce("ReduceSumSquare", name, 1, keepdims=False)
    ranks = writer.add("Gemm", around, name, own, alpha=-2.0, transB=1)
    _, index = _top(ranks, count, writer)
    if whole and not weighted:
        return index, ""
    near = writer.add(
        "Cast", writer.add("Gather", stored_name, index, axis=0), to=TensorProto.DOUBLE
    )
    row = writer.add("Reshape", x, writer.constant(np.array([-1, 1, stored.shape[1]], np.int64)))
    apart = writer.add("Sub", near, writer.add("Cast", row, to=TensorProto.DOUBLE))
    squares, place = _top(
        writer.reduce("ReduceSumSquare", apart, 2, keepdims=False), model.n_neighbors, writer
    )
    return writer.add("GatherElements", index, place, axis=1), writer.add(
        "Cast", squares, to=TensorProto.FLOAT
    )


def _top(values: str, count: int, writer: Writer) -> tuple[str, str]:
    """The smallest values of each row and where they are."""
    return writer.add_pair("TopK", values, writer.constant(np.array([count], np.int64)), largest=0)


def _weights(distance: str, writer: Writer) -> str:
    """Shares (rows, neighbours) in inverse proportion to the distances; where some are 0, those alone share."""
    zero = writer.add(
        "Cast",
        writer.add("Equal", distance, writer.constant(np.zeros(1, np.float32))),
        to=TensorProto.FLOAT,
    )
    some = writer.add("Cast", writer.reduce("ReduceMax", zero, 1), to=TensorProto.BOOL)
    weights = writer.add("Where", some, zero, writer.add("Reciprocal", distance))
    return writer.add("Div", weights, writer.reduce("ReduceSum", weights, 1))


def _votes(model: Any, writer: Writer) -> str:
    """What each stored row votes for, float32 (stored rows, classes)."""
    number = writer.whole(model._y, TensorProto.INT64)
    depth = writer.constant(np.array(len(model.classes_), np.int64))
    return writer.add(
        "OneHot", number, depth, writer.constant(np.array([0, 1], np.float32)), axis=-1
    )


def _column(targets: NDArray[Any], writer: Writer) -> str:
    """The target of each stored row, float32 (stored rows,)."""
    whole = (targets == np.round(targets)).all() and np.abs(targets).max() < 2**15
    return (
        writer.whole(targets.astype(np.int64))
        if whole
        else writer.constant(targets.astype(np.float32), TARGETS)
    )
