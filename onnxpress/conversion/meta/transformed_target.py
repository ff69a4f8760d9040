"""TransformedTargetRegressor: the values of a regressor, in the unit of the target again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.conversion.converters.functions import known
from onnxpress.conversion.meta.members import Members
from onnxpress.conversion.meta.part import Part
from onnxpress.conversion.meta.values import Inputs

Back = Callable[[str, Members], str]


class TransformedTarget(Part):
    """The inverse is computed in float64, since it may enlarge what float32 rounds."""

    def values(self, model: Any, members: Members, inputs: Inputs) -> str:
        """See Part."""
        transformed = members.double(members.values(model.regressor_, inputs))
        return members.single(_inverse(model.transformer_)(transformed, members))


def _inverse(transformer: Any) -> Back:
    """Return what writes the inverse of a fitted transformer of a column, or of one per target."""
    from sklearn import preprocessing

    if isinstance(transformer, preprocessing.FunctionTransformer):
        return _inverse_of_function(transformer)
    if isinstance(transformer, preprocessing.StandardScaler):
        return _line(transformer.scale_, transformer.mean_)
    if isinstance(transformer, preprocessing.RobustScaler):
        return _line(transformer.scale_, transformer.center_)
    if isinstance(transformer, preprocessing.MaxAbsScaler):
        return _line(transformer.scale_, None)
    if isinstance(transformer, preprocessing.MinMaxScaler):
        return _line(1 / transformer.scale_, -transformer.min_ / transformer.scale_)
    raise NotImplementedError(f"the inverse of a target's {type(transformer).__name__}")


def _line(scale: Any, offset: Any) -> Back:
    """Return what writes scale y + offset; either may be None, which changes nothing."""
    factor, shift = _numbers(scale, 1), _numbers(offset, 0)

    def write(name: str, members: Members) -> str:
        scaled = members.add("Mul", name, members.constant(factor))
        return members.add("Add", scaled, members.constant(shift))

    return write


def _numbers(value: Any, default: float) -> NDArray[np.float64]:
    """Return the numbers of ``value``, float64: (targets,), or (1,) for all of them."""
    return np.asarray(default if value is None else value, np.float64).reshape(-1)


def _inverse_of_function(transformer: Any) -> Back:
    """Return what writes the inverse function of a FunctionTransformer."""
    if transformer.inverse_func is None and transformer.func is None:
        return lambda name, members: name  # noqa: ARG005 # the one signature of all
    return known(transformer.inverse_func, "inverse_func", "a target")
