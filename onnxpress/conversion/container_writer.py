"""Write ONNX operators into the container of a skl2onnx converter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from onnxpress.graph.writer import Writer


class ContainerWriter(Writer):
    """Write the operators of one converted estimator."""

    def __init__(self, scope: Any, container: Any) -> None:
        """``scope`` and ``container`` are those that skl2onnx calls a converter with."""
        self._scope, self._container = scope, container
        self.opset = container.target_opset_any_domain("")

    def write(
        self,
        op_type: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attributes: dict[str, Any],
        domain: str = "",
        version: int = 0,
    ) -> None:
        """See Writer."""
        if not domain:
            version = onnx.defs.get_schema(op_type, self.opset, "").since_version
        self._container.add_node(
            op_type,
            list(inputs),
            list(outputs),
            op_domain=domain,
            op_version=version,
            name=self._scope.get_unique_operator_name(op_type),
            **attributes,
        )

    def name(self, base: str) -> str:
        """See Writer."""
        return str(self._scope.get_unique_variable_name(base))

    def constant(self, values: NDArray[Any], name: str = "c") -> str:
        """See Writer."""
        name = self.name(name)
        if values.dtype == object:
            # Of a given tensor skl2onnx copies the raw data alone, and strings have none.
            texts = [text.encode() for text in values.flat]
            self._container.add_initializer(name, TensorProto.STRING, values.shape, texts)
        else:
            self._container.add_initializer(name, None, None, numpy_helper.from_array(values, name))
        return name

    def side_by_side(self, parts: Sequence[str], output: str) -> None:
        """Write the columns of all ``parts`` to ``output``.

        One part alone gets a second name by an Identity, which skl2onnx takes out again.
        """
        if len(parts) > 1:
            self.add("Concat", *parts, output=output, axis=1)
        else:
            self.add("Identity", *parts, output=output)
