"""What became of two models in three runtimes, one outcome of each kind among them."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.certify.certifying import Certificate
from onnxpress.certify.comparing import Finding, Outcome, finding
from onnxpress.certify.replaying import Answer
from onnxpress.runtimes import runtime_of

LABELS, SCORES = np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
EQUAL = finding((LABELS, SCORES), Answer("", (LABELS, SCORES), 1.25, 0.0625))
DIFFERENT = finding((LABELS, SCORES), Answer("", (1 - LABELS, SCORES / 2), 2.0, 0.5))
OTHER_SHAPE = finding((LABELS, SCORES), Answer("", (LABELS, SCORES[:, :1]), 2.0, 0.5))
FAILS = finding((LABELS, SCORES), Answer("no kernel for <TreeEnsemble>"))
NOT_TRIED = Finding(Outcome.NOT_TRIED, "npm is not installed here")
MODELS = {"model.onnx": b"one", "model_quantized.onnx": b"other"}
FOUND = {
    "onnxruntime==1.20.1": (EQUAL, FAILS),
    "openvino==2026.4.1": (DIFFERENT, OTHER_SHAPE),
    "onnxruntime-web==1.30.0": (NOT_TRIED, NOT_TRIED),
}


def certificate() -> dict[str, Any]:
    """The content of runtimes.json."""
    found = {runtime_of(name): dict(zip(MODELS, each, strict=True)) for name, each in FOUND.items()}
    return Certificate(MODELS, {"test": 2, "probe": 1}, found).to_json()
