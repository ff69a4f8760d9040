"""Operators of ai.onnx in torch, so that gradients can be taken.

What is not here is refused: by :func:`run`, which a held process calls. It compares the answers
with onnxruntime's before it trains anything, so an operator that is wrong here spoils no model.

Source: https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional

Attributes = dict[str, Any]
Inputs = Sequence[Any]
"""Tensors, or None for an input that is left out."""


class Unknown(Exception):
    """An operator or a form of one that is not known here; the message names it."""


def run(node: onnx.NodeProto, inputs: Inputs) -> list[Any]:
    """Return the outputs of a node.

    Raises:
        Unknown: it is of no kind that is known here.
    """
    given = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    if node.domain in ("", "ai.onnx"):
        if node.op_type in PLAIN:
            return [PLAIN[node.op_type](*inputs)]
        if node.op_type in WITH_ATTRIBUTES:
            found = WITH_ATTRIBUTES[node.op_type](inputs, given)
            found = list(found) if isinstance(found, (list, tuple)) else [found]
            if len(found) >= sum(map(bool, node.output)):
                return found
    raise Unknown(f"the operator {node.op_type}")


def is_known(node: onnx.NodeProto) -> bool:
    """Whether an operator is known here, in some form."""
    return node.domain in ("", "ai.onnx") and (
        node.op_type in PLAIN or node.op_type in WITH_ATTRIBUTES
    )


def _div(one: Any, other: Any) -> Any:
    if one.is_floating_point():
        return one / other
    return torch.div(one, other, rounding_mode="trunc")


PLAIN: dict[str, Callable[..., Any]] = {
    "Abs": torch.abs,
    "Add": torch.add,
    "Div": _div,
    "Equal": torch.eq,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Expand": lambda values, shape: values * torch.ones(shape.tolist(), dtype=values.dtype),
    "GlobalAveragePool": lambda values: values.mean(tuple(range(2, values.ndim)), keepdim=True),
    "GlobalMaxPool": lambda values: values.amax(tuple(range(2, values.ndim)), keepdim=True),
    "Greater": torch.gt,
    "HardSwish": functional.hardswish,
    "Identity": torch.clone,
    "Less": torch.lt,
    "Log": torch.log,
    "MatMul": torch.matmul,
    "Mul": torch.mul,
    "Neg": torch.neg,
    "Not": torch.logical_not,
    "PRelu": lambda values, slope: torch.where(values < 0, values * slope, values),
    "Pow": torch.pow,
    "Reciprocal": torch.reciprocal,
    "Relu": torch.relu,
    "Shape": lambda values: torch.tensor(values.shape),
    "Sigmoid": torch.sigmoid,
    "Softplus": functional.softplus,
    "Sqrt": torch.sqrt,
    "Sub": torch.sub,
    "Tanh": torch.tanh,
    "Where": torch.where,
}
"""Of inputs alone."""


def _no_other(given: Attributes, expected: Attributes) -> None:
    """See that attributes that are there have the one value that is known here.

    Raises:
        Unknown: one has another value.
    """
    for name, value in expected.items():
        if given.get(name, value) != value:
            raise Unknown(f"{name} {given[name]!r}")


def _pads(given: Attributes, dimensions: int) -> list[int]:
    """The pads of a window as torch takes them: of the last dimension first, before and behind."""
    _no_other(given, {"auto_pad": b"NOTSET", "ceil_mode": 0})
    pads = given.get("pads", [0] * 2 * dimensions)
    return [pads[place + end] for place in reversed(range(dimensions)) for end in (0, dimensions)]


def _window(given: Attributes, dimensions: int, names: Sequence[str]) -> list[Any]:
    return [given.get(name) or [1] * dimensions for name in names]


def _convolution(inputs: Inputs, given: Attributes) -> Any:
    values, weights, bias = [*inputs, None][:3]
    dimensions = weights.ndim - 2
    function = (functional.conv1d, functional.conv2d, functional.conv3d)[dimensions - 1]
    padded = functional.pad(values, _pads(given, dimensions))
    strides, dilations = _window(given, dimensions, ("strides", "dilations"))
    return function(padded, weights, bias, strides, 0, dilations, given.get("group", 1))


def _max_pool(inputs: Inputs, given: Attributes) -> Any:
    kernel = given["kernel_shape"]
    pool = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[len(kernel) - 1]
    padded = functional.pad(inputs[0], _pads(given, len(kernel)), value=-torch.inf)
    strides, dilations = _window(given, len(kernel), ("strides", "dilations"))
    return pool(padded, kernel, strides, 0, dilations)


def _average_pool(inputs: Inputs, given: Attributes) -> Any:
    kernel = given["kernel_shape"]
    pool = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)[len(kernel) - 1]
    pads = _pads(given, len(kernel))
    _no_other(given, {"dilations": [1] * len(kernel)})
    if any(pads) and not given.get("count_include_pad", 0):
        raise Unknown("an AveragePool that does not count its pads")
    (strides,) = _window(given, len(kernel), ("strides",))
    return pool(functional.pad(inputs[0], pads), kernel, strides)


def _gemm(inputs: Inputs, given: Attributes) -> Any:
    one, other, bias = [*inputs, None][:3]
    one = one.T if given.get("transA") else one
    other = other.T if given.get("transB") else other
    found = given.get("alpha", 1.0) * (one @ other)
    return found if bias is None else found + given.get("beta", 1.0) * bias


def _axes(inputs: Inputs, given: Attributes) -> list[int] | None:
    """The axes of an operator, which are an attribute or, in newer ones, an input."""
    if len(inputs) > 1 and inputs[1] is not None:
        return [int(axis) for axis in inputs[1]]
    return given.get("axes")


def _reduced(function: Callable[..., Any]) -> Callable[[Inputs, Attributes], Any]:
    def reduced(inputs: Inputs, given: Attributes) -> Any:
        _no_other(given, {"noop_with_empty_axes": 0})
        axes = _axes(inputs, given) or list(range(inputs[0].ndim))
        return function(inputs[0], tuple(axes), keepdim=bool(given.get("keepdims", 1)))

    return reduced


def _flatten(inputs: Inputs, given: Attributes) -> Any:
    values, axis = inputs[0], given.get("axis", 1)
    return values.reshape(prod(values.shape[:axis]), -1)


def _reshape(inputs: Inputs, given: Attributes) -> Any:
    values, shape = inputs[0], inputs[1].tolist()
    if given.get("allowzero", 0) and 0 in shape:
        raise Unknown("a Reshape to no numbers")
    return values.reshape([size or values.shape[place] for place, size in enumerate(shape)])


def _squeeze(inputs: Inputs, given: Attributes) -> Any:
    axes = _axes(inputs, given)
    return inputs[0].squeeze() if axes is None else inputs[0].squeeze(tuple(axes))


def _unsqueeze(inputs: Inputs, given: Attributes) -> Any:
    values, axes = inputs[0], _axes(inputs, given) or []
    size = values.ndim + len(axes)
    for axis in sorted(axis % size for axis in axes):
        values = values.unsqueeze(axis)
    return values


def _slice(inputs: Inputs, given: Attributes) -> Any:
    if len(inputs) == 1:
        starts, ends, axes, steps = given["starts"], given["ends"], given.get("axes"), None
    else:
        lists = [None if item is None else item.tolist() for item in inputs[1:]]
        starts, ends, axes, steps = [*lists, None, None][:4]
    values = inputs[0]
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis, step = axes[place] if axes else place, steps[place] if steps else 1
        if step < 1:
            raise Unknown("a Slice backwards")
        first, last, step = slice(start, end, step).indices(values.shape[axis])
        values = values.index_select(axis, torch.arange(first, max(first, last), step))
    return values


def _gather(inputs: Inputs, given: Attributes) -> Any:
    values, index = inputs
    axis = given.get("axis", 0) % values.ndim
    shape = [*values.shape[:axis], *index.shape, *values.shape[axis + 1 :]]
    return values.index_select(axis, index.reshape(-1) % values.shape[axis]).reshape(shape)


def _split(inputs: Inputs, given: Attributes) -> Any:
    sizes = given.get("split")
    if len(inputs) > 1:
        sizes = inputs[1].tolist()
    if sizes is None:
        raise Unknown("a Split without sizes")
    return torch.split(inputs[0], sizes, given.get("axis", 0))


TYPES = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.DOUBLE: torch.float64,
    TensorProto.INT32: torch.int32,
    TensorProto.INT64: torch.int64,
    TensorProto.BOOL: torch.bool,
    TensorProto.UINT8: torch.uint8,
}


def _cast(inputs: Inputs, given: Attributes) -> Any:
    if given["to"] not in TYPES:
        raise Unknown(f"a Cast to {TensorProto.DataType.Name(given['to'])}")
    return inputs[0].to(TYPES[given["to"]])


def _clip(inputs: Inputs, given: Attributes) -> Any:
    low, high = [*inputs[1:], None, None][:2]
    low, high = given.get("min") if low is None else low, given.get("max") if high is None else high
    found = inputs[0]
    found = found if low is None else torch.maximum(found, torch.as_tensor(low, dtype=found.dtype))
    return found if high is None else torch.minimum(found, torch.as_tensor(high, dtype=found.dtype))


def _along_last(function: Callable[..., Any]) -> Callable[[Inputs, Attributes], Any]:
    """Of rows of numbers any version's default is the last axis; others have to name it."""

    def along_last(inputs: Inputs, given: Attributes) -> Any:
        last = inputs[0].ndim - 1
        if given.get("axis", last if last == 1 else 0) not in (-1, last):
            raise Unknown("a Softmax along another axis than the last")
        return function(inputs[0], dim=-1)

    return along_last


