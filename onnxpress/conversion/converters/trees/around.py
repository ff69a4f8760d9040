"""Write what histogram gradient boosting needs around its tree operator.

Native categories become columns before it, and the exponential of a log link comes after it:
skl2onnx 1.20 predicts the logarithm for a Poisson or gamma regression.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.graph.bit_table import bit_table
from onnxpress.graph.trees.arrays import Membership

_LOWEST_OPSET = 11
"""The first with an Equal for floats."""


class AroundTrees:
    """A skl2onnx container that adds columns before a tree operator and an exponential after it."""

    def __init__(
        self, scope: Any, container: Any, memberships: Sequence[Membership], *, exponential: bool
    ) -> None:
        """Pass everything on to ``container``.

        Raises:
            NotImplementedError: there are memberships, below opset 11.
        """
        self._container, self._memberships, self._exponential = container, memberships, exponential
        self._writer = _Writer(scope, container)
        if memberships and container.target_opset < _LOWEST_OPSET:
            raise NotImplementedError(f"native categories need opset {_LOWEST_OPSET} or newer")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, op_type: str, inputs: Any, outputs: Any, **named: Any) -> None:
        """Add an operator as the container does."""
        if not op_type.startswith("TreeEnsemble"):
            self._container.add_node(op_type, inputs, outputs, **named)
            return
        if self._memberships:
            rows = inputs if isinstance(inputs, str) else inputs[0]
            inputs = with_columns(rows, self._memberships, self._writer)
        if not self._exponential:
            self._container.add_node(op_type, inputs, outputs, **named)
            return
        logarithm = self._writer.name("log_prediction")
        self._container.add_node(op_type, inputs, logarithm, **named)
        output = outputs if isinstance(outputs, str) else outputs[0]
        self._writer.add("Exp", logarithm, output=output)


class _Writer(ContainerWriter):
    """Name values after their operators, and store constants as lists of numbers."""

    def add(self, op_type: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """See Writer."""
        output = output or self.name(op_type.lower())
        return super().add(op_type, *inputs, output=output, **attributes)

    def constant(self, values: Any, name: str = "c") -> str:
        """See Writer."""
        if values.dtype not in (np.float32, np.int64):
            return super().constant(values, name)
        name = self.name(name)
        kind = TensorProto.FLOAT if values.dtype.kind == "f" else TensorProto.INT64
        self._container.add_initializer(name, kind, values.shape, values.ravel())
        return name


def with_columns(
    rows: str,
    memberships: Sequence[Membership],
    writer: ContainerWriter,
    values: str = "",
    *,
    missing: bool = False,
) -> str:
    """Write (rows, features + splits); categories are compared with ``values``, if given.

    Of the first of the categories NaN (which equals nothing), 10, 20 and 30 that a value is equal
    to, ArgMax gives the position, so 0 for a missing value and a category never seen:

        value 20   equal 0 0 1 0   position 2
        value 25   equal 0 0 0 0   position 0

    ``missing``: the columns of a missing value are NaN.
    """
    rows = writer.add("Cast", rows, to=TensorProto.FLOAT)
    columns = [rows]
    for one in memberships:
        feature = writer.constant(np.array([one.feature]), "feature")
        value = writer.add("Gather", values or rows, feature, axis=1)
        known = np.concatenate([[np.nan], one.categories]).astype(np.float32)
        same = writer.add("Equal", value, writer.constant(known, "categories"))
        hit = writer.add("Cast", same, to=TensorProto.FLOAT)
        position = writer.add("ArgMax", hit, axis=1, keepdims=0)
        right = writer.add("Gather", bit_table(one.right, writer), position, axis=0)
        if missing:
            present = writer.add("Equal", value, value)
            nan = writer.constant(np.array(np.nan, np.float32), "missing")
            right = writer.add("Where", present, right, nan)
        columns.append(right)
    return writer.add("Concat", *columns, axis=1)
