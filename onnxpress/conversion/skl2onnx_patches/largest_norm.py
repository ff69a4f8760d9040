"""Normalizer(norm="max") divides by the largest absolute value.

Symptom: the operator that skl2onnx writes divides by the largest value. Rows whose largest value is
    not their largest absolute one come out too large, and with another sign if no value is above 0.
Versions: skl2onnx 1.20
Test: tests/conversion/test_skl2onnx_patches.py::test_rows_are_divided_by_their_largest_size
Delete when: skl2onnx's own converter is right for a row of negative values.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.conversion.registering import Converter, replace_converters


@cache
def register() -> None:
    """Wrap the converter, for this process; calling it again changes nothing."""
    from sklearn.preprocessing import Normalizer

    replace_converters([Normalizer], _by_absolute_values)


def _by_absolute_values(original: Converter) -> Converter:
    """Convert norm="max" here; leave the other norms to ``original``."""
    from skl2onnx.common.data_types import DoubleTensorType

    def convert(scope: Any, operator: Any, container: Any) -> None:
        if operator.raw_operator.norm != "max":
            original(scope, operator, container)
            return
        writer = ContainerWriter(scope, container)
        double = isinstance(operator.outputs[0].type, DoubleTensorType)
        kind = TensorProto.DOUBLE if double else TensorProto.FLOAT
        names = [item.full_name for item in operator.inputs]
        rows = names[0] if len(names) == 1 else writer.add("Concat", *names, axis=1)
        rows = writer.add("Cast", rows, to=kind)
        largest = writer.reduce("ReduceMax", writer.add("Abs", rows), 1)
        zero, one = (
            writer.constant(np.array([value], np.float64 if double else np.float32))
            for value in (0, 1)
        )
        none = writer.add("Equal", largest, zero)
        divisor = writer.add("Where", none, one, largest)  # a row of zeros stays
        writer.add("Div", rows, divisor, output=operator.outputs[0].full_name)

    return convert
