"""A net of dense layers, trained to answer as another does with weights in blocks of 4 bits.

The other net is the teacher: its answers for training rows and for rows between two of them are
what is learned, not the target. In each step the weights are rounded as they will be stored, and
gradients pass the rounding as if it were not there (straight-through estimator; Bengio et al.,
arXiv:1308.3432). The optimizer is Adam (arXiv:1412.6980) with a rate that falls to zero.

A smaller net keeps the hidden neurons that move the next layer most. What the others gave is
replaced by least squares over the kept ones, before training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxpress.quantize.dense.blocks import LARGEST, ZERO, Blocks, best_steps, numbers, split
from onnxpress.quantize.dense.chain import Floats, Weights
from onnxpress.tables.rows import Feeds

BATCH = 128
WORK = 10**8
FEWEST_STEPS, MOST_STEPS = 400, 2000
"""Steps are ``WORK`` over the number of weights, within these: a few seconds for most nets."""

RATE = 2e-3
RATE_OF_ROUNDING = 5e-4
"""Of Adam's first steps: of a net that has lost neurons, and of one that is rounded alone."""

MOMENTA = (0.9, 0.99)
TINY = np.float32(1e-8)
FRESH = 20
"""The steps of blocks are found anew after so many steps of training."""

RIDGE = 1e-5
"""Share of the mean square of a neuron that least squares adds to the diagonal."""

MOST_ROWS = 10_000
"""Rows that are learned from, and as many between two of them."""

FEWEST_ROWS = 4000
"""Of a small table, rows are taken again, so that there are so many between two of them."""

CHUNK = 1000


@dataclass(frozen=True)
class Lesson:
    """What is learned: the teacher's sums for rows that reach the first layer."""

    rows: Floats
    """(2 * rows, inputs): rows of the table, then as many at a random place between two."""
    sums: Floats
    """(2 * rows, outputs): what the teacher's last layer gives for them."""
    teacher: tuple[Weights, ...]
    activations: tuple[str, ...]
    link: str
    """``Softmax`` or ``Sigmoid``: probabilities are learned. Empty: the sums, each on its scale."""
    seed: int

    @property
    def half(self) -> int:
        """How many of the rows are of the table."""
        return len(self.rows) // 2


def lesson_of(
    rows: Floats, teacher: tuple[Weights, ...], activations: tuple[str, ...], link: str, seed: int
) -> Lesson:
    """Take up to ``MOST_ROWS`` rows and ask the teacher about them and others."""
    size = min(MOST_ROWS, max(len(rows), FEWEST_ROWS))
    both = with_rows_between({"": rows}, size, seed)[""]
    parts = [
        forward(teacher, activations, both[start : start + CHUNK])[-1]
        for start in range(0, len(both), CHUNK)
    ]
    return Lesson(both, np.concatenate(parts), teacher, activations, link, seed)


