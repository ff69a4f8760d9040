"""Metrics and latencies of one run, for tests of what is printed and drawn."""

from __future__ import annotations

from typing import Any

METRICS: dict[str, float] = {
    "original_size_kb": 163.8,
    "onnx_size_kb": 68.2,
    "quantized_size_kb": 1.1,
    "onnx_size_reduction_pct": 58.4,
    "quantized_size_reduction_pct": 99.3,
    "original_accuracy": 0.9,
    "onnx_accuracy": 0.9,
    "quantized_accuracy": 0.9333,
    "onnx_agreement": 1.0,
    "quantized_agreement": 0.9667,
    "quantized_disagreement_upper": 0.14859,
    "onnx_probe_agreement": 1.0,
    "quantized_probe_agreement": 0.9,
    "test_rows": 30,
}
LATENCY = {
    "original_latency_ms": 4.5,
    "onnx_latency_ms": 0.0377,
    "quantized_latency_ms": 0.0148,
    "onnx_speedup": 119.2,
    "quantized_speedup": 304.1,
}
BINS = [
    {"rows": 15, "confidence": 0.6, "accuracy": 0.7},
    {"rows": 15, "confidence": 0.9, "accuracy": 1.0},
]
DETAIL: dict[str, Any] = {
    "score": {"name": "accuracy", "positive": None},
    "also": [],
    "reliability": {"original": BINS, "onnx": BINS, "quantized": BINS},
    "findings": [],
    "worse_probabilities": None,
    "deciding": {"rows": [], "moving": 0, "all_tried": True},
}
"""metrics_detail.json of the same run."""
