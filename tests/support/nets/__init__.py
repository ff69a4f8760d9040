"""Small nets, and how they were made."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.conversion.converting import to_onnx
from onnxpress.given.onnx_models import load_onnx
from tests.conftest import digits_rows, numeric_schema

HERE = Path(__file__).parent


@cache
def digits_cnn() -> onnx.ModelProto:
    """The convolutional net of make.py, with labels and probabilities."""
    schema = numeric_schema(64)
    model = load_onnx(HERE / "digits_cnn.onnx", digits_rows(0, 1000), schema, lambda _line: None)
    return to_onnx(model, schema, 12)


def torch_probabilities() -> NDArray[np.float64]:
    """What PyTorch answers for the rows from 1,000 on, (rows, 10)."""
    logits = np.load(HERE / "digits_cnn.npy").astype(np.float64)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
