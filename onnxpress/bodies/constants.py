"""What a runtime computes once, when it loads a model: values that no input reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from onnxpress.runtime.sessions import open_session

RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
RANDOM |= {"Bernoulli", "Multinomial", "Dropout"}


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant of the graph; ``values`` are ``codes * step`` if it is stored so."""

    values: NDArray[Any]
    codes: NDArray[np.int8] | None = None
    step: NDArray[np.float32] | None = None
    """One for all, or in a shape that numpy spreads over the codes."""


def constants(model: onnx.ModelProto) -> dict[str, Constant]:
    """Return all constants by name: initializers, and what operators make of them alone.

    Operators are computed by onnxruntime, so that the numbers are those of its sessions.
    """
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    found = {name: Constant(values) for name, values in stored.items()}
    known, nodes = {*stored, ""}, []
    for node in model.graph.node:
        if known.issuperset(node.input) and node.op_type not in RANDOM:
            nodes.append(node)
            known.update(node.output)
    made = _run(model, nodes)
    for node in nodes:
        for name in filter(None, node.output):
            found[name] = _with_codes(node, made[name], found)
    return found


def _run(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> dict[str, NDArray[Any]]:
    """The outputs of ``nodes``, which read nothing but each other and initializers."""
    names = [name for node in nodes for name in node.output if name]
    if not names:
        return {}
    part = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    part.graph.name = "constants"
    part.graph.node.extend(nodes)
    read = {name for node in nodes for name in node.input}
    part.graph.initializer.extend(each for each in model.graph.initializer if each.name in read)
    part.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    values = open_session(part.SerializeToString()).run(names, {})
    return dict(zip(names, values, strict=True))


def _with_codes(node: onnx.NodeProto, values: NDArray[Any], found: dict[str, Constant]) -> Constant:
    """``values`` with the codes that they are made of: a Cast of int8, a product, a transpose."""
    read = [found[name] for name in node.input if name]
    if values.dtype != np.float32:
        return Constant(values)
    if node.op_type == "Cast" and _is_int8(read[0].values):
        return Constant(values, read[0].values.astype(np.int8), np.ones((), np.float32))
    if node.op_type == "Mul":
        for part, factor in (read, read[::-1]):
            if part.codes is not None and part.step is not None and part.step.ndim == 0:
                return Constant(values, part.codes, np.asarray(part.step * factor.values))
    if node.op_type == "Transpose" and read[0].codes is not None and read[0].step is not None:
        step = np.broadcast_to(read[0].step, read[0].codes.shape)
        axes = next((list(item.ints) for item in node.attribute), None)
        return Constant(values, read[0].codes.transpose(axes), step.transpose(axes))
    return Constant(values)


def _is_int8(values: NDArray[Any]) -> bool:
    """Whether they are stored in a byte each, and int8 holds them."""
    most = values.max(initial=0)
    return values.dtype == np.int8 or (values.dtype == np.uint8 and most <= np.iinfo(np.int8).max)
