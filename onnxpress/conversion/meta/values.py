"""Combine values in the graph of a meta-estimator: columns, sums, tables of constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter

TWO = 2
Inputs = Sequence[Any]
"""Variables of skl2onnx: one matrix, or one variable for each column."""


class Values(ContainerWriter):
    """Write operators on the values that members predict; each call returns the name of a value."""

    def __init__(self, scope: Any, container: Any) -> None:
        """See ContainerWriter."""
        super().__init__(scope, container)
        self._written: dict[tuple[Any, ...], Any] = {}

    def once(self, key: tuple[Any, ...], write: Callable[[], str]) -> str:
        """Write what ``key`` stands for, or name it where it is written already."""
        if key not in self._written:
            self._written[key] = write()
        return str(self._written[key])

    def matrix(self, inputs: Inputs) -> str:
        """Join the inputs to one float32 matrix."""
        from skl2onnx.common.data_types import FloatTensorType, StringTensorType

        names = []
        for variable in inputs:
            if isinstance(variable.type, StringTensorType):
                raise NotImplementedError("columns of text go to a member that takes numbers only")
            name = variable.onnx_name
            if not isinstance(variable.type, FloatTensorType):
                name = self.single(name)
            names.append(name)
        return self.beside(names)

    def variable(self, name: str, width: int) -> Any:
        """Declare a float32 matrix of ``width`` columns as an input of further members."""
        from skl2onnx.common.data_types import FloatTensorType

        variable = self._scope.declare_local_variable("members", FloatTensorType([None, width]))
        self.add("Identity", name, output=variable.onnx_name)
        return variable

    def stack(self, blocks: Sequence[str], last: Any) -> Inputs:
        """Join matrices side by side as the input of the estimator ``last``."""
        key = ("stacked", id(last), *blocks)
        if key not in self._written:
            self._written[key] = [self.variable(self.beside(blocks), last.n_features_in_)]
        return list(self._written[key])

    def beside(self, names: Sequence[str]) -> str:
        """Join matrices side by side."""
        return names[0] if len(names) == 1 else self.add("Concat", *names, axis=1)

    def pick(self, name: str, columns: Sequence[int]) -> str:
        """Take some columns of a matrix, in that order."""
        return self.add("Gather", name, self.constant(np.array(columns, np.int64)), axis=1)

    def column(self, name: str) -> str:
        """Reshape (rows,) or (rows, 1) to (rows, 1)."""
        return self.add("Reshape", name, self.constant(np.array([-1, 1], np.int64)))

    def flat(self, name: str) -> str:
        """Reshape (rows,) or (rows, 1) to (rows,)."""
        return self.add("Reshape", name, self.constant(np.array([-1], np.int64)))

    def scaled(self, name: str, factor: float) -> str:
        """Multiply a float32 value by ``factor``."""
        if factor == 1:
            return name
        return self.add("Mul", name, self.constant(np.array(factor, np.float32)))

    def same_in_every_row(self, value: float, inputs: Inputs) -> str:
        """Write ``value`` for each row, float32 (rows, 1)."""
        first = self.pick(self.matrix(inputs), [0])
        itself = self.single(self.add("Equal", first, first))
        zeros = self.add("Mul", itself, self.constant(np.zeros(1, np.float32)))
        return self.add("Add", zeros, self.constant(np.array([value], np.float32)))

    def total(self, names: Sequence[str]) -> str:
        """Add values of one shape."""
        return names[0] if len(names) == 1 else self.add("Sum", *names)

    def double(self, name: str) -> str:
        """Cast to float64."""
        return self.add("Cast", name, to=TensorProto.DOUBLE)

    def single(self, name: str) -> str:
        """Cast to float32."""
        return self.add("Cast", name, to=TensorProto.FLOAT)

    def best(self, scores: str) -> str:
        """Find the position of the first greatest score of each row, int64 (rows,)."""
        return self.add("ArgMax", scores, axis=1, keepdims=0)

    def above(self, column: str, threshold: float) -> str:
        """Write 1 where a float32 (rows, 1) is above the threshold, else 0: int64 (rows,)."""
        flat, limit = self.flat(column), self.constant(np.array([threshold], np.float32))
        greater = self.add("Greater", flat, limit)
        return self.add("Cast", greater, to=TensorProto.INT64)

    def lookup(self, table: NDArray[Any], places: str) -> str:
        """Take the rows of ``table`` at ``places``."""
        return self.add("Gather", self.constant(np.ascontiguousarray(table)), places, axis=0)

    def labels_at(self, places: str, classes: NDArray[Any]) -> str:
        """Take the labels at ``places``, int64 or string."""
        text = classes.dtype.kind in "UO"
        if not text and np.array_equal(classes, np.arange(len(classes))):
            return places
        return self.lookup(classes.astype(object if text else np.int64), places)

    def shares(self, name: str) -> str:
        """Divide each row by its sum; a row whose sum is 0 stays as it is."""
        sums = self.reduce("ReduceSum", name, 1)
        one = self.constant(np.ones(1, np.float32))
        none = self.add("Equal", sums, self.constant(np.zeros(1, np.float32)))
        return self.add("Div", name, self.add("Where", none, one, sums))

    def difference(self, name: str) -> str:
        """Subtract the first of two columns from the second, (rows, 1)."""
        return self.add("Sub", self.pick(name, [1]), self.pick(name, [0]))
