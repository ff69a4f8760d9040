"""The three models that everything compares; their keys are the prefixes of metric names."""

from __future__ import annotations

ORIGINAL, ONNX, QUANTIZED = MODEL_KEYS = ("original", "onnx", "quantized")
"""The estimator as it was fitted or given, model.onnx, and model_quantized.onnx."""

PLAIN = "none"
"""The candidate that is model.onnx itself: nothing was gained by quantising."""
