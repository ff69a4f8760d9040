"""The names of the files that stages pass to each other: the outputs of dvc.yaml."""

from __future__ import annotations

from pathlib import Path

from onnxpress.models import ONNX, ORIGINAL, QUANTIZED

PARAMS = Path("params.yaml")
OUTPUTS = Path("outputs")

# prepare
TRAIN = OUTPUTS / "train.parquet"
CALIBRATION = OUTPUTS / "calibration.parquet"
TEST = OUTPUTS / "test.parquet"
SCHEMA = OUTPUTS / "schema.json"

# train, convert, quantize
ORIGINAL_MODEL = OUTPUTS / "model.joblib"
ORIGINAL_DIGEST = OUTPUTS / "model.sha256"
ONNX_MODEL = OUTPUTS / "model.onnx"
QUANTIZED_MODEL = OUTPUTS / "model_quantized.onnx"
CANDIDATES = OUTPUTS / "candidates"
QUANTIZATION = OUTPUTS / "quantization.json"

# evaluate, benchmark, gate, package, publish, and what is made beside the chain
METRICS = OUTPUTS / "metrics.json"
METRICS_DETAIL = OUTPUTS / "metrics_detail.json"
PREDICTIONS = OUTPUTS / "predictions.csv"
LATENCY = OUTPUTS / "latency.json"
LATENCY_DETAIL = OUTPUTS / "latency_detail.json"
GATE = OUTPUTS / "gate.json"
SERVING = OUTPUTS / "serving"
MLFLOW_RUN = OUTPUTS / "mlflow_run.json"
ROLLBACK = OUTPUTS / "rollback.yaml"
REPORT = OUTPUTS / "report.html"
RUNTIMES = OUTPUTS / "runtimes.json"

MODEL_FILES = {ORIGINAL: ORIGINAL_MODEL, ONNX: ONNX_MODEL, QUANTIZED: QUANTIZED_MODEL}
"""The file of each of the three models, in the order of the chain."""
NAMES = {key: str(path) for key, path in MODEL_FILES.items()}
"""The same in words."""
CONVERTED = (ONNX_MODEL, QUANTIZED_MODEL)
"""Those that are ONNX files."""

PICTURES = {
    name: OUTPUTS / "plots" / f"{name}.png"
    for name in ("errors", "reliability", "size", "candidates", "latency", "latency_by_batch")
}
"""What the plot stage draws: the first three from the models, the others from their latency."""


def candidate_path(name: str) -> Path:
    """Return the file of a candidate like ``forest/lossless``; no method has a ``-`` in it."""
    return CANDIDATES / f"{name.replace('/', '-', 1)}.onnx"


def candidate_name(path: Path) -> str:
    """Return the candidate whose model is the file ``path``."""
    return path.stem.replace("-", "/", 1)


def size_kb(path: Path) -> float:
    """Return the size of a file in KB of 1024 bytes."""
    return path.stat().st_size / 1024
