"""Write what follows the sums of a booster's trees."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from onnxpress.boosters.model import TWO, BoosterModel
from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.conversion.converters.boosters.attributes import groups_of

LARGEST = np.finfo(np.float32).max


def added(sums: str, model: BoosterModel, writer: ContainerWriter) -> str:
    """Write the totals of all groups of trees, and the base, added in float64.

    ``sums`` are (rows, groups * targets), the totals float32 (rows, targets).
    """
    groups, width = groups_of(model), 1 + len(model.linear)
    if groups == 1:
        return sums
    shape = writer.constant(np.array([-1, groups, model.outputs * width], np.int64))
    double = writer.add("Cast", writer.add("Reshape", sums, shape), to=TensorProto.DOUBLE)
    total = writer.reduce("ReduceSum", double, 1, keepdims=False)
    if model.base.any():
        base = np.zeros((model.outputs, width))
        base[:, 0] = model.base
        total = writer.add("Add", total, writer.constant(base.ravel()))
    return writer.add("Cast", total, to=TensorProto.FLOAT)


def weighted(sums: str, rows: str, model: BoosterModel, writer: ContainerWriter) -> str:
    """Write (rows, outputs): the constants, and the factors times their features.

    ``sums`` are (rows, outputs * (1 + linear features)), ``rows`` the features. A missing feature
    counts as 0, and infinity as the largest float32, for 0 times infinity is no number.
    """
    if not model.linear:
        return sums
    chosen = writer.add("Gather", rows, writer.constant(np.array(model.linear, np.int64)), axis=1)
    itself = writer.add("Equal", chosen, chosen)
    present = writer.add("Where", itself, chosen, writer.constant(np.zeros(1, np.float32)))
    least, most = (writer.constant(np.array(one, np.float32)) for one in (-LARGEST, LARGEST))
    finite = writer.add("Min", writer.add("Max", present, least), most)
    width = 1 + len(model.linear)
    whole = writer.constant(np.array([-1, model.outputs, width], np.int64))
    factors = writer.add("Reshape", sums, whole)
    constants = writer.add("Gather", factors, writer.constant(np.array(0, np.int64)), axis=2)
    others = writer.constant(np.arange(1, width, dtype=np.int64))
    slopes = writer.add("Gather", factors, others, axis=2)
    shape = writer.constant(np.array([-1, 1, width - 1], np.int64))
    products = writer.add("Mul", slopes, writer.add("Reshape", finite, shape))
    return writer.add("Add", constants, writer.reduce("ReduceSum", products, 2, keepdims=False))


def decisions(sums: str, model: BoosterModel, writer: ContainerWriter) -> str:
    """Write LightGBM's raw scores (rows, classes): of two classes with one score, 0 and it.

    They are plain sums of leaves, also of a random forest, whose probabilities come from the mean,
    and without the slope of the logistic (``GBDT::PredictRaw``).
    """
    if model.scale != 1:
        sums = writer.add("Div", sums, writer.constant(np.array([model.scale], np.float32)))
    if model.classes == TWO and model.outputs == 1:
        return writer.add("Mul", sums, writer.constant(np.array([[0, 1]], np.float32)))
    return sums


def linked(sums: str, model: BoosterModel, writer: ContainerWriter, output: str) -> str:
    """Write the predictions (rows, outputs) to ``output``, two columns for two classes.

    Returns scores (rows, classes) that order the classes as the predictions do, before they are
    rounded to 0 and 1.

    Of one sum s the probabilities of two classes are the softmax of [0, s], which is exact for
    large s of either sign; of a step they are [1, 0] or [0, 1].
    """
    if model.classes == TWO and model.outputs == 1:
        ones = writer.constant(np.array([[0, 1]], np.float32))
        both = writer.add("Mul", sums, ones)
        if model.link == "step":
            first = writer.constant(np.array([[1, 0]], np.float32))
            writer.add("Abs", writer.add("Sub", first, _step(sums, writer)), output=output)
        else:
            writer.add("Softmax", both, output=output, axis=1)
        return both
    if model.link == "softmax":
        writer.add("Softmax", sums, output=output, axis=1)
    elif model.link == "logistic":
        one = writer.constant(np.ones(1, np.float32))
        beside = writer.add("Add", writer.add("Exp", writer.add("Neg", sums)), one)
        writer.add("Div", one, beside, output=output)
    elif model.link == "exp":
        writer.add("Exp", sums, output=output)
    elif model.link == "softplus":
        writer.add("Softplus", sums, output=output)
    elif model.link == "signed_square":
        writer.add("Mul", sums, writer.add("Abs", sums), output=output)
    elif model.link == "step":
        writer.add("Identity", _step(sums, writer), output=output)
    else:
        writer.add("Identity", sums, output=output)
    return sums


def _step(sums: str, writer: ContainerWriter) -> str:
    above = writer.add("Greater", sums, writer.constant(np.zeros(1, np.float32)))
    return writer.add("Cast", above, to=TensorProto.FLOAT)
