"""Small compiled objects that take numbers only.

Losses, and splines, which are made by their own constructors.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Global, Made
from onnxpress.estimators.stored.rules import Rule

LOSSES = "sklearn._loss._loss"
SGD = "sklearn.linear_model._sgd_fast"
ARGUMENTS: dict[str, int] = {
    f"{LOSSES}.CyAbsoluteError": 0,
    f"{LOSSES}.CyExponentialLoss": 0,
    f"{LOSSES}.CyHalfBinomialLoss": 0,
    f"{LOSSES}.CyHalfGammaLoss": 0,
    f"{LOSSES}.CyHalfMultinomialLoss": 0,
    f"{LOSSES}.CyHalfPoissonLoss": 0,
    f"{LOSSES}.CyHalfSquaredError": 0,
    f"{LOSSES}.CyHalfTweedieLoss": 1,
    f"{LOSSES}.CyHalfTweedieLossIdentity": 1,
    f"{LOSSES}.CyHuberLoss": 1,
    f"{LOSSES}.CyPinballLoss": 1,
    f"{SGD}.EpsilonInsensitive": 1,
    f"{SGD}.Hinge": 1,
    f"{SGD}.ModifiedHuber": 0,
    f"{SGD}.SquaredEpsilonInsensitive": 1,
    f"{SGD}.SquaredHinge": 1,
}
"""How many numbers each loss takes."""
UNPICKLED = f"{LOSSES}.__pyx_unpickle_CyHalfMultinomialLoss"
"""Cython's own function for the one loss that says nothing about its pickling."""


def loss(made: Made, build: Callable[[Any], Any]) -> Any:
    """A loss of the table, from as many finite numbers as it takes."""
    path = made.maker.path
    numbers = [build(argument) for argument in made.arguments]
    if (
        len(numbers) != ARGUMENTS[path]
        or made.keywords
        or any(build(state) not in (None, {}, ()) for state in made.states)
    ):
        raise Damaged(f"{path} should take {ARGUMENTS[path]} numbers")
    if not all(
        isinstance(number, int | float | np.number) and math.isfinite(number) for number in numbers
    ):
        raise Damaged(f"{path} should take finite numbers")
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)(*(float(number) for number in numbers))


def multinomial(made: Made, build: Callable[[Any], Any]) -> Any:
    """The multinomial loss as Cython pickles it.

    The class, a checksum, and a state without content.
    """
    whole = len(made.arguments) == 3 and isinstance(made.arguments[0], Global)
    if (
        not whole
        or made.arguments[0].path != f"{LOSSES}.CyHalfMultinomialLoss"
        or build(made.arguments[2]) not in (None, ())
    ):
        raise Damaged("the multinomial loss should have no state")
    if made.keywords or any(build(state) not in (None, (), {}) for state in made.states):
        raise Damaged("the multinomial loss should have no state")
    from sklearn._loss._loss import CyHalfMultinomialLoss

    return CyHalfMultinomialLoss()


SPLINE = {"_c", "_t", "axis", "extrapolate", "k"}


def spline(made: Made, build: Callable[[Any], Any]) -> Any:
    """Make a ``scipy.interpolate.BSpline`` anew from knots, coefficients and degree.

    Its constructor checks them.
    """
    state = build(made.states[0]) if len(made.states) == 1 else None
    content = dict(state) if type(state) is dict else {}
    content.pop(
        "_asarray", None
    )  # the function that scipy makes arrays by, which its constructor sets
    if made.how != "new" or made.arguments or made.keywords or set(content) != SPLINE:
        raise Damaged("a spline should have knots, coefficients and a degree")
    knots, coefficients, degree = content["_t"], content["_c"], content["k"]
    if not all(
        type(array) is np.ndarray and array.dtype == np.float64 for array in (knots, coefficients)
    ):
        raise Damaged("a spline's knots and coefficients should be arrays of numbers")
    if (
        type(degree) is not int
        or type(content["axis"]) is not int
        or content["extrapolate"] not in (True, False, "periodic")
    ):
        raise Damaged("a spline's degree and axis should be whole numbers")
    from scipy.interpolate import BSpline

    try:
        made_anew = BSpline(knots, coefficients, degree, extrapolate=content["extrapolate"])
    except ValueError as error:
        raise Damaged(f"a spline that scipy refuses: {error}") from error
    if content["axis"] != 0:
        raise Damaged("a spline should have its coefficients along the first axis")
    return made_anew


RULES: dict[str, Rule] = {
    **dict.fromkeys(ARGUMENTS, loss),
    UNPICKLED: multinomial,
    "scipy.interpolate._bsplines.BSpline": spline,
}
