"""Writing ONNX operators into the container of a skl2onnx converter."""

from __future__ import annotations

from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from onnxpress.graph.writer import Writer


class ContainerWriter(Writer):
    """Writes the operators of one converted estimator."""

    def __init__(self, scope: Any, container: Any) -> None:
        """``scope`` and ``container`` are those that skl2onnx calls a converter with."""
        self._scope, self._container = scope, container
        self.opset = container.target_opset_any_domain("")

    def write(
        self, op_type: str, inputs: tuple[str, ...], outputs: list[str], attributes: dict[str, Any]
    ) -> None:
        """See Writer."""
        version = onnx.defs.get_schema(op_type, self.opset, "").since_version
        name = self._scope.get_unique_operator_name(op_type)
        self._container.add_node(
            op_type, list(inputs), outputs, op_version=version, name=name, **attributes
        )

    def add_of(
        self, domain: str, version: int, op_type: str, *inputs: str, **attributes: Any
    ) -> str:
        """One operator of another domain than ai.onnx, with one output."""
        output = self.name("v")
        name = self._scope.get_unique_operator_name(op_type)
        self._container.add_node(
            op_type,
            list(inputs),
            [output],
            op_domain=domain,
            op_version=version,
            name=name,
            **attributes,
        )
        return output

    def add_ml(self, op_type: str, *inputs: str, version: int = 1, **attributes: Any) -> str:
        """One operator of ai.onnx.ml ``version``."""
        return self.add_of("ai.onnx.ml", version, op_type, *inputs, **attributes)

    def write_ml(
        self, op_type: str, inputs: tuple[str, ...], outputs: list[str], attributes: dict[str, Any]
    ) -> None:
        """One operator of ai.onnx.ml, in its first version."""
        name, domain = self._scope.get_unique_operator_name(op_type), "ai.onnx.ml"
        self._container.add_node(
            op_type, list(inputs), outputs, op_domain=domain, op_version=1, name=name, **attributes
        )

    def side_by_side(self, parts: list[str], output: str) -> None:
        """The columns of all ``parts``; one part alone is only named, which skl2onnx takes out again."""
        self.add("Concat", *parts, output=output, axis=1) if len(parts) > 1 else self.add(
            "Identity", *parts, output=output
        )

    def name(self, base: str) -> str:
        """See Writer."""
        return str(self._scope.get_unique_variable_name(base))

    def constant(self, values: NDArray[Any], name: str = "c") -> str:
        """See Writer."""
        name = self.name(name)
        if (
            values.dtype == object
        ):  # of a tensor skl2onnx copies nothing but raw data, which strings have none of
            self._container.add_initializer(
                name, TensorProto.STRING, values.shape, [text.encode() for text in values.flat]
            )
        else:
            self._container.add_initializer(name, None, None, numpy_helper.from_array(values, name))
        return name
