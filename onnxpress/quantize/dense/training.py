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

from onnxpress.quantize.dense.blocks import LARGEST, ZERO, Blocks, best_steps, numbers, split
from onnxpress.quantize.dense.chain import Floats, Weights

BATCH = 128
WORK = 10**8
FEWEST_STEPS, MOST_STEPS = 400, 2000
"""Steps are ``WORK`` over the number of weights, within these: a few seconds for most nets."""

RATE = 2e-3
RATE_OF_ROUNDING = 2e-4
"""Of Adam's first steps: of a net that has lost neurons, and of one that is rounded alone."""

MOMENTA = (0.9, 0.99)
TINY = np.float32(1e-8)
FRESH = 20
"""The steps of blocks are found anew after so many steps of training."""

RIDGE = 1e-5
"""Share of the mean square of a neuron that least squares adds to the diagonal."""

MOST_ROWS = 20_000
"""Rows that least squares reads."""


@dataclass(frozen=True)
class Lesson:
    """What is learned."""

    rows: Floats
    """(rows, inputs): what reaches the first layer."""
    teacher: tuple[Weights, ...]
    activations: tuple[str, ...]
    link: str
    """``Softmax`` or ``Sigmoid``: probabilities are learned. Empty: the sums, each on its scale."""
    seed: int


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
    random = np.random.default_rng(lesson.seed)
    picked = random.permutation(len(lesson.rows))[:MOST_ROWS]
    reached = forward(lesson.teacher, lesson.activations, lesson.rows[picked])
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


def _refitted(values: Floats, kept: np.ndarray, layer: Weights) -> Weights:  # type: ignore[type-arg]
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
    """The weights, and Adam's momenta of them."""

    def __init__(self, lesson: Lesson, student: Sequence[Weights], stored: Sequence[bool]) -> None:
        self.lesson, self.stored = lesson, stored
        self.matrices = [layer.matrix.copy() for layer in student]
        self.biases = [layer.bias.copy() for layer in student]
        values = [*self.matrices, *self.biases]
        self.momenta = [(np.zeros_like(value), np.zeros_like(value)) for value in values]
        self.steps: list[Floats | None] = [None] * len(student)
        sums = forward(lesson.teacher, lesson.activations, lesson.rows[:MOST_ROWS])[-1]
        self.scale = np.maximum(sums.std(axis=0), np.finfo(np.float32).tiny)
        self.random = np.random.default_rng(lesson.seed)

    def run(self, first_rate: float) -> list[Weights]:
        """Take all steps; the rate falls from ``first_rate`` to zero."""
        weights = sum(matrix.size for matrix in self.matrices)
        steps = int(np.clip(WORK // weights, FEWEST_STEPS, MOST_STEPS))
        for step in range(steps):
            if step % FRESH == 0:
                self._find_steps()
            rows = self._batch()
            answers = forward(self.lesson.teacher, self.lesson.activations, rows)[-1]
            gradients = self._gradients(rows, answers)
            rate = first_rate * (1 + np.cos(np.pi * step / steps)) / 2
            self._adam(gradients, rate, step + 1)
        return [Weights(*pair) for pair in zip(self.matrices, self.biases, strict=True)]

    def _batch(self) -> Floats:
        """Half of the rows as they are, half at a random place between two."""
        rows = self.lesson.rows
        one, other = self.random.integers(len(rows), size=(2, BATCH))
        place = self.random.random((BATCH, 1)).astype(np.float32)
        place[: BATCH // 2] = 0
        return np.asarray(rows[one] + place * (rows[other] - rows[one]))

    def _find_steps(self) -> None:
        for place, matrix in enumerate(self.matrices):
            if self.stored[place]:
                self.steps[place] = best_steps(split(matrix))

    def _rounded(self, place: int) -> Floats:
        matrix, steps = self.matrices[place], self.steps[place]
        if steps is None:
            return matrix
        blocks = split(matrix)
        blocks = np.clip(np.rint(blocks / steps), -ZERO, LARGEST - ZERO) * steps
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
            first, second = momenta
            np.add(first, (1 - MOMENTA[0]) * (gradient - first), out=first)
            np.add(second, (1 - MOMENTA[1]) * (np.square(gradient) - second), out=second)
            mean = first / (1 - MOMENTA[0] ** step)
            size = np.sqrt(second / (1 - MOMENTA[1] ** step))
            np.subtract(value, np.float32(rate) * mean / (size + TINY), out=value)


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
