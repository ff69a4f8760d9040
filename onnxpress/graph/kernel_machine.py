"""Support vector machines as matrix products: the decisions of libsvm's one-against-one classifiers and its regressors.

    kernel (rows, vectors) = f(x vectorsᵀ) by one Gemm,    decisions (rows, pairs) = kernel coefficientsᵀ + offset by another

The squared norms of an RBF kernel, |x - s|² = |x|² + |s|² - 2 x·s, are taken around the vectors' mean, where they cancel
least; where a decision may be a small sum of large terms, all is computed in float64, from coefficients in float64 if they
came so. What depends on vectors and
coefficients alone is left to operators with constant inputs, which a runtime computes once, when it loads the model: so
either can be stored in fewer bits without touching anything else.
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
"""How the names of the initializers start that hold support vectors (vectors, features) and coefficients (·, vectors)."""

GATHER_ELEMENTS = 11  # the version of ai.onnx that brought it

LARGE = 80.0
"""Decisions whose terms may add up to more than this are computed in float64: float32 rounds them by up to 5e-8 of that
sum, as measured, and scores should differ by less than 1e-5. The margin of a classifier is 1."""

FAR = 40.0
"""Above this exponent of a vector's own norm, exp of it may leave float32 and is not taken out of the sum."""

Array = NDArray[np.float32]
Floats = NDArray[np.float32] | NDArray[np.float64]


class Untreatable(Exception):
    """Raised for a machine that matrix products do not cover; the message says why."""


@dataclass(frozen=True)
class KernelMachine:
    """What a SVMClassifier or SVMRegressor node (ai.onnx.ml 1) says of its decisions.

    ``vectors`` are (vectors, features) and ``coefficients`` (classes - 1, vectors) in libsvm's layout, one row for a
    regressor; all float32 in a node. ``offset`` has one value a pair of classes. ``per_class`` counts the vectors of each class,
    which stand in the order of the classes; it is empty for a regressor.

    A fitted estimator has coefficients and offset in float64.
    """

    kernel: str
    gamma: float
    coef0: float
    degree: float
    vectors: Array
    coefficients: Floats
    offset: Floats
    per_class: NDArray[np.int64]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The pairs of classes in the order of their decisions."""
        return list(combinations(range(len(self.per_class)), 2))


def read(node: onnx.NodeProto) -> KernelMachine:
    """The machine of a SVMClassifier or SVMRegressor node.

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
    """Writes what computes the decisions (rows, pairs) of float32 ``x`` (rows, features), and returns their name."""
    precise = _Precise(writer, double=_cancels(machine))
    if machine.kernel == "LINEAR":
        kernel, coefficients = precise.widened(x), precise.matrix(primal(machine), COEFFICIENTS)
    else:
        kernel, coefficients = (_rbf if machine.kernel == "RBF" else _of_products)(
            machine, precise.widened(x), precise
        )
    found = writer.add(
        "Gemm",
        kernel,
        coefficients,
        precise.number(machine.offset),
        output="" if precise.double else output,
        transB=1,
    )
    return (
        writer.add("Cast", found, output=output, to=TensorProto.FLOAT) if precise.double else found
    )


@dataclass(frozen=True)
class _Precise:
    """The precision that a machine is computed in; vectors are stored in float32, as rows are, whichever it is."""

    writer: Writer
    double: bool

    def widened(self, name: str) -> str:
        """A float32 value in this precision."""
        return self.writer.add("Cast", name, to=TensorProto.DOUBLE) if self.double else name

    def number(self, values: Floats | float) -> str:
        """A small constant in this precision."""
        return self.writer.constant(np.array(values, np.float64 if self.double else np.float32))

    def matrix(self, values: Floats, name: str) -> str:
        """A matrix in this precision, stored as it came if that is float32."""
        if self.double and values.dtype == np.float64:
            return self.writer.constant(values, name)
        return self.widened(self.writer.constant(values.astype(np.float32), name))


def _cancels(machine: KernelMachine) -> bool:
    """Whether the terms of a decision may be so large that float32 rounds more than a score may differ by."""
    if machine.kernel == "LINEAR":
        terms = np.abs(primal(machine)) * np.abs(machine.vectors).max(axis=0)
        return float(terms.sum(axis=1).max()) > LARGE
    return (
        _reach(machine) * float(np.abs(_by_pair(machine)).sum(axis=1, dtype=np.float64).max())
        > LARGE
    )


def _reach(machine: KernelMachine) -> float:
    """About the largest value of the kernel, times what rounding its argument costs."""
    longest = float(np.square(machine.vectors, dtype=np.float64).sum(axis=1).max())
    if machine.kernel == "POLY":
        return float((machine.gamma * longest + abs(machine.coef0)) ** machine.degree)
    if machine.kernel == "RBF":
        longest = float(np.square(centred(machine.vectors)[0], dtype=np.float64).sum(axis=1).max())
    return 1 + machine.gamma * longest


def _of_products(machine: KernelMachine, x: str, precise: _Precise) -> tuple[str, str]:
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
    """gamma x·s + coef0; attributes are float32, so that in float64 gamma is a constant instead."""
    writer, coef0 = precise.writer, precise.number(np.array([machine.coef0]))
    if not precise.double:
        return writer.add("Gemm", x, vectors, coef0, alpha=machine.gamma, transB=1)
    inner = writer.add("Mul", x, precise.number(machine.gamma))
    return writer.add("Gemm", inner, vectors, coef0, transB=1)


