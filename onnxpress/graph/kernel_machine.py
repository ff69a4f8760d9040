"""Compute the decisions of support vector machines by matrix products.

    kernel (rows, vectors)   = f(x vectorsᵀ)                    one Gemm
    decisions (rows, pairs)  = kernel coefficientsᵀ + offset    another

These are libsvm's one-against-one classifiers and its regressors.

1. The squared norms of an RBF kernel, |x - s|² = |x|² + |s|² - 2 x·s, are taken around the vectors'
   mean, where they cancel least.
2. Where a decision may be a small sum of large terms, all is computed in float64, from coefficients
   in float64 if they came so.
3. What depends on vectors and coefficients alone is left to operators with constant inputs, which a
   runtime computes once, when it loads the model. So either can be stored in fewer bits without
   touching anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxpress.graph.writer import Writer

VECTORS, COEFFICIENTS = "kernel_vectors", "kernel_coefficients"
"""The first parts of the names of initializers that hold them.

Support vectors are (vectors, features), coefficients (classes - 1 or pairs, vectors).
"""

GATHER_ELEMENTS = 11
"""The version of ai.onnx that brought the operator."""

LARGE = 80.0
"""Decisions whose terms may add up to more than this are computed in float64.

As measured, float32 rounds them by up to 5e-8 of that sum, and scores should differ by less than
1e-5. The margin of a classifier is 1.
"""

FAR = 40.0
"""Above this exponent of a vector's own norm, exp of it may leave float32; it stays in the sum."""

Array = NDArray[np.float32]
Floats = NDArray[np.float32] | NDArray[np.float64]


class Untreatable(Exception):
    """A machine that matrix products do not cover; the message says why."""


