"""What a refined forest learns from: training rows, rows generated from them, and what the original says about both.

Fully grown trees fit their training rows, so those alone teach little about the original between the rows. Mixtures of
two rows labelled by the original teach more (distillation: Hinton et al., 2015; for trees: Breiman and Shang, "Born
again trees", 1996).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.forest.refined.losses import LOGISTIC, SOFTMAX, SQUARED, Loss, Matrix

_OWN = 0.5  # weight of a training row's own target; the rest is the original's answer
_SMOOTH = 0.002  # keeps targets away from 0 and 1, where scores would be infinite

_GENERATED = 20  # rows to learn per training row,
_ENOUGH = (8_000, 14_000)  # within these limits,
_MOST = 64_000  # and up to this many, four per training row, where there are many training rows

Teacher = Callable[[NDArray[np.float32]], list[NDArray[Any]]]
"""From features (rows, features) to the outputs of the model in their order."""


@dataclass(frozen=True)
class Lesson:
    """Rows and targets to fit, and how to turn fitted scores into the outputs of the model."""

    x: NDArray[np.float32]  # (rows, features), training rows first
    target: Matrix  # (rows, columns): probabilities, the second class's alone for two; standardised for regression
    loss: Loss
    labels: NDArray[Any] | None  # (classes,) int64 or object; None for regression
    center: NDArray[np.float64]  # (columns,) of the regression targets
    spread: NDArray[np.float64]  # (columns,)


def generate(
    x: NDArray[np.float32], count: int, random: np.random.Generator
) -> NDArray[np.float32]:
    """``count`` rows between pairs of rows of ``x``: half take some features from the other row, half interpolate."""
    first, second = x[random.integers(0, len(x), count)], x[random.integers(0, len(x), count)]
    half = count // 2
    share = 0.5 * random.beta(0.5, 0.5, (half, 1))
    swapped = np.where(random.random((half, x.shape[1])) < share, second[:half], first[:half])
    weight = random.beta(0.4, 0.4, (count - half, 1)).astype(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf is a missing value, like NaN
        mixed = first[half:] * weight + second[half:] * (1 - weight)
    return np.concatenate([swapped, mixed]).astype(np.float32)


def lesson(teacher: Teacher, x: NDArray[np.float32], own: NDArray[Any], *, seed: int) -> Lesson:
    """Rows to learn, half of them or more generated, from training rows ``x`` (rows, features) with targets ``own``.

    Raises NotApplicable when the outputs are neither label and probabilities nor one float prediction.
    """
    random = np.random.default_rng(seed)
    rows = max(min(_GENERATED * len(x), _ENOUGH[1]), min(4 * len(x), _MOST), _ENOUGH[0])
    if len(x) > rows // 2:
        kept = np.sort(random.choice(len(x), rows // 2, replace=False))
        x, own = x[kept], own[kept]
    both = np.concatenate([x, generate(x, rows - len(x), random)])
    answers = teacher(both)
    if len(answers) == 1 and answers[0].dtype.kind == "f":
        return _regression(both, answers[0], own)
    if (
        len(answers) == 2
        and answers[0].ndim == 1
        and answers[1].dtype.kind == "f"
        and answers[1].ndim == 2
    ):
        return _classification(both, answers[0], answers[1].astype(np.float64), own)
    raise NotApplicable("the outputs are neither label and probabilities nor a prediction")


def _regression(x: NDArray[np.float32], answers: NDArray[Any], own: NDArray[Any]) -> Lesson:
    target = answers.reshape(len(x), -1).astype(np.float64)
    if target.shape[1] == 1:
        target[: len(own), 0] += _OWN * (own.astype(np.float64) - target[: len(own), 0])
    center, spread = target.mean(axis=0), target.std(axis=0)
    spread[spread == 0] = 1.0
    return Lesson(x, (target - center) / spread, SQUARED, None, center, spread)


def _classification(
    x: NDArray[np.float32], said: NDArray[Any], target: Matrix, own: NDArray[Any]
) -> Lesson:
    classes = target.shape[1]
    if target.min() < -1e-3 or np.abs(target.sum(axis=1) - 1).max() > 1e-3:
        raise NotApplicable("the second output is not a table of probabilities")
    labels, position = np.unique(own, return_inverse=True)
    labels = labels.astype(np.int64) if said.dtype.kind == "i" else labels.astype(object)
    clear = np.partition(target, -2, axis=1)[:, -1] - np.partition(target, -2, axis=1)[:, -2] > 1e-4
    if len(labels) != classes or (labels[target.argmax(axis=1)] != said)[clear].any():
        raise NotApplicable(
            f"label is not the most probable of the {len(labels)} classes of the training rows"
        )
    target[: len(own)] += _OWN * (np.eye(classes)[position] - target[: len(own)])
    target = target * (1 - classes * _SMOOTH / 2) + _SMOOTH / 2
    if classes == 2:
        target = target[:, 1:]
    columns = target.shape[1]
    return Lesson(
        x,
        target,
        LOGISTIC if classes == 2 else SOFTMAX,
        labels,
        np.zeros(columns),
        np.ones(columns),
    )
