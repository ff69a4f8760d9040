"""CalibratedClassifierCV: the mean over classifiers whose scores were calibrated by a sigmoid, isotonic or temperature.

skl2onnx 1.20 takes the nearest step of an isotonic regression, which interpolates between its steps, and has no temperature.
The calibration is computed in float64: a steep one enlarges what float32 rounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from onnxpress.convert.members import TWO, Inputs, Members
from onnxpress.convert.part import Part

SMALL = 1e-12
"""``eps`` of sklearn.calibration._convert_to_logits."""


class Calibrated(Part):
    """Means of calibrated probabilities."""

    def probabilities(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        found = [_calibrated(one, members, inputs) for one in model.calibrated_classifiers_]
        mean = members.add("Div", members.total(found), members.constant(np.array(float(len(found)))))
        return members.single(mean)


def is_isotonic(estimator: Any) -> bool:
    """Whether the probabilities of a calibrated classifier come of steps, which may be steep."""
    return getattr(estimator, "method", "") == "isotonic" and hasattr(estimator, "calibrated_classifiers_")


def _calibrated(one: Any, members: Members, inputs: Inputs) -> str:
    """The probabilities of one of the classifiers, float64."""
    if one.method == "temperature":
        return _tempered(one, members, inputs)
    response, decided = members.responses(one.estimator, inputs)
    classes = len(one.classes)
    if not decided and len(one.estimator.classes_) == TWO:
        response = members.pick(response, [1])
    response = members.double(response)
    places = np.searchsorted(one.classes, one.estimator.classes_)
    columns = {}
    for number, (place, calibrator) in enumerate(zip(places, one.calibrators, strict=False)):
        score = response if len(one.estimator.classes_) == TWO else members.pick(response, [number])
        columns[place + (classes == TWO)] = _through(calibrator, score, members, exact=not decided)
    if classes == TWO:
        second = columns[1]
        return members.beside([members.add("Sub", members.constant(np.ones(1)), second), second])
    missing = members.add("Mul", next(iter(columns.values())), members.constant(np.zeros(1)))
    return _shares(members.beside([columns.get(place, missing) for place in range(classes)]), classes, members)


def _shares(raw: str, classes: int, members: Members) -> str:
    """Each row divided by its sum, or equal shares where that is 0."""
    sums = members.reduce("ReduceSum", raw, 1)
    none = members.add("Not", members.add("Greater", sums, members.constant(np.zeros(1))))
    one = members.constant(np.ones(1))
    shares = members.add("Div", raw, members.add("Where", none, one, sums))
    return members.add("Where", none, members.constant(np.full((1, classes), 1 / classes)), shares)


def _through(calibrator: Any, score: str, members: Members, *, exact: bool) -> str:
    """A column of scores calibrated, float64; ``exact``: most of them are among those that the calibrator was fitted on."""
    if hasattr(calibrator, "a_"):
        slope, offset = (members.constant(np.array([-float(value)])) for value in (calibrator.a_, calibrator.b_))
        return members.add("Sigmoid", members.add("Add", members.add("Mul", score, slope), offset))
    return _interpolated(calibrator, score, members, exact=exact)


def _interpolated(calibrator: Any, score: str, members: Members, *, exact: bool) -> str:
    """Isotonic regression: linear between its points, level beyond them.

    Of three points x = (0, 2, 3), y = (0, 1, 5): the score 2.5 has two points below it, so that it is on piece 2, which starts
    at (2, 1) and has the slope 4: 1 + 4 * 0.5 = 3. Scores are float32: where they meet the points, as the shares of trees do,
    the points are rounded to float32 as well.
    """
    x, y = (np.asarray(values, np.float64) for values in (calibrator.X_thresholds_, calibrator.y_thresholds_))
    x = x.astype(np.float32).astype(np.float64) if exact else x
    low, high = members.constant(x[:1]), members.constant(x[-1:])
    inside = members.add("Min", members.add("Max", score, low), high)
    if len(x) == 1:
        return members.add("Add", members.add("Mul", inside, members.constant(np.zeros(1))), members.constant(y))
    below = members.add("Cast", members.add("Less", members.constant(x), inside), to=TensorProto.FLOAT)
    piece = members.add("Cast", members.reduce("ReduceSum", below, 1), to=TensorProto.INT64)
    apart = np.diff(x)
    slopes = np.diff(y) / np.where(apart > 0, apart, np.inf)
    first = np.maximum(np.arange(len(x)) - 1, 0)  # of piece 0, which is the first point, too
    starts, heights, slope = (members.lookup(values[first], piece) for values in (x, y, slopes))
    return members.add("Add", members.add("Mul", members.add("Sub", inside, starts), slope), heights)


def _tempered(one: Any, members: Members, inputs: Inputs) -> str:
    """Softmax of logits by a factor, float64; the logits are decisions, or logarithms of probabilities."""
    response, decided = members.responses(one.estimator, inputs)
    logits = members.double(response)
    if not decided:
        logits = members.add("Log", members.add("Add", logits, members.constant(np.array([SMALL]))))
    elif len(one.classes) == TWO:
        logits = members.beside([members.add("Neg", logits), logits])
    factor = members.constant(np.array([float(one.calibrators[0].beta_)]))
    return members.add("Softmax", members.add("Mul", logits, factor), axis=1)
