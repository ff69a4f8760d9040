"""What a refined forest learns from: rows, and what the original predicts for them.

Fully grown trees fit their training rows, so those alone teach little about the original between
the rows. Mixtures of two rows, labelled by the original, teach more (distillation: Hinton, Vinyals
and Dean, "Distilling the knowledge in a neural network", 2015; for trees: Breiman and Shang, "Born
again trees", 1996).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.forest.refined.answers import Answers, floors_of, threshold_of
from onnxpress.quantize.forest.refined.losses import LOGISTIC, SOFTMAX, SQUARED, Loss, Matrix

Features = NDArray[np.float32]

_OWN = 0.5  # weight of a training row's own target; the rest is the original's prediction
_BIASED = 4  # standard errors by which the original's mean may miss that of its rows' targets
_SMOOTH = 0.002  # keeps targets away from 0 and 1, where scores would be infinite

_GENERATED = 20  # rows to learn per training row,
_ENOUGH = (8_000, 14_000)  # within these limits,
_MANY = (4, 64_000)  # and so many per training row, up to a limit, where there are many of these
_MANY_CLASSES = (8, 128_000)  # the same for several classes, where the noise of labels costs more

_ROUNDING = 1e-3  # of probabilities and their sums
_CLEAR = 1e-4  # above this difference of the two highest probabilities they are no tie

Teacher = Callable[[Features], list[NDArray[Any]]]
"""From features (rows, features) to the outputs of the model in their order."""


@dataclass(frozen=True)
class Distillation:
    """Rows and targets to fit, and how to turn fitted scores into the outputs of the model."""

    x: Features  # (rows, features), training rows first
    target: Matrix  # (rows, columns): probabilities, the second class's alone for two; for
    # regression standardised
    loss: Loss
    answers: Answers
    center: NDArray[np.float64]  # (columns,) of the regression targets
    spread: NDArray[np.float64]  # (columns,)


def distil(
    teacher: Teacher,
    x: Features,
    own: NDArray[Any],
    *,
    seed: int,
    constants: Sequence[float] = (),
) -> Distillation:
    """Rows to learn, half of them or more generated, from training rows ``x`` (rows, features).

    ``own`` are the targets of those rows, (rows,), or (rows, targets) of several; ``constants`` the
    single numbers in the teacher's graph: a threshold on probabilities is among them.

    Raises:
        NotApplicable: the outputs are neither label and probabilities nor one float prediction.
    """
    random = np.random.default_rng(seed)
    rows = rows_to_learn(len(x), classes=0 if own.dtype.kind == "f" else len(np.unique(own)))
    if len(x) > rows // 2:
        kept = np.sort(random.choice(len(x), rows // 2, replace=False))
        x, own = x[kept], own[kept]
    both = np.concatenate([x, generate(x, rows - len(x), random)])
    outputs = teacher(both)
    if len(outputs) == 1 and outputs[0].dtype.kind == "f":
        return _regression(both, outputs[0], own)
    if _label_and_scores(outputs):
        return _classification(both, outputs[0], outputs[1].astype(np.float64), own, constants)
    raise NotApplicable("the outputs are neither label and probabilities nor a prediction")


def rows_to_learn(training: int, *, classes: int) -> int:
    """How many rows to learn from so many ``training`` rows; regression has no ``classes``.

    >>> [rows_to_learn(training, classes=2) for training in (100, 500, 10_000, 100_000)]
    [8000, 10000, 40000, 64000]
    >>> [rows_to_learn(training, classes=4) for training in (100, 500, 10_000, 100_000)]
    [8000, 10000, 80000, 128000]
    """
    each, most = _MANY_CLASSES if classes > 2 else _MANY
    few = max(min(_GENERATED * training, _ENOUGH[1]), _ENOUGH[0])
    return max(few, min(each * training, most))


def generate(x: Features, count: int, random: np.random.Generator) -> Features:
    """``count`` rows between pairs of rows of ``x``.

    Half of them take some features from the other row, half interpolate.
    """
    first, second = x[random.integers(0, len(x), count)], x[random.integers(0, len(x), count)]
    half = count // 2
    share = 0.5 * random.beta(0.5, 0.5, (half, 1))
    swapped = np.where(random.random((half, x.shape[1])) < share, second[:half], first[:half])
    weight = random.beta(0.4, 0.4, (count - half, 1)).astype(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf is a missing value, like NaN
        mixed = first[half:] * weight + second[half:] * (1 - weight)
    return np.concatenate([swapped, mixed]).astype(np.float32)


def _label_and_scores(outputs: list[NDArray[Any]]) -> bool:
    if len(outputs) != 2:
        return False
    label, scores = outputs
    return label.ndim == 1 and scores.dtype.kind == "f" and scores.ndim == 2


def _regression(x: Features, predicted: NDArray[Any], own: NDArray[Any]) -> Distillation:
    target = predicted.reshape(len(x), -1).astype(np.float64)
    floors = floors_of(target)
    given = own.astype(np.float64).reshape(len(own), -1)
    for column, values in enumerate(given.T) if given.shape[1] == target.shape[1] else ():
        apart = values - target[: len(own), column]
        if _predicts_the_mean(apart, target[:, column].std()):
            target[: len(own), column] += _OWN * apart
    center, spread = target.mean(axis=0), target.std(axis=0)
    spread[spread == 0] = 1.0
    answers = Answers(None, floors=floors)
    return Distillation(x, (target - center) / spread, SQUARED, answers, center, spread)


def _predicts_the_mean(apart: NDArray[np.float64], spread: float) -> bool:
    """Whether differences of targets from predictions, (rows,), are 0 on average.

    ``spread`` is the standard deviation of predictions, far below which all is rounding.

    They are not where the original predicts a quantile, or the mean of a logarithm. Its rows' own
    targets would pull such answers towards the mean.
    """
    error = apart.std() / np.sqrt(len(apart))
    return bool(abs(apart.mean()) <= _BIASED * error + _ROUNDING * spread)


def _classification(
    x: Features,
    predicted: NDArray[Any],
    probabilities: Matrix,
    own: NDArray[Any],
    constants: Sequence[float],
) -> Distillation:
    classes = probabilities.shape[1]
    if classes == 1:
        raise NotApplicable("the model knows one class only; there is nothing to learn")
    sums = probabilities.sum(axis=1)
    if probabilities.min() < -_ROUNDING or np.abs(sums - 1).max() > _ROUNDING:
        raise NotApplicable("the second output is not a table of probabilities")
    labels, position = np.unique(own, return_inverse=True)
    labels = labels.astype(np.int64 if predicted.dtype.kind == "i" else object)
    few = f"the {len(labels)} classes of the training rows"
    if len(labels) != classes or not np.isin(predicted, labels).all():
        raise NotApplicable(f"label is not one of {few}")
    threshold = None
    if _contradicts(predicted, probabilities, labels):
        if classes == 2:
            second = predicted == labels[1]
            threshold = threshold_of(second, probabilities[:, 1], constants)
        if threshold is None:
            raise NotApplicable(f"label does not follow from the probabilities of {few}")
    target = class_targets(probabilities, position)
    loss = LOGISTIC if classes == 2 else SOFTMAX
    columns, answers = target.shape[1], Answers(labels, threshold)
    return Distillation(x, target, loss, answers, np.zeros(columns), np.ones(columns))


def _contradicts(predicted: NDArray[Any], probabilities: Matrix, labels: NDArray[Any]) -> bool:
    """Whether a predicted label is not that of the clearly highest probability."""
    second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
    clear = first - second > _CLEAR
    most_probable = labels[probabilities.argmax(axis=1)]
    return bool((most_probable != predicted)[clear].any())


def class_targets(probabilities: Matrix, own: NDArray[np.intp]) -> Matrix:
    """Targets from the original's probabilities (rows, classes) and the first rows' own classes.

    Three rows of three classes. The first two are training rows of the classes 0 and 2, the third
    is generated:

    >>> said = np.array([[0.8, 0.2, 0.0], [0.6, 0.2, 0.2], [0.5, 0.5, 0.0]])
    >>> class_targets(said, np.array([0, 2])).round(4)
    array([[0.8983, 0.1007, 0.001 ],
           [0.3001, 0.1007, 0.5992],
           [0.4995, 0.4995, 0.001 ]])

    The first row is half way from [0.8, 0.2, 0] to [1, 0, 0], which is [0.9, 0.1, 0]; then all are
    drawn a little towards the middle. Of two classes the second column alone is the target:

    >>> class_targets(np.array([[0.8, 0.2], [0.6, 0.4], [0.5, 0.5]]), np.array([0, 1])).round(4)
    array([[0.1008],
           [0.6996],
           [0.5   ]])
    """
    classes = probabilities.shape[1]
    target = probabilities.copy()
    target[: len(own)] += _OWN * (np.eye(classes)[own] - target[: len(own)])
    target = np.asarray(target * (1 - classes * _SMOOTH / 2) + _SMOOTH / 2)
    return target[:, 1:] if classes == 2 else target
