"""Draw what the earlier stages found, as PNG files: ``python -m stages.plot``."""

from __future__ import annotations

from onnxpress.pipeline.files import read_json, write_bytes
from onnxpress.pipeline.inputs import predictions_in_pieces, read_schema
from onnxpress.pipeline.onnx_inputs import read_onnx
from onnxpress.pipeline.outputs import (
    LATENCY_DETAIL,
    METRICS,
    METRICS_DETAIL,
    ONNX_MODEL,
    PICTURES,
    QUANTIZATION,
    QUANTIZED_MODEL,
)
from onnxpress.pipeline.running import run_stage
from onnxpress.report.pictures import candidates, errors, latency, reliability, size
from onnxpress.report.pictures.canvas import png, style


def main() -> None:
    """Read records and models, and write a file per picture."""
    schema, metrics = read_schema(), read_json(METRICS, "original_size_kb", "onnx_size_kb")
    scored = read_json(METRICS_DETAIL, "reliability", "score")
    quantization = read_json(QUANTIZATION, "candidates", "candidate", "scoring")
    detail = read_json(LATENCY_DETAIL, "batches", "candidates", "default_batch_rows", "environment")
    models = read_onnx(ONNX_MODEL, schema), read_onnx(QUANTIZED_MODEL, schema)
    with style():
        figures = {
            "errors": errors.draw(predictions_in_pieces(schema), schema),
            "reliability": reliability.draw(scored["reliability"], metrics, schema.task),
            "size": size.draw(metrics["original_size_kb"], *models),
            "candidates": candidates.draw(quantization, detail, metrics, scored["score"]["name"]),
            "latency": latency.draw_distribution(detail),
            "latency_by_batch": latency.draw_sweep(detail),
        }
        for name, figure in figures.items():
            write_bytes(PICTURES[name], png(figure))


if __name__ == "__main__":
    run_stage("plot", main)
