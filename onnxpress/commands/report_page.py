"""From outputs/ to outputs/report.html."""

from __future__ import annotations

from collections.abc import Mapping

from onnxpress.errors import UserError
from onnxpress.pipeline.files import read_bytes, read_json, write_bytes
from onnxpress.pipeline.freshness import dvc, stale_stages
from onnxpress.pipeline.inputs import read_predictions, read_rows, read_schema
from onnxpress.pipeline.outputs import (
    CANDIDATES,
    GATE,
    LATENCY,
    LATENCY_DETAIL,
    METRICS,
    MLFLOW_RUN,
    ONNX_MODEL,
    ORIGINAL_MODEL,
    PICTURES,
    PREDICTIONS,
    QUANTIZATION,
    QUANTIZED_MODEL,
    REPORT,
    TEST,
)
from onnxpress.report.disagreement import worst_rows
from onnxpress.report.page import render
from onnxpress.report.summary import Json

FILES = {
    ORIGINAL_MODEL: "the original model",
    ONNX_MODEL: "the same as ONNX",
    QUANTIZED_MODEL: "the candidate that was chosen, or model.onnx itself",
    QUANTIZATION: "the verdict on every candidate",
    METRICS: "sizes, scores, agreement",
    PREDICTIONS: "the target and each model's answer, a line per test row",
    LATENCY: "medians and speed-ups",
    LATENCY_DETAIL: "percentiles, intervals, load time, memory, candidates, environment",
    GATE: "each limit, its value, passed or not",
    MLFLOW_RUN: "which MLflow run holds all this",
}
"""What the page says of each file."""


def write_report(title: str, results: Mapping[str, Json], original: str) -> None:
    """Write the page about ``results`` and what lies beside them; the pictures are drawn first if they are not up to date.

    Raises:
        UserError: a file of the chain is missing or is not what its stage writes.
    """
    schema, predictions = read_schema(), read_predictions()
    test = read_rows(TEST, schema)
    if len(test) != len(predictions["target"]):
        lengths = f"{len(predictions['target'])} rows, {TEST} has {len(test)}"
        raise UserError(f"{PREDICTIONS} has {lengths}; run `dvc repro --force evaluate`")
    worst = worst_rows(predictions, test, schema)
    detail = read_json(LATENCY_DETAIL, "batches", "candidates", "environment", "warnings")
    stale = stale_stages()
    if "plot" in stale or not all(path.exists() for path in PICTURES.values()):
        dvc("repro", "--quiet", "--single-item", "plot")
        stale = stale_stages()
    pictures = {name: read_bytes(path) for name, path in PICTURES.items()}
    files = FILES | dict.fromkeys(sorted(CANDIDATES.glob("*.onnx")), "the model of a candidate")
    page = render(
        title, original, {**results, "latency_detail": detail}, pictures, worst, files, stale
    )
    write_bytes(REPORT, page.encode())