def _rbf(machine: KernelMachine, x: str, precise: _Precise) -> tuple[str, str]:
    writer = precise.writer
    stored, centre = centred(machine.vectors)
    vectors = precise.widened(
        writer.constant(machine.vectors if precise.double else stored, VECTORS)
    )
    if centre is not None:
        x = writer.add("Sub", x, precise.number(centre))
        vectors = (
            writer.add("Sub", vectors, precise.number(centre)) if precise.double else vectors
        )  # exact there
    exponent = _exponent(machine, x, vectors, precise)
    own = writer.reduce("ReduceSumSquare", vectors, 1, keepdims=False)
    own = writer.add("Mul", own, precise.number(-machine.gamma))
    coefficients = _coefficients(machine, precise)
    if machine.gamma * float(np.square(stored, dtype=np.float64).sum(axis=1).max()) < FAR:
        coefficients = writer.add(
            "Mul", coefficients, writer.add("Exp", own)
        )  # constant: an addition less in every call
    else:
        exponent = writer.add("Add", exponent, own)
    return writer.add("Exp", exponent), coefficients


def _exponent(machine: KernelMachine, x: str, vectors: str, precise: _Precise) -> str:
    """gamma (2 x·s - |x|²)."""
    writer = precise.writer
    squares = writer.reduce("ReduceSumSquare", x, 1)
    if not precise.double:
        return writer.add(
            "Gemm", x, vectors, squares, alpha=2 * machine.gamma, beta=-machine.gamma, transB=1
        )
    scale = precise.number(machine.gamma)
    doubled = writer.add("Mul", x, precise.number(2 * machine.gamma))
    return writer.add(
        "Gemm", doubled, vectors, writer.add("Mul", squares, scale), beta=-1.0, transB=1
    )


def centred(rows: Array) -> tuple[Array, Array | None]:
    """``rows`` around their mean, and that mean; small whole numbers, whose products are exact as they are, stay."""
    if (rows == np.round(rows)).all() and 4 * rows.shape[1] * float(
        np.abs(rows).max()
    ) ** 2 < 2**24:
        return rows, None
    centre = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    return rows - centre, centre


def _coefficients(machine: KernelMachine, precise: _Precise) -> str:
    """Coefficients by pair (pairs, vectors), as constants: stored in libsvm's layout, which repeats none."""
    writer, values = precise.writer, machine.coefficients
    if len(values) == 1 or writer.opset < GATHER_ELEMENTS:
        return precise.matrix(_by_pair(machine), COEFFICIENTS)
    stored = precise.matrix(values, COEFFICIENTS)
    padded = writer.add(
        "Concat", stored, precise.number(np.zeros((1, len(machine.vectors)))), axis=0
    )
    owner = writer.whole(
        np.repeat(np.arange(len(machine.per_class)), machine.per_class), TensorProto.INT32
    )
    rows = writer.add("Gather", writer.whole(_layout(machine), TensorProto.INT64), owner, axis=1)
    return writer.add("GatherElements", padded, rows, axis=0)


def _by_pair(machine: KernelMachine) -> Floats:
    """Coefficients by pair (pairs, vectors), one row for a regressor."""
    if not len(machine.per_class):
        return machine.coefficients
    padded = np.vstack(
        [machine.coefficients, np.zeros(len(machine.vectors), machine.coefficients.dtype)]
    )
    owner = np.repeat(np.arange(len(machine.per_class)), machine.per_class)
    return np.take_along_axis(padded, _layout(machine)[:, owner], axis=0)


def primal(machine: KernelMachine) -> NDArray[np.float64]:
    """Weights (pairs, features) that a linear machine's decisions are products of; one row for a regressor."""
    weights: NDArray[np.float64] = _by_pair(machine).astype(np.float64) @ machine.vectors
    return weights


def one_vector_a_pair(classes: int) -> tuple[Array, NDArray[np.int64]]:
    """Coefficients (classes - 1, pairs) and vectors by class of a machine that has a vector for each pair of classes.

    It belongs to the pair's first class and counts once, for that pair alone.
    """
    pairs = list(combinations(range(classes), 2))
    coefficients = np.zeros((classes - 1, len(pairs)), np.float32)
    coefficients[[other - 1 for _, other in pairs], range(len(pairs))] = 1
    return coefficients, np.bincount([one for one, _ in pairs], minlength=classes)


def _layout(machine: KernelMachine) -> NDArray[np.int64]:
    """For each pair and class, the row of that class's coefficients; the last row, of zeros, where it is no part of it.

    libsvm keeps a class's coefficients against every other class in the order of these, itself left out.
    """
    classes = len(machine.per_class)
    layout = np.full((len(machine.pairs), classes), classes - 1)
    for number, (one, other) in enumerate(machine.pairs):
        layout[number, [one, other]] = other - 1, one
    return layout


def vote_matrix(classes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Signs (pairs, classes), 1 for the first class of a pair and -1 for the second, and how often a class is second."""
    pairs = list(combinations(range(classes), 2))
    signs = np.zeros((len(pairs), classes), np.int64)
    for number, (one, other) in enumerate(pairs):
        signs[number, [one, other]] = 1, -1
    return signs, np.arange(classes)