def _normalised_batch(inputs: Inputs, given: Attributes) -> Any:
    _no_other(given, {"training_mode": 0})
    values, scale, bias, mean, variance = inputs
    return functional.batch_norm(
        values, mean, variance, scale, bias, eps=given.get("epsilon", 1e-5)
    )


def _normalised_layer(inputs: Inputs, given: Attributes) -> Any:
    values, scale, bias = [*inputs, None][:3]
    shape = values.shape[given.get("axis", -1) :]
    return functional.layer_norm(values, shape, scale, bias, given.get("epsilon", 1e-5))


def _padded(inputs: Inputs, given: Attributes) -> Any:
    _no_other(given, {"mode": b"constant"})
    pads, value, axes = [*inputs[1:], None, None, None][:3]
    if axes is not None:
        raise Unknown("a Pad of some axes")
    each = given["pads"] if pads is None else pads.tolist()
    half = len(each) // 2
    turned = [each[place + end] for place in reversed(range(half)) for end in (0, half)]
    filled = given.get("value", 0.0) if value is None else value.item()
    return functional.pad(inputs[0], turned, value=filled)


def _gelu(inputs: Inputs, given: Attributes) -> Any:
    kind = given.get("approximate", b"none").decode()
    return functional.gelu(inputs[0], approximate=kind)


