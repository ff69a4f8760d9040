"""Forests as skl2onnx converts them, and what ONNX Runtime predicts with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray


def converted(estimator: Any, x: NDArray[np.float32], **options: Any) -> onnx.ModelProto:
    """Convert with skl2onnx, to opset 12 unless ``opset`` says another."""
    from skl2onnx import to_onnx

    settings = {"zipmap": False} if hasattr(estimator, "predict_proba") else None
    model: onnx.ModelProto = to_onnx(
        estimator, x[:1], options=settings, target_opset=options.get("opset", 12)
    )
    return model


def outputs(model: onnx.ModelProto, x: NDArray[np.float32]) -> list[NDArray[Any]]:
    """Run a model of one input on the rows ``x``, shape (rows, columns)."""
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {session.get_inputs()[0].name: x}))