def with_rows_between(feeds: Feeds, size: int, seed: int) -> Feeds:
    """Take ``size`` rows at random, and as many at a random place between two of them.

    Whole numbers between two are rounded.
    """
    random = np.random.default_rng(seed)
    count = len(next(iter(feeds.values())))
    order = np.concatenate([random.permutation(count) for _ in range(-(-size // count))])
    one, other = random.integers(count, size=(2, size))
    places = random.random((size, 1)).astype(np.float32)
    found = {}
    for name, rows in feeds.items():
        place = places.reshape(size, *[1] * (rows.ndim - 1))
        between = rows[one] + place * (rows[other].astype(np.float32) - rows[one])
        if rows.dtype.kind != "f":
            between = np.rint(between)
        found[name] = np.concatenate([rows[order[:size]], between.astype(rows.dtype)])
    return found


def trained(lesson: Lesson, student: Sequence[Weights], stored: Sequence[bool]) -> list[Weights]:
    """Train ``student`` with its ``stored`` layers rounded to blocks; the others stay float32.

    Returns weights as they are before rounding; :func:`stored_blocks` rounds them as here.
    """
    whole = all(
        layer.matrix.shape == taught.matrix.shape
        for layer, taught in zip(student, lesson.teacher, strict=True)
    )
    return _Training(lesson, student, stored).run(RATE_OF_ROUNDING if whole else RATE)


def stored_blocks(matrix: Floats) -> Blocks:
    """A trained matrix as it is stored."""
    blocks = split(matrix)
    steps = best_steps(blocks)
    return Blocks(numbers(blocks, steps), steps, len(matrix))


def forward(layers: Sequence[Weights], activations: Sequence[str], rows: Floats) -> list[Floats]:
    """What reaches each layer, and the sums of the last."""
    reached = [rows]
    for layer, activation in zip(layers, (*activations, ""), strict=True):
        reached.append(_activated(reached[-1] @ layer.matrix + layer.bias, activation))
    return reached


def narrowed(lesson: Lesson, share: int) -> list[Weights]:
    """The teacher with one of ``share`` neurons in each hidden layer, at least 8."""
    reached = forward(lesson.teacher, lesson.activations, lesson.rows[: lesson.half])
    layers = list(lesson.teacher)
    for place in range(len(layers) - 1):
        first, second = layers[place], layers[place + 1]
        values = reached[place + 1]
        width = values.shape[1]
        count = min(width, max(8, -(-width // share)))
        moves = values.std(axis=0) * np.linalg.norm(second.matrix, axis=1)
        kept = np.sort(np.argsort(-moves, kind="stable")[:count])
        layers[place] = Weights(first.matrix[:, kept], first.bias[kept])
        layers[place + 1] = _refitted(values, kept, second)
    return layers


def _refitted(values: Floats, kept: NDArray[np.intp], layer: Weights) -> Weights:
    """The layer behind the ``kept`` neurons, whose sums are nearest to those of all neurons."""
    means = values.mean(axis=0, dtype=np.float64)
    centred = values - means.astype(np.float32)
    inside = centred[:, kept]
    gram = (inside.T @ inside).astype(np.float64)
    across = (inside.T @ (centred @ layer.matrix)).astype(np.float64)
    gram += np.eye(len(kept)) * (RIDGE * np.trace(gram) / len(kept) + np.finfo(np.float32).tiny)
    matrix = np.linalg.solve(gram, across)
    bias = layer.bias + means @ layer.matrix - means[kept] @ matrix
    return Weights(matrix.astype(np.float32), bias.astype(np.float32))


class _Training:
    """The weights, and Adam's two momenta of each, with an array to compute in."""

    def __init__(self, lesson: Lesson, student: Sequence[Weights], stored: Sequence[bool]) -> None:
        self.lesson, self.stored = lesson, stored
        self.matrices = [layer.matrix.copy() for layer in student]
        self.biases = [layer.bias.copy() for layer in student]
        values = [*self.matrices, *self.biases]
        self.momenta = [[np.zeros_like(value) for _ in range(3)] for value in values]
        self.steps: list[Floats | None] = [None] * len(student)
        self.scale = np.maximum(lesson.sums[: lesson.half].std(axis=0), np.finfo(np.float32).tiny)
        self.random = np.random.default_rng(lesson.seed)

    def run(self, first_rate: float) -> list[Weights]:
        """Take all steps; the rate falls from ``first_rate`` to zero."""
        weights = sum(matrix.size for matrix in self.matrices)
        steps = int(np.clip(WORK // weights, FEWEST_STEPS, MOST_STEPS))
        for step in range(steps):
            if step % FRESH == 0:
                self._find_steps()
            batch = self.random.integers(self.lesson.half, size=BATCH)
            batch[BATCH // 2 :] += self.lesson.half  # rows between two
            gradients = self._gradients(self.lesson.rows[batch], self.lesson.sums[batch])
            rate = first_rate * (1 + np.cos(np.pi * step / steps)) / 2
            self._adam(gradients, rate, step + 1)
        return [Weights(*pair) for pair in zip(self.matrices, self.biases, strict=True)]

    def _find_steps(self) -> None:
        for place, matrix in enumerate(self.matrices):
            if self.stored[place]:
                self.steps[place] = best_steps(split(matrix))

    def _rounded(self, place: int) -> Floats:
        matrix, steps = self.matrices[place], self.steps[place]
        if steps is None:
            return matrix
        blocks = split(matrix)
        blocks /= steps
        np.clip(np.rint(blocks, out=blocks), -ZERO, LARGEST - ZERO, out=blocks)
        blocks *= steps
        return np.asarray(blocks.reshape(-1, matrix.shape[1])[: len(matrix)])

    def _gradients(self, rows: Floats, answers: Floats) -> list[Floats]:
        """Those of the matrices, then those of the biases."""
        rounded = [self._rounded(place) for place in range(len(self.matrices))]
        layers = [Weights(*pair) for pair in zip(rounded, self.biases, strict=True)]
        reached = forward(layers, self.lesson.activations, rows)
        moved = _linked(reached[-1], self.lesson.link) - _linked(answers, self.lesson.link)
        if not self.lesson.link:
            moved = moved / self.scale**2
        slope = np.asarray(moved / len(rows), np.float32)
        of_matrices: list[Floats] = []
        of_biases: list[Floats] = []
        for place in reversed(range(len(layers))):
            of_matrices.insert(0, reached[place].T @ slope)
            of_biases.insert(0, slope.sum(axis=0))
            if place:
                activation = self.lesson.activations[place - 1]
                slope = slope @ rounded[place].T
                slope = slope * _derivative(reached[place], activation)
        return of_matrices + of_biases

    def _adam(self, gradients: list[Floats], rate: float, step: int) -> None:
        values = [*self.matrices, *self.biases]
        for value, gradient, momenta in zip(values, gradients, self.momenta, strict=True):
            np.subtract(value, adams_move(gradient, momenta, rate, step), out=value)


def adams_move(gradient: Floats, momenta: list[Floats], rate: float, step: int) -> Floats:
    """What Adam takes from a weight.

    It overwrites ``gradient`` and ``momenta``: new arrays would take most of the time.
    """
    first, second, move = momenta
    of_first, of_second = 1 - MOMENTA[0] ** step, np.sqrt(1 - MOMENTA[1] ** step)
    first *= np.float32(MOMENTA[0])
    first += np.multiply(gradient, np.float32(1 - MOMENTA[0]), out=move)
    second *= np.float32(MOMENTA[1])
    np.square(gradient, out=gradient)
    second += np.multiply(gradient, np.float32(1 - MOMENTA[1]), out=gradient)
    np.sqrt(second, out=move)
    move += np.float32(TINY * of_second)
    np.divide(first, move, out=move)
    move *= np.float32(rate * of_second / of_first)
    return move


def _activated(sums: Floats, activation: str) -> Floats:
    if activation == "Relu":
        return np.maximum(sums, 0)
    if activation == "Tanh":
        return np.tanh(sums)
    return _linked(sums, activation)


def _derivative(values: Floats, activation: str) -> Floats:
    """The slope of an activation, from its values."""
    if activation == "Relu":
        return (values > 0).astype(np.float32)
    return 1 - np.square(values) if activation == "Tanh" else values * (1 - values)


def _linked(sums: Floats, link: str) -> Floats:
    """Probabilities of sums, or the sums themselves."""
    if link == "Softmax":
        powers = np.exp(sums - sums.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
    if link == "Sigmoid":
        return np.asarray(0.5 + 0.5 * np.tanh(sums / 2))
    return sums
