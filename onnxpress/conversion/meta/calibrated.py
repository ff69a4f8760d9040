"""CalibratedClassifierCV: the mean over classifiers with calibrated scores.

The calibration is a sigmoid, isotonic, or a temperature. skl2onnx 1.20 takes the nearest step of an
isotonic regression, which interpolates between its steps, and has no temperature. The calibration
is computed in float64: a steep one enlarges what float32 rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from onnxpress.conversion.meta.members import Members
from onnxpress.conversion.meta.part import Part
from onnxpress.conversion.meta.values import TWO, Inputs

SMALL = 1e-12
"""``eps`` of sklearn.calibration._convert_to_logits."""


class Calibrated(Part):
    """Means of calibrated probabilities."""

    def probabilities(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        found = [_calibrated(one, members, inputs) for one in model.calibrated_classifiers_]
        total, count = members.total(found), members.constant(np.array(float(len(found))))
        return members.single(members.add("Div", total, count))


def _calibrated(one: Any, members: Members, inputs: Inputs) -> str:
    """Write the probabilities of one of the classifiers, float64."""
    if one.method == "temperature":
        return _tempered(one, members, inputs)
    response, decided = members.responses(one.estimator, inputs)
    if not decided and len(one.estimator.classes_) == TWO:
        response = members.pick(response, [1])
    raw = _through(one.calibrators, members.double(response), members, exact=not decided)
    if len(one.classes) == TWO:
        return members.beside([members.add("Sub", members.constant(np.ones(1)), raw), raw])
    places = np.searchsorted(one.classes, one.estimator.classes_)[: len(one.calibrators)]
    if len(places) < len(one.classes):  # a fold that lacked a class
        raw = members.add("MatMul", raw, members.constant(np.eye(len(one.classes))[places]))
    return _shares(raw, len(one.classes), members)


def _shares(raw: str, classes: int, members: Members) -> str:
    """Divide each row by its sum, or give equal shares where that is 0."""
    sums = members.reduce("ReduceSum", raw, 1)
    none = members.add("Not", members.add("Greater", sums, members.constant(np.zeros(1))))
    one = members.constant(np.ones(1))
    shares = members.add("Div", raw, members.add("Where", none, one, sums))
    return members.add("Where", none, members.constant(np.full((1, classes), 1 / classes)), shares)


def _through(calibrators: Sequence[Any], scores: str, members: Members, *, exact: bool) -> str:
    """Calibrate columns of scores, each by its calibrator, float64.

    ``exact``: most scores are among those that the calibrators were fitted on.
    """
    if hasattr(calibrators[0], "a_"):
        return _sigmoid(calibrators, scores, members)
    columns = [scores]
    if len(calibrators) > 1:
        columns = [members.pick(scores, [number]) for number in range(len(calibrators))]
    calibrated = []
    for one, column in zip(calibrators, columns, strict=True):
        calibrated.append(_interpolated(one, column, members, exact=exact))
    return members.beside(calibrated)


def _sigmoid(calibrators: Sequence[Any], scores: str, members: Members) -> str:
    """Write 1 / (1 + exp(a s + b)) of each column of scores s."""
    slopes = -np.array([[float(one.a_) for one in calibrators]])
    offsets = -np.array([[float(one.b_) for one in calibrators]])
    scaled = members.add("Mul", scores, members.constant(slopes))
    return members.add("Sigmoid", members.add("Add", scaled, members.constant(offsets)))


def _interpolated(calibrator: Any, score: str, members: Members, *, exact: bool) -> str:
    """Write an isotonic regression: linear between its points, level beyond them.

    Of three points x = (0, 2, 3), y = (0, 1, 5): the score 2.5 has two points below it, so that it
    is on piece 2, which starts at (2, 1) and has the slope 4: 1 + 4 * 0.5 = 3. Piece 0 is the first
    point. Scores are float32: where they meet the points, as the shares of trees do (``exact``),
    the points are rounded to float32 as well.
    """
    x = np.asarray(calibrator.X_thresholds_, np.float64)
    y = np.asarray(calibrator.y_thresholds_, np.float64)
    x = x.astype(np.float32).astype(np.float64) if exact else x
    low, high = members.constant(x[:1]), members.constant(x[-1:])
    inside = members.add("Min", members.add("Max", score, low), high)
    if len(x) == 1:
        level = members.add("Mul", inside, members.constant(np.zeros(1)))
        return members.add("Add", level, members.constant(y))
    below = members.single(members.add("Less", members.constant(x), inside))
    piece = members.add("Cast", members.reduce("ReduceSum", below, 1), to=TensorProto.INT64)
    apart = np.diff(x)
    slopes = np.diff(y) / np.where(apart > 0, apart, np.inf)
    first = np.maximum(np.arange(len(x)) - 1, 0)
    starts, heights, slope = (members.lookup(values[first], piece) for values in (x, y, slopes))
    rise = members.add("Mul", members.add("Sub", inside, starts), slope)
    return members.add("Add", rise, heights)


def _tempered(one: Any, members: Members, inputs: Inputs) -> str:
    """Write softmax of logits by a factor, float64.

    The logits are decisions, or logarithms of probabilities.
    """
    response, decided = members.responses(one.estimator, inputs)
    logits = members.double(response)
    if not decided:
        logits = members.add("Log", members.add("Add", logits, members.constant(np.array([SMALL]))))
    elif len(one.classes) == TWO:
        logits = members.beside([members.add("Neg", logits), logits])
    factor = members.constant(np.array([float(one.calibrators[0].beta_)]))
    return members.add("Softmax", members.add("Mul", logits, factor), axis=1)
