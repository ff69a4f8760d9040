"""An MLPRegressor of several targets gives a column for each.

Symptom: skl2onnx reshapes its outputs to one column, so that a row of two predictions becomes two
    rows; onnx refuses the declared shape.
Versions: skl2onnx 1.20
Test: tests/conversion/test_several_targets.py::test_each_kind_of_regressor_converts
Delete when: skl2onnx converts MLPRegressor().fit(X, Y) of two targets.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from onnxpress.conversion.registering import Converter, replace_converters


@cache
def register() -> None:
    """Wrap the converter, for this process; calling it again changes nothing."""
    from sklearn.neural_network import MLPRegressor

    replace_converters([MLPRegressor], _without_reshape)


def _without_reshape(original: Converter) -> Converter:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        several = operator.raw_operator.n_outputs_ > 1
        original(scope, operator, _Columns(container) if several else container)

    return convert


class _Columns:
    """A skl2onnx container that writes no Reshape: what would be reshaped stays as it is."""

    def __init__(self, container: Any) -> None:
        """Pass everything else on to ``container``."""
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, op_type: str, inputs: Any, outputs: Any, **named: Any) -> None:
        """Add an operator as the container does."""
        if op_type == "Reshape":
            op_type, inputs, named = "Identity", inputs[0], {"name": named.get("name")}
        self._container.add_node(op_type, inputs, outputs, **named)
