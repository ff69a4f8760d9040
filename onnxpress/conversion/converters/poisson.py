"""Convert an MLPRegressor of Poisson loss, whose last activation skl2onnx 1.20 does not know."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.conversion.registering import Converter, replace_converters


@cache
def register() -> None:
    """Replace skl2onnx's converter, for this process; calling it again changes nothing."""
    from sklearn.neural_network import MLPRegressor

    replace_converters([MLPRegressor], _with_exponential)


def _with_exponential(original: Converter) -> Converter:
    """Have ``original`` write the logarithm, and take its exponential."""

    def convert(scope: Any, operator: Any, container: Any) -> None:
        model = operator.raw_operator
        if model.out_activation_ != "exp":
            original(scope, operator, container)
            return
        logarithm = copy.copy(model)
        logarithm.out_activation_ = "identity"
        inner = scope.declare_local_operator(operator.type, logarithm)
        inner.inputs.append(operator.inputs[0])
        output = operator.outputs[0]
        found = scope.declare_local_variable("logarithm", type(output.type)(output.type.shape))
        inner.outputs.append(found)
        writer = ContainerWriter(scope, container)
        writer.add("Exp", found.full_name, output=output.full_name)

    return convert
