"""Convert k nearest neighbours to a matrix product, where the metric allows.

Of |x - s|² = |x|² + |s|² - 2 x·s the first term is the same for each stored row s, so that ``Gemm``
alone ranks them. Squares cancel: unless all rows are small whole numbers, whose products are exact,
they are taken around the rows' mean, a few more neighbours than asked for are looked up, and those
are ranked again by the squares of differences, where nothing cancels.

Of equal votes the first label wins, as in scikit-learn. Of equally near rows the one stored first
is taken; which one scikit-learn takes depends on its search (brute force and k-d tree differ from
each other), so that predictions for such rows may differ.

Other metrics stay with skl2onnx's own graph, in float64, and so do the distances of a transformer.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.conversion.converters.in_double import in_double
from onnxpress.conversion.registering import Converter, replace_converters
from onnxpress.graph.kernel_machine import centred
from onnxpress.graph.neighbor_names import ROWS, TARGETS
from onnxpress.graph.writer import Writer

METRICS = ("euclidean", "sqeuclidean", "cosine")
MORE = 2
"""Further rows to rank exactly: those that rounding may have put behind the last neighbour."""

MOST_NUMBERS = 2**28
"""The most that stored rows may hold once they are dense: 1 GiB of float32."""


@cache
def register() -> None:
    """Replace skl2onnx's converters, for this process; calling it again changes nothing."""
    from sklearn.neighbors import (
        KNeighborsClassifier,
        KNeighborsRegressor,
        KNeighborsTransformer,
    )

    replace_converters([KNeighborsClassifier, KNeighborsRegressor], _as_product)
    replace_converters([KNeighborsTransformer], in_double)


def _as_product(original: Converter) -> Converter:
    """Convert what the product covers; leave the rest to ``original``, in float64."""
    double = in_double(original)

    def convert(scope: Any, operator: Any, container: Any) -> None:
        if not _is_covered(operator):
            double(scope, operator, container)
            return
        outputs = [variable.full_name for variable in operator.outputs]
        writer = ContainerWriter(scope, container)
        _write(operator.raw_operator, operator.inputs[0].full_name, outputs, writer)

    return convert


def _is_covered(operator: Any) -> bool:
    """Whether the rows are float32, and metric, weights and targets are written here.

    A stored row of zeros has no cosine.
    """
    from skl2onnx.common.data_types import FloatTensorType

    model = operator.raw_operator
    if not isinstance(operator.inputs[0].type, FloatTensorType):
        return False
    if np.prod(model._fit_X.shape, dtype=float) > MOST_NUMBERS:
        return False
    if hasattr(model, "classes_") and model._y.ndim > 1:
        return False
    if model.effective_metric_ not in METRICS or model.weights not in ("uniform", "distance"):
        return False
    return not (model.effective_metric_ == "cosine" and (_stored(model) == 0).all(axis=1).any())


def _stored(model: Any) -> NDArray[np.float64]:
    """Return the rows that it was fitted on, which are sparse behind a one-hot encoder."""
    rows = model._fit_X
    return np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows, np.float64)


def _write(model: Any, x: str, outputs: list[str], writer: Writer) -> None:
    """Write label and probabilities, or the prediction."""
    weighted, labelled = model.weights == "distance", hasattr(model, "classes_")
    index, squares = _nearest(model, x, weighted=weighted, writer=writer)
    votes = _votes(model, writer) if labelled else _targets(model._y, writer)
    # (rows, neighbours, classes or targets), of a single target (rows, neighbours)
    values = writer.add("Gather", votes, index, axis=0)
    wide = labelled or model._y.ndim > 1
    mean, keepdims = outputs[-1], not wide
    if weighted:
        weights = _weights(model, squares, writer)
        if wide:
            shape = writer.constant(np.array([-1, model.n_neighbors, 1], np.int64))
            weights = writer.add("Reshape", weights, shape)
        values = writer.add("Mul", values, weights)
    reduction = "ReduceSum" if weighted else "ReduceMean"
    writer.reduce(reduction, values, 1, keepdims=keepdims, output=mean)
    if labelled:
        writer.labels(mean, model.classes_, outputs[0])


