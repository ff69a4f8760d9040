"""Declare the inputs and outputs that each model of this project has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, ValueInfoProto, helper

from onnxpress.tables.names import LABEL, NUMERIC_INPUT, PREDICTION, PROBABILITIES, SCORES
from onnxpress.tables.schema import Schema


def contract_inputs(schema: Schema, names: Sequence[str]) -> list[ValueInfoProto]:
    """Declare one matrix ``X`` for all-numeric data, else one input for each column or tensor.

    ``names`` are those of the columns' inputs.
    """
    value = helper.make_tensor_value_info
    if schema.all_numeric:
        return [value(NUMERIC_INPUT, TensorProto.FLOAT, [None, len(schema.columns)])]
    inputs = []
    for name, column in zip(names, schema.columns, strict=True):
        if column.kind == "tensor":
            kind = helper.np_dtype_to_tensor_dtype(np.dtype(column.dtype))
            inputs.append(value(name, kind, [None, *column.shape]))
            continue
        kind = TensorProto.FLOAT if column.kind == "number" else TensorProto.STRING
        inputs.append(value(name, kind, [None, 1]))
    return inputs


def contract_outputs(
    classes: NDArray[Any] | None, *, proper: bool, width: int | None
) -> list[ValueInfoProto]:
    """Declare a regressor's prediction, or a classifier's label and scores.

    ``classes`` is None for a regressor; ``proper`` scores are probabilities; ``width`` is how many
    columns of scores or targets there are, None if that is not known.
    """
    value = helper.make_tensor_value_info
    if classes is None:
        return [value(PREDICTION, TensorProto.FLOAT, [None, width])]
    kind = TensorProto.STRING if classes.dtype.kind in "UO" else TensorProto.INT64
    scores = PROBABILITIES if proper else SCORES
    return [value(LABEL, kind, [None]), value(scores, TensorProto.FLOAT, [None, width])]
