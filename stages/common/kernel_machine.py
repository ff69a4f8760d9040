"""Support vector machines as matrix products: the decisions of libsvm's one-against-one classifiers and its regressors.

    kernel (rows, vectors) = f(x vectorsᵀ) by one Gemm,    decisions (rows, pairs) = kernel coefficientsᵀ + offset by another

The squared norms of an RBF kernel, |x - s|² = |x|² + |s|² - 2 x·s, are taken around the vectors' mean, where they cancel
least; where a decision may be a small sum of large terms, all is computed in float64. What depends on vectors and
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

from stages.common.writer import Writer

VECTORS, COEFFICIENTS = "kernel_vectors", "kernel_coefficients"
"""How the names of the initializers start that hold support vectors (vectors, features) and coefficients (·, vectors)."""

GATHER_ELEMENTS = 11  # the version of ai.onnx that brought it

LARGE = 1e4
"""Decisions whose terms may add up to more than this are computed in float64; the margin of a classifier is 1."""

FAR = 40.0
"""Above this exponent of a vector's own norm, exp of it may leave float32 and is not taken out of the sum."""

Array = NDArray[np.float32]


class Untreatable(Exception):
    """Raised for a machine that matrix products do not cover; the message says why."""


@dataclass(frozen=True)
class KernelMachine:
    """What a SVMClassifier or SVMRegressor node (ai.onnx.ml 1) says of its decisions.

    ``vectors`` are (vectors, features) and ``coefficients`` (classes - 1, vectors) in libsvm's layout, one row for a
    regressor; both float32. ``offset`` has one value a pair of classes. ``per_class`` counts the vectors of each class,
    which stand in the order of the classes; it is empty for a regressor.
    """

    kernel: str
    gamma: float
    coef0: float
    degree: float
    vectors: Array
    coefficients: Array
    offset: Array
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
    if machine.kernel == "LINEAR":
        weights = writer.constant(primal(machine).astype(np.float32), COEFFICIENTS)
        return writer.add("Gemm", x, weights, writer.constant(machine.offset), output=output, transB=1)
    precise = _Precise(writer, double=_cancels(machine))
    kernel, coefficients = (_rbf if machine.kernel == "RBF" else _of_products)(machine, precise.widened(x), precise)
    found = writer.add(
        "Gemm", kernel, coefficients, precise.number(machine.offset), output="" if precise.double else output, transB=1
    )
    return writer.add("Cast", found, output=output, to=TensorProto.FLOAT) if precise.double else found


@dataclass(frozen=True)
class _Precise:
    """The precision that a machine is computed in: float32, or float64 from matrices that are stored in float32."""

    writer: Writer
    double: bool

    def widened(self, name: str) -> str:
        """A float32 value in this precision."""
        return self.writer.add("Cast", name, to=TensorProto.DOUBLE) if self.double else name

    def number(self, values: Array | float) -> str:
        """A small constant in this precision."""
        return self.writer.constant(np.array(values, np.float64 if self.double else np.float32))


def _cancels(machine: KernelMachine) -> bool:
    """Whether the terms of a decision, whose margin is 1, may be so large that float32 rounds its sign away."""
    reach = 1.0
    if machine.kernel == "POLY":
        longest = float(np.square(machine.vectors, dtype=np.float64).sum(axis=1).max())
        reach = (machine.gamma * longest + abs(machine.coef0)) ** machine.degree
    return reach * float(np.abs(_by_pair(machine)).sum(axis=1, dtype=np.float64).max()) > LARGE


def _of_products(machine: KernelMachine, x: str, precise: _Precise) -> tuple[str, str]:
    writer = precise.writer
    vectors = precise.widened(writer.constant(machine.vectors, VECTORS))
    inner = writer.add("Gemm", x, vectors, precise.number(np.array([machine.coef0], np.float32)), alpha=machine.gamma, transB=1)
    if machine.kernel == "SIGMOID":
        kernel = writer.add("Tanh", inner)
    elif machine.kernel == "POLY":
        kernel = writer.add("Pow", inner, precise.number(machine.degree))
    else:
        raise Untreatable(f"its kernel is {machine.kernel}")
    return kernel, precise.widened(_coefficients(machine, writer))


def _rbf(machine: KernelMachine, x: str, precise: _Precise) -> tuple[str, str]:
    writer = precise.writer
    stored, centre = centred(machine.vectors)
    if centre is not None:
        x = writer.add("Sub", x, precise.number(centre))
    vectors = precise.widened(writer.constant(stored, VECTORS))
    squares = writer.reduce("ReduceSumSquare", x, 1)
    exponent = writer.add("Gemm", x, vectors, squares, alpha=2 * machine.gamma, beta=-machine.gamma, transB=1)
    own = writer.reduce("ReduceSumSquare", vectors, 1, keepdims=False)
    own = writer.add("Mul", own, precise.number(-machine.gamma))
    coefficients = precise.widened(_coefficients(machine, writer))
    if machine.gamma * float(np.square(stored, dtype=np.float64).sum(axis=1).max()) < FAR:
        coefficients = writer.add("Mul", coefficients, writer.add("Exp", own))  # constant: an addition less in every call
    else:
        exponent = writer.add("Add", exponent, own)
    return writer.add("Exp", exponent), coefficients


def centred(rows: Array) -> tuple[Array, Array | None]:
    """``rows`` around their mean, and that mean; small whole numbers, whose products are exact as they are, stay."""
    if (rows == np.round(rows)).all() and 4 * rows.shape[1] * float(np.abs(rows).max()) ** 2 < 2**24:
        return rows, None
    centre = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    return rows - centre, centre


def _coefficients(machine: KernelMachine, writer: Writer) -> str:
    """Coefficients by pair (pairs, vectors), as constants: stored in libsvm's layout, which repeats none."""
    if len(machine.coefficients) == 1 or writer.opset < GATHER_ELEMENTS:
        return writer.constant(_by_pair(machine), COEFFICIENTS)
    stored = writer.constant(machine.coefficients, COEFFICIENTS)
    padded = writer.add("Concat", stored, writer.constant(np.zeros((1, len(machine.vectors)), np.float32)), axis=0)
    owner = writer.whole(np.repeat(np.arange(len(machine.per_class)), machine.per_class), TensorProto.INT32)
    rows = writer.add("Gather", writer.whole(_layout(machine), TensorProto.INT64), owner, axis=1)
    return writer.add("GatherElements", padded, rows, axis=0)


def _by_pair(machine: KernelMachine) -> Array:
    """Coefficients by pair (pairs, vectors), one row for a regressor."""
    if not len(machine.per_class):
        return machine.coefficients
    padded = np.vstack([machine.coefficients, np.zeros(len(machine.vectors), np.float32)])
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
