"""Keep weights in one place: the graph's initializers."""

from __future__ import annotations

import onnx


def as_initializers(graph: onnx.GraphProto) -> None:
    """Make initializers of the tensors in Constants, in place, as runtimes do at load.

    1. A Constant whose value is a tensor goes; the tensor becomes an initializer of its name.
    2. A Constant that is an output of the graph stays.
    """
    outputs = {value.name for value in graph.output}
    lifted = [node for node in graph.node if _has_tensor(node) and node.output[0] not in outputs]
    for node in lifted:
        tensor = graph.initializer.add()
        tensor.CopyFrom(node.attribute[0].t)
        tensor.name = node.output[0]
        graph.node.remove(node)


def _has_tensor(node: onnx.NodeProto) -> bool:
    constant = node.op_type == "Constant" and node.domain in ("", "ai.onnx")
    return constant and node.attribute[0].name == "value"