def _nearest(model: Any, x: str, *, weighted: bool, writer: Writer) -> tuple[str, str]:
    """Write the numbers of the nearest stored rows, int64 (rows, neighbours).

    If ``weighted``, their squared distances follow, float32 (rows, neighbours).
    """
    rows = _stored(model)
    if model.effective_metric_ == "cosine":  # half the squared distance of two unit vectors
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        x = _of_norm_1(x, writer)
    stored = rows.astype(np.float32)
    _, centre = centred(stored)
    stored_name = writer.constant(stored, ROWS)
    around, name = x, stored_name
    if centre is not None:
        around = writer.add("Sub", x, writer.constant(centre))
        name = writer.add("Sub", stored_name, writer.constant(centre))
    exact = centre is None
    count = model.n_neighbors if exact else min(model.n_neighbors + MORE, len(stored))
    own = writer.reduce("ReduceSumSquare", name, 1, keepdims=False)
    ranks = writer.add("Gemm", around, name, own, alpha=-2.0, transB=1)
    _, index = _smallest(ranks, count, writer)
    if exact and not weighted:
        return index, ""
    squares = _squares(x, stored_name, index, stored.shape[1], writer)
    squares, place = _smallest(squares, model.n_neighbors, writer)
    index = writer.add("GatherElements", index, place, axis=1)
    return index, writer.add("Cast", squares, to=TensorProto.FLOAT)


def _of_norm_1(x: str, writer: Writer) -> str:
    """Divide each row by its norm; a row of zeros stays."""
    norm = writer.reduce("ReduceL2", x, 1)
    above_0 = writer.add("Max", norm, writer.constant(np.array([1e-30], np.float32)))
    return writer.add("Div", x, above_0)


def _squares(x: str, stored: str, index: str, features: int, writer: Writer) -> str:
    """Write the squared distances to the stored rows at ``index``, float64 (rows, neighbours)."""
    near = writer.add("Cast", writer.add("Gather", stored, index, axis=0), to=TensorProto.DOUBLE)
    row = writer.add("Reshape", x, writer.constant(np.array([-1, 1, features], np.int64)))
    apart = writer.add("Sub", near, writer.add("Cast", row, to=TensorProto.DOUBLE))
    return writer.reduce("ReduceSumSquare", apart, 2, keepdims=False)


def _smallest(values: str, count: int, writer: Writer) -> tuple[str, str]:
    """Write the smallest values of each row, and where they are."""
    return writer.add_pair("TopK", values, writer.constant(np.array([count], np.int64)), largest=0)


def _weights(model: Any, squares: str, writer: Writer) -> str:
    """Write shares (rows, neighbours) in inverse proportion to the distances.

    Where some distances are 0, those rows alone share: [0, 2] has the shares [1, 0].
    """
    euclidean = model.effective_metric_ == "euclidean"
    distance = writer.add("Sqrt", squares) if euclidean else squares
    equal = writer.add("Equal", distance, writer.constant(np.zeros(1, np.float32)))
    zero = writer.add("Cast", equal, to=TensorProto.FLOAT)
    some = writer.add("Cast", writer.reduce("ReduceMax", zero, 1), to=TensorProto.BOOL)
    weights = writer.add("Where", some, zero, writer.add("Reciprocal", distance))
    return writer.add("Div", weights, writer.reduce("ReduceSum", weights, 1))


def _votes(model: Any, writer: Writer) -> str:
    """Write what each stored row votes for, float32 (stored rows, classes)."""
    number = writer.whole(model._y, TensorProto.INT64)
    depth = writer.constant(np.array(len(model.classes_), np.int64))
    off_on = writer.constant(np.array([0, 1], np.float32))
    return writer.add("OneHot", number, depth, off_on, axis=-1)


def _targets(targets: NDArray[Any], writer: Writer) -> str:
    """Write the target of each stored row, float32 (stored rows,) or (stored rows, targets)."""
    whole = (targets == np.round(targets)).all() and np.abs(targets).max() < 2**15
    if whole:
        return writer.whole(targets.astype(np.int64))
    return writer.constant(targets.astype(np.float32), TARGETS)
