"""Writing ONNX operators into the container of a skl2onnx converter."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from stages.common.writer import Writer


class ContainerWriter(Writer):
    """Writes the operators of one converted estimator."""

    def __init__(self, scope: Any, container: Any) -> None:
        """``scope`` and ``container`` are those that skl2onnx calls a converter with."""
        self._scope, self._container = scope, container
        self.opset = container.target_opset_any_domain("")

    def add(self, op_type: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or self._scope.get_unique_variable_name("v")
        version = onnx.defs.get_schema(op_type, self.opset, "").since_version
        name = self._scope.get_unique_operator_name(op_type)
        self._container.add_node(op_type, list(inputs), [output], op_version=version, name=name, **attributes)
        return output

    def constant(self, values: NDArray[Any], name: str = "c") -> str:
        name = self._scope.get_unique_variable_name(name)
        array = np.ascontiguousarray(values)
        tensor = onnx.numpy_helper.from_array(array, name)
        self._container.add_initializer(name, None, None, tensor)
        return name
