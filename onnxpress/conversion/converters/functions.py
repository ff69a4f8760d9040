"""Convert numpy's functions of one number: those of a FunctionTransformer, and their inverses.

skl2onnx 1.20 converts no function. They are computed in float64, since some enlarge what float32
rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.conversion.registering import Converter


class Adding(Protocol):
    """What writes operators and constants."""

    def add(self, op_type: str, *inputs: str) -> str:
        """Write an operator; return the name of its value."""

    def constant(self, values: NDArray[Any]) -> str:
        """Write a constant; return its name."""


Function = Callable[[str, Adding], str]
"""Writes a function of a float64 value, and returns the name of the result."""


def _plain(op_type: str) -> Function:
    return lambda name, writer: writer.add(op_type, name)


def _minus_1(name: str, writer: Adding) -> str:
    return writer.add("Sub", name, writer.constant(np.ones(1)))


def _plus_1(name: str, writer: Adding) -> str:
    return writer.add("Add", name, writer.constant(np.ones(1)))


def _logarithm(base: float) -> Function:
    def write(name: str, writer: Adding) -> str:
        base_e = writer.add("Log", name)
        return writer.add("Div", base_e, writer.constant(np.log([base])))

    return write


FUNCTIONS: dict[Any, Function] = {
    np.exp: _plain("Exp"),
    np.expm1: lambda name, writer: _minus_1(writer.add("Exp", name), writer),
    np.log: _plain("Log"),
    np.log1p: lambda name, writer: writer.add("Log", _plus_1(name, writer)),
    np.log2: _logarithm(2),
    np.log10: _logarithm(10),
    np.sqrt: _plain("Sqrt"),
    np.square: lambda name, writer: writer.add("Mul", name, name),
    np.absolute: _plain("Abs"),
    np.negative: _plain("Neg"),
    np.reciprocal: _plain("Reciprocal"),
}


def known(function: Any, name: str, of: str) -> Function:
    """Return what writes ``function``, the argument ``name`` of what ``of`` says.

    Raises:
        NotImplementedError: it is none of ``FUNCTIONS``.
    """
    if function not in FUNCTIONS:
        names = ", ".join(f"numpy.{each.__name__}" for each in FUNCTIONS)
        given = getattr(function, "__qualname__", repr(function))  # without an address in memory
        raise NotImplementedError(f"{name} {given} of {of}, which is none of {names}")
    return FUNCTIONS[function]


@cache
def register() -> None:
    """Replace skl2onnx's converter, for this process; calling it again changes nothing."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common._registration import get_converter, get_shape_calculator
    from sklearn.preprocessing import FunctionTransformer

    name = "SklearnFunctionTransformer"
    convert, shape = _converting(get_converter(name)), _shaping(get_shape_calculator(name))
    update_registered_converter(FunctionTransformer, name, shape, convert)


def _shaping(original: Callable[[Any], None]) -> Callable[[Any], None]:
    from skl2onnx.common.data_types import FloatTensorType

    def shape(operator: Any) -> None:
        if operator.raw_operator.func is None:
            original(operator)
            return
        shapes = [item.type.shape for item in operator.inputs]
        width = sum(each[1] for each in shapes)
        operator.outputs[0].type = FloatTensorType([shapes[0][0], width])

    return shape


def _converting(original: Converter) -> Converter:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        model = operator.raw_operator
        if model.func is None:
            original(scope, operator, container)
            return
        write = known(model.func, "func", "a FunctionTransformer")
        if model.kw_args:
            raise NotImplementedError("a FunctionTransformer with kw_args")
        writer = ContainerWriter(scope, container)
        parts = [
            writer.add("Cast", item.full_name, to=TensorProto.DOUBLE) for item in operator.inputs
        ]
        rows = parts[0] if len(parts) == 1 else writer.add("Concat", *parts, axis=1)
        output = operator.outputs[0].full_name
        writer.add("Cast", write(rows, writer), output=output, to=TensorProto.FLOAT)

    return convert
