from __future__ import annotations

from typing import Any

import pytest

from stages.report.summary import print_summary

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


def printed(capsys: pytest.CaptureFixture[str], metrics: dict[str, float]) -> str:
    results: dict[str, Any] = {
        "metrics": metrics,
        "latency": LATENCY,
        "quantization": {"summary": "forest/refined-8x3 chosen", "min_onnxruntime": "1.3"},
        "gate": {"max_size_ratio": {"passed": True}, "max_accuracy_drop": {"passed": None}},
        "mlflow_run": {"run_id": "abc", "experiment": "lab", "tracking_uri": "sqlite:////somewhere/mlflow.db"},
    }
    print_summary("a forest on iris", results)
    return capsys.readouterr().out


def row(text: str, name: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if f" {name} " in line.replace("│", " ")]
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_each_model_has_a_line_with_its_size_latency_score_and_agreement(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, METRICS)
    assert row(text, "scikit-learn") == ["scikit-learn", "163.8", "-", "4.5", "-", "0.9000", "-", "-"]
    assert row(text, "ONNX, quantised")[1:] == ["1.1", "-99.3 %", "0.0148", "304x", "0.9333", "0.9667", "0.9000"]


def test_a_regression_shows_r2_and_what_is_undefined_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {key: value for key, value in METRICS.items() if "size" in key or key == "test_rows"}
    scores = {f"{model}_r2": 0.5 for model in ("original", "onnx", "quantized")}
    text = printed(capsys, {**sizes, **scores, "onnx_within_tolerance": 1.0})
    assert "r2" in text
    assert row(text, "ONNX, quantised")[-3:] == ["0.5000", "-", "-"]


def test_where_to_look_next_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, METRICS)
    assert "1 gates passed: max_size_ratio" in text
    assert "make ui" in text
    assert "\x1b" not in text