@dataclass(frozen=True)
class KernelMachine:
    """What a SVMClassifier or SVMRegressor node (ai.onnx.ml 1) computes.

    All is float32 in a node; a fitted estimator has coefficients and offset in float64.
    """

    kernel: str
    gamma: float
    coef0: float
    degree: float
    vectors: Array
    """(vectors, features), in the order of the classes."""
    coefficients: Floats
    """(classes - 1, vectors) in libsvm's layout, one row for a regressor."""
    offset: Floats
    """One for each pair of classes, or one."""
    per_class: NDArray[np.int64]
    """The number of vectors of each class; empty for a regressor."""

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The pairs of classes in the order of their decisions."""
        return list(combinations(range(len(self.per_class)), 2))


def read(node: onnx.NodeProto) -> KernelMachine:
    """Read the machine of a SVMClassifier or SVMRegressor node.

    Raises:
        Untreatable: it has no support vectors, a post-transform, or detects outliers.
    """
    given = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    per_class = np.array(given.get("vectors_per_class", ()), np.int64)
    count = int(per_class.sum()) or int(given.get("n_supports", 0))
    if not count or not len(given.get("support_vectors", ())):
        raise Untreatable("it has no support vectors")
    if given.get("post_transform", b"NONE") != b"NONE" or given.get("one_class"):
        raise Untreatable("it has a post-transform or detects outliers")
    gamma, coef0, degree = given.get("kernel_params", (0.0, 0.0, 3.0))
    return KernelMachine(
        given.get("kernel_type", b"LINEAR").decode(),
        gamma,
        coef0,
        degree,
        np.array(given["support_vectors"], np.float32).reshape(count, -1),
        np.array(given["coefficients"], np.float32).reshape(-1, count),
        np.array(given["rho"], np.float32),
        per_class,
    )


def decisions(machine: KernelMachine, x: str, writer: Writer, output: str = "") -> str:
    """Write the decisions (rows, pairs) of float32 ``x`` (rows, features); return their name."""
    precise = _Precise(writer, double=_cancels(machine))
    kernel, coefficients = _kernel(machine, precise.widened(x), precise)
    offset = precise.number(machine.offset)
    if not precise.double:
        return writer.add("Gemm", kernel, coefficients, offset, output=output, transB=1)
    found = writer.add("Gemm", kernel, coefficients, offset, transB=1)
    return writer.add("Cast", found, output=output, to=TensorProto.FLOAT)


def _kernel(machine: KernelMachine, x: str, precise: _Precise) -> tuple[str, str]:
    """Write the kernel (rows, vectors) and the coefficients (pairs, vectors).

    Of a linear machine, these are the rows themselves and the weights (pairs, features).
    """
    if machine.kernel == "LINEAR":
        return x, precise.matrix(primal(machine), COEFFICIENTS)
    if machine.kernel == "RBF":
        return _rbf(machine, x, precise)
    return _of_products(machine, x, precise)


@dataclass(frozen=True)
class _Precise:
    """The precision that a machine is computed in; vectors are stored in float32 in either."""

    writer: Writer
    double: bool

    def widened(self, name: str) -> str:
        """Cast a float32 value to this precision."""
        return self.writer.add("Cast", name, to=TensorProto.DOUBLE) if self.double else name

    def number(self, values: Floats | float) -> str:
        """Write a small constant in this precision."""
        return self.writer.constant(np.array(values, np.float64 if self.double else np.float32))

    def matrix(self, values: Floats, name: str) -> str:
        """Write a matrix in this precision, stored as it came if that is float32."""
        if self.double and values.dtype == np.float64:
            return self.writer.constant(values, name)
        return self.widened(self.writer.constant(values.astype(np.float32), name))


def _cancels(machine: KernelMachine) -> bool:
    """Whether float32 may round the terms of a decision by more than a score may differ."""
    if machine.kernel == "LINEAR":
        terms = np.abs(primal(machine)) * np.abs(machine.vectors).max(axis=0)
        return float(terms.sum(axis=1).max()) > LARGE
    sums = np.abs(_by_pair(machine)).sum(axis=1, dtype=np.float64)
    return _reach(machine) * float(sums.max()) > LARGE


def _reach(machine: KernelMachine) -> float:
    """Estimate the largest value of the kernel, times what rounding its argument costs."""
    longest = _longest(machine.vectors)
    if machine.kernel == "POLY":
        return float((machine.gamma * longest + abs(machine.coef0)) ** machine.degree)
    if machine.kernel == "RBF":
        longest = _longest(centred(machine.vectors)[0])
    return 1 + machine.gamma * longest


def _longest(vectors: Array) -> float:
    """Return the greatest squared norm."""
    return float(np.square(vectors, dtype=np.float64).sum(axis=1).max())


def _of_products(machine: KernelMachine, x: str, precise: _Precise) -> tuple[str, str]:
    """Write a kernel that is a function of x·s."""
    writer = precise.writer
    vectors = precise.widened(writer.constant(machine.vectors, VECTORS))
    inner = _scaled(machine, x, vectors, precise)
    if machine.kernel == "SIGMOID":
        kernel = writer.add("Tanh", inner)
    elif machine.kernel == "POLY":
        kernel = writer.add("Pow", inner, precise.number(machine.degree))
    else:
        raise Untreatable(f"its kernel is {machine.kernel}")
    return kernel, _coefficients(machine, precise)


def _scaled(machine: KernelMachine, x: str, vectors: str, precise: _Precise) -> str:
    """Write gamma x·s + coef0.

    Attributes are float32, so that in float64 gamma is a constant instead.
    """
    writer, coef0 = precise.writer, precise.number(np.array([machine.coef0]))
    if not precise.double:
        return writer.add("Gemm", x, vectors, coef0, alpha=machine.gamma, transB=1)
    inner = writer.add("Mul", x, precise.number(machine.gamma))
    return writer.add("Gemm", inner, vectors, coef0, transB=1)


def _rbf(machine: KernelMachine, x: str, precise: _Precise) -> tuple[str, str]:
    """Write exp(gamma (2 x·s - |x|²)) and coefficients times exp(-gamma |s|²).

    The second factor is constant: an addition less in every call. Where it may leave float32, it
    stays in the exponent of the first.
    """
    writer = precise.writer
    stored, centre = centred(machine.vectors)
    vectors = writer.constant(machine.vectors if precise.double else stored, VECTORS)
    vectors = precise.widened(vectors)
    if centre is not None:
        x = writer.add("Sub", x, precise.number(centre))
        if precise.double:  # in which the difference is exact
            vectors = writer.add("Sub", vectors, precise.number(centre))
    exponent = _exponent(machine, x, vectors, precise)
    own = writer.reduce("ReduceSumSquare", vectors, 1, keepdims=False)
    own = writer.add("Mul", own, precise.number(-machine.gamma))
    coefficients = _coefficients(machine, precise)
    if machine.gamma * _longest(stored) < FAR:
        coefficients = writer.add("Mul", coefficients, writer.add("Exp", own))
    else:
        exponent = writer.add("Add", exponent, own)
    return writer.add("Exp", exponent), coefficients


def _exponent(machine: KernelMachine, x: str, vectors: str, precise: _Precise) -> str:
    """Write gamma (2 x·s - |x|²)."""
    writer, gamma = precise.writer, machine.gamma
    squares = writer.reduce("ReduceSumSquare", x, 1)
    if not precise.double:
        alpha, beta = 2 * gamma, -gamma
        return writer.add("Gemm", x, vectors, squares, alpha=alpha, beta=beta, transB=1)
    scale = precise.number(gamma)
    doubled = writer.add("Mul", x, precise.number(2 * gamma))
    scaled = writer.add("Mul", squares, scale)
    return writer.add("Gemm", doubled, vectors, scaled, beta=-1.0, transB=1)


def centred(rows: Array) -> tuple[Array, Array | None]:
    """Return ``rows`` around their mean, and that mean, float32 (features,).

    Small whole numbers, whose products are exact as they are, stay; the mean is then None.
    """
    whole = (rows == np.round(rows)).all()
    if whole and 4 * rows.shape[1] * float(np.abs(rows).max()) ** 2 < 2**24:
        return rows, None
    centre = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    return rows - centre, centre


def _coefficients(machine: KernelMachine, precise: _Precise) -> str:
    """Write coefficients by pair (pairs, vectors), as constants.

    They are stored in libsvm's layout, which repeats none, and spread as ``_by_pair`` does.
    """
    writer, values = precise.writer, machine.coefficients
    if len(values) == 1 or writer.opset < GATHER_ELEMENTS:
        return precise.matrix(_by_pair(machine), COEFFICIENTS)
    stored = precise.matrix(values, COEFFICIENTS)
    zeros = precise.number(np.zeros((1, len(machine.vectors))))
    padded = writer.add("Concat", stored, zeros, axis=0)
    classes = np.repeat(np.arange(len(machine.per_class)), machine.per_class)
    owner = writer.whole(classes, TensorProto.INT32)
    rows = writer.add("Gather", writer.whole(_layout(machine), TensorProto.INT64), owner, axis=1)
    return writer.add("GatherElements", padded, rows, axis=0)


def _by_pair(machine: KernelMachine) -> Floats:
    """Return coefficients by pair (pairs, vectors), one row for a regressor.

    Three classes with one vector each, libsvm's coefficients [[a, b, c], [d, e, f]]:

        layout   pair (0, 1)  [0, 0, 2]     row 2 is the row of zeros
                 pair (0, 2)  [1, 2, 0]
                 pair (1, 2)  [2, 1, 1]
        result   [[a, b, 0], [d, 0, c], [0, e, f]]
    """
    if not len(machine.per_class):
        return machine.coefficients
    zeros = np.zeros(len(machine.vectors), machine.coefficients.dtype)
    padded = np.vstack([machine.coefficients, zeros])
    owner = np.repeat(np.arange(len(machine.per_class)), machine.per_class)
    return np.take_along_axis(padded, _layout(machine)[:, owner], axis=0)


def primal(machine: KernelMachine) -> NDArray[np.float64]:
    """Return the weights (pairs, features) of a linear machine; one row for a regressor."""
    weights: NDArray[np.float64] = _by_pair(machine).astype(np.float64) @ machine.vectors
    return weights


def one_vector_a_pair(classes: int) -> tuple[Array, NDArray[np.int64]]:
    """Return the coefficients and vectors by class of a machine with a vector for each pair.

    A vector belongs to the pair's first class and counts once, for that pair alone. Of three
    classes, whose pairs are (0, 1), (0, 2) and (1, 2):

        coefficients (classes - 1, pairs)   [[1, 0, 0], [0, 1, 1]]
        vectors by class                    [2, 1, 0]
    """
    pairs = list(combinations(range(classes), 2))
    coefficients = np.zeros((classes - 1, len(pairs)), np.float32)
    coefficients[[other - 1 for _, other in pairs], range(len(pairs))] = 1
    return coefficients, np.bincount([one for one, _ in pairs], minlength=classes)


def _layout(machine: KernelMachine) -> NDArray[np.int64]:
    """Find, for each pair and class, the row of that class's coefficients, (pairs, classes).

    It is the last row, of zeros, where a class is not in the pair. libsvm keeps a class's
    coefficients against each other class in the order of these, itself left out.
    """
    classes = len(machine.per_class)
    layout = np.full((len(machine.pairs), classes), classes - 1)
    for number, (one, other) in enumerate(machine.pairs):
        layout[number, [one, other]] = other - 1, one
    return layout


def vote_matrix(classes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return signs (pairs, classes) and how often each class is the second of a pair.

    A sign is 1 for the first class of a pair and -1 for the second. Of three classes:

        [[1, -1, 0], [1, 0, -1], [0, 1, -1]], [0, 1, 2]
    """
    pairs = list(combinations(range(classes), 2))
    signs = np.zeros((len(pairs), classes), np.int64)
    for number, (one, other) in enumerate(pairs):
        signs[number, [one, other]] = 1, -1
    return signs, np.arange(classes)
