"""The files that stages hand to each other."""

from __future__ import annotations

from pathlib import Path

PARAMS = Path("params.yaml")

OUTPUTS = Path("outputs")

TRAIN = OUTPUTS / "train.parquet"

CALIBRATION = OUTPUTS / "calibration.parquet"

TEST = OUTPUTS / "test.parquet"

SCHEMA = OUTPUTS / "schema.json"

ORIGINAL_MODEL = OUTPUTS / "model.joblib"

ORIGINAL_DIGEST = OUTPUTS / "model.sha256"

ONNX_MODEL = OUTPUTS / "model.onnx"

QUANTIZED_MODEL = OUTPUTS / "model_quantized.onnx"

CANDIDATES = OUTPUTS / "candidates"

QUANTIZATION = OUTPUTS / "quantization.json"

METRICS = OUTPUTS / "metrics.json"

PREDICTIONS = OUTPUTS / "predictions.csv"

LATENCY = OUTPUTS / "latency.json"

LATENCY_DETAIL = OUTPUTS / "latency_detail.json"

GATE = OUTPUTS / "gate.json"

MLFLOW_RUN = OUTPUTS / "mlflow_run.json"

REPORT = OUTPUTS / "report.html"

MODEL_FILES = {"original": ORIGINAL_MODEL, "onnx": ONNX_MODEL, "quantized": QUANTIZED_MODEL}
"""The three models in the order of the chain; the keys are the prefixes of the contract's metric names."""

PICTURES = {
    name: OUTPUTS / "plots" / f"{name}.png"
    for name in ("errors", "size", "candidates", "latency", "latency_by_batch")
}
"""What the plot stage draws. The first two follow from the models, the others from a measurement of their latency."""


def candidate_path(name: str) -> Path:
    """Where the model of a candidate like ``forest/lossless`` lies; no method has a ``-`` in its name."""
    return CANDIDATES / f"{name.replace('/', '-', 1)}.onnx"


def candidate_name(path: Path) -> str:
    """The candidate whose model lies at ``path``."""
    return path.stem.replace("-", "/", 1)


def size_kb(path: Path) -> float:
    """Size of a file in KB of 1024 bytes."""
    return path.stat().st_size / 1024