def _constant(_inputs: Inputs, given: Attributes) -> Any:
    if "value" not in given:
        raise Unknown("a Constant that is no tensor")
    return torch.from_numpy(np.array(numpy_helper.to_array(given["value"])))


WITH_ATTRIBUTES: dict[str, Callable[[Inputs, Attributes], Any]] = {
    "AveragePool": _average_pool,
    "BatchNormalization": _normalised_batch,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": lambda inputs, given: torch.cat(list(inputs), given["axis"]),
    "Constant": _constant,
    "Conv": _convolution,
    "Elu": lambda inputs, given: functional.elu(inputs[0], given.get("alpha", 1.0)),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "HardSigmoid": lambda inputs, given: torch.clamp(
        given.get("alpha", 0.2) * inputs[0] + given.get("beta", 0.5), 0, 1
    ),
    "LayerNormalization": _normalised_layer,
    "LeakyRelu": lambda inputs, given: functional.leaky_relu(inputs[0], given.get("alpha", 0.01)),
    "LogSoftmax": _along_last(torch.log_softmax),
    "MaxPool": _max_pool,
    "Pad": _padded,
    "ReduceMax": _reduced(torch.amax),
    "ReduceMean": _reduced(torch.mean),
    "ReduceSum": _reduced(torch.sum),
    "Reshape": _reshape,
    "Slice": _slice,
    "Softmax": _along_last(torch.softmax),
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": lambda inputs, given: inputs[0].permute(
        given.get("perm", list(reversed(range(inputs[0].ndim))))
    ),
    "Unsqueeze": _unsqueeze,
}
"""Of inputs and attributes."""
