"""Measure the latency, load time and memory of the three models, and the candidates' latency."""

from __future__ import annotations

from collections.abc import Sequence

from onnxpress.benchmark.load_cost import load_cost
from onnxpress.benchmark.measure import Plan
from onnxpress.benchmark.measurement import Contestants, MeasurementSettings, measure_latencies
from onnxpress.benchmark.timed_calls import rows_needed
from onnxpress.models import ONNX, PLAIN, QUANTIZED
from onnxpress.pipeline import outputs
from onnxpress.pipeline.console import progress, say
from onnxpress.pipeline.files import write_json
from onnxpress.pipeline.inputs import read_first_rows, read_schema
from onnxpress.pipeline.onnx_inputs import read_onnx
from onnxpress.pipeline.params import load_params
from onnxpress.pipeline.running import run_stage
from onnxpress.pipeline.trained_model import load_trained
from onnxpress.tables.schema import Schema


def main() -> None:
    """Test rows, models and candidates in, latency.json and latency_detail.json out."""
    params, schema = load_params(), read_schema()
    wanted = params.benchmark
    rows = read_first_rows(outputs.TEST, schema, rows_needed(wanted.batch_sizes))
    contestants = Contestants(
        load_trained(schema, params.train.trusted, wanted.threads),
        {key: read_onnx(outputs.MODEL_FILES[key], schema) for key in (ONNX, QUANTIZED)},
        read_candidates(schema),
    )
    plan, again = Plan(wanted.n_iterations, wanted.max_seconds), "run `dvc repro -f -s benchmark`"
    settings = MeasurementSettings(plan, wanted.batch_sizes, wanted.threads, params.seed, again)
    found = measure_latencies(contestants, rows.feeds, schema, settings, progress)
    load = load_costs(params.train.trusted)
    write_json(outputs.LATENCY, found.to_json())
    write_json(outputs.LATENCY_DETAIL, found.detail(load))
    for line in found.lines(load):
        say(line)


def read_candidates(schema: Schema) -> dict[str, bytes]:
    """Return the models that quantize could choose from, by name, the plain one among them."""
    paths = sorted({outputs.candidate_path(PLAIN), *outputs.CANDIDATES.glob("*.onnx")})
    return {outputs.candidate_name(path): read_onnx(path, schema) for path in paths}


def load_costs(trusted: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return what loading each of the three models costs a fresh process."""
    files, cure = outputs.MODEL_FILES, "run `dvc repro` to make it again"
    shown = progress(files.items(), len(files), "loading in fresh processes")
    return {name: load_cost(path, trusted, cure) for name, path in shown}


if __name__ == "__main__":
    run_stage("benchmark", main)
