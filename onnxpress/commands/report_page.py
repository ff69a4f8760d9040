"""Write outputs/report.html from what lies in outputs/."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from onnxpress.errors import UserError
from onnxpress.pipeline.certificate import read_certificate
from onnxpress.pipeline.files import read_bytes, read_json, write_bytes
from onnxpress.pipeline.freshness import dvc, stale_stages
from onnxpress.pipeline.inputs import (
    chosen_predictions,
    predictions_in_pieces,
    read_chosen_rows,
    read_schema,
)
from onnxpress.pipeline.outputs import (
    CANDIDATES,
    GATE,
    LATENCY,
    LATENCY_DETAIL,
    METRICS,
    METRICS_DETAIL,
    MLFLOW_RUN,
    ONNX_MODEL,
    ORIGINAL_MODEL,
    PICTURES,
    PREDICTIONS,
    QUANTIZATION,
    QUANTIZED_MODEL,
    REPORT,
    RUNTIMES,
    TEST,
)
from onnxpress.report.deciding import deciding_numbers, deciding_table
from onnxpress.report.disagreement import find_worst, worst_rows
from onnxpress.report.page import File, SingleRows, Stale, render
from onnxpress.report.summary import Json

FILES = {
    ORIGINAL_MODEL: "the original model",
    ONNX_MODEL: "the same as ONNX",
    QUANTIZED_MODEL: "the candidate that was chosen, or model.onnx itself",
    QUANTIZATION: "the verdict on every candidate",
    METRICS: "sizes, scores, agreement",
    METRICS_DETAIL: "the names of the scores, the bins of reliability, the rows that decide",
    PREDICTIONS: "the target and each model's prediction, a line per test row",
    LATENCY: "medians and speed-ups",
    LATENCY_DETAIL: "percentiles, intervals, load time, memory, candidates, environment",
    GATE: "each limit, its value, passed or not",
    MLFLOW_RUN: "which MLflow run holds all this",
    RUNTIMES: "what became of the two ONNX models in other runtimes",
}
"""What the page says of each file."""


def write_report(title: str, results: Mapping[str, Json], original: str) -> None:
    """Write the page about ``results``; pictures that are not up to date are drawn first.

    Raises:
        UserError: a file of the chain is missing or is not what its stage writes.
    """
    single = _single_rows(results["metrics_detail"])
    detail = read_json(LATENCY_DETAIL, "batches", "candidates", "environment", "warnings")
    stale = stale_stages()
    if "plot" in stale or not all(path.exists() for path in PICTURES.values()):
        dvc("repro", "--quiet", "--single-item", "plot")
        stale = stale_stages()
    page = render(
        title,
        original,
        {**results, "latency_detail": detail, "runtimes": read_certificate() or {}},
        pictures={name: read_bytes(path) for name, path in PICTURES.items()},
        single=single,
        files=_files(),
        stale=Stale(stale, "dvc repro"),
    )
    write_bytes(REPORT, page.encode())


def _single_rows(detail: Json) -> SingleRows:
    """Return the test rows that decide, and those on which the models differ most.

    Raises:
        UserError: predictions and test rows do not belong together.
    """
    schema = read_schema()
    pieces = partial(predictions_in_pieces, schema)
    worst, deciding = find_worst(pieces, schema), deciding_numbers(detail)
    features, rows = read_chosen_rows(TEST, schema, worst.numbers)
    again = "run `dvc repro --force evaluate`"
    if rows != worst.rows:
        raise UserError(f"{PREDICTIONS} has {worst.rows} rows, {TEST} has {rows}; {again}")
    if max(deciding, default=0) >= rows:
        raise UserError(f"{METRICS_DETAIL} names row {max(deciding)} of {rows}; {again}")
    chosen = chosen_predictions(pieces(), [*deciding, *worst.numbers])
    first = {name: values[: len(deciding)] for name, values in chosen.items()}
    others = {name: values[len(deciding) :] for name, values in chosen.items()}
    return SingleRows(
        deciding_table(detail, first, rows, schema.target_name),
        worst_rows(worst, others, features, schema),
    )


def _files() -> list[File]:
    """Return the files that exist, with their sizes and what is in them."""
    candidates = dict.fromkeys(sorted(CANDIDATES.glob("*.onnx")), "the model of a candidate")
    described: dict[Path, str] = FILES | candidates
    return [
        File(str(path), path.stat().st_size / 1024, text)
        for path, text in described.items()
        if path.is_file()
    ]
