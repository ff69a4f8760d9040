"""Measure the latency, load time and memory of the three models, and the latency of what quantize could choose from."""

from __future__ import annotations

from time import perf_counter, process_time

from onnxpress.benchmark import candidates
from onnxpress.benchmark import results as report
from onnxpress.benchmark import timed_calls as contenders
from onnxpress.benchmark.environment import describe
from onnxpress.benchmark.load_cost import load_cost
from onnxpress.benchmark.measure import Plan, measure, measure_batches
from onnxpress.models import PLAIN
from onnxpress.pipeline.console import progress, say
from onnxpress.pipeline.files import write_json
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.pipeline.model_files import load_trained, read_onnx
from onnxpress.pipeline.outputs import (
    CANDIDATES,
    LATENCY,
    LATENCY_DETAIL,
    MODEL_FILES,
    ONNX_MODEL,
    QUANTIZED_MODEL,
    TEST,
    candidate_name,
    candidate_path,
)
from onnxpress.pipeline.params import load_params
from onnxpress.pipeline.running import run_stage
from onnxpress.tables.schema import Schema

LARGEST_DEFAULT_BATCH = 1024


def main() -> None:
    """Time the models at every batch size and the candidates at one, load each model afresh, and write what was found."""
    params, schema = load_params(), read_schema()
    rows = read_rows(TEST, schema)
    settings, default_rows = params.benchmark, min(len(rows), LARGEST_DEFAULT_BATCH)
    estimator = load_trained(schema, params.train.trusted, settings.threads)
    models = {
        "onnx": read_onnx(ONNX_MODEL, schema),
        "quantized": read_onnx(QUANTIZED_MODEL, schema),
    }
    tried = read_candidates(schema)
    sessions = contenders.sessions(
        models | {"floor": contenders.floor_model(rows.feeds)}, settings.threads
    )
    plan, small_plan = candidates.shared(Plan(settings.n_iterations, settings.max_seconds))
    with contenders.limited_threads(settings.threads):
        wall, cpu = perf_counter(), process_time()
        measured = measure_batches(
            lambda size: contenders.calls(
                estimator, sessions, contenders.batch(rows.feeds, size), schema
            ),
            [default_rows, *settings.batch_sizes],
            plan,
            params.seed,
        )
        cpu_share = (process_time() - cpu) / (perf_counter() - wall)
        feeds = contenders.batch(rows.feeds, default_rows)
        calls = contenders.onnx_calls(contenders.sessions(tried, settings.threads), feeds)
        compared = candidates.to_json(measure(calls, small_plan, params.seed, "candidates"))
    batches = {size: report.Batch(size, timed) for size, timed in measured.items()}
    files = progress(MODEL_FILES.items(), len(MODEL_FILES), "loading in fresh processes")
    load = {name: load_cost(path, params.train.trusted) for name, path in files}
    doubts = [doubt for doubt in (report.instability(batches), report.crowding(cpu_share)) if doubt]
    slow = report.slowness(batches)
    write_json(LATENCY, report.latency(batches, default_rows, settings.batch_sizes))
    environment = describe(settings.threads, cpu_share)
    write_json(
        LATENCY_DETAIL, report.detail(batches, default_rows, load, environment, compared, doubts)
    )
    for line in [
        *map(report.line, batches.values()),
        report.load_line(load),
        *filter(None, [slow]),
        *doubts,
    ]:
        say(line)


def read_candidates(schema: Schema) -> dict[str, bytes]:
    """The models that quantize could choose from, by name; the plain one is always among them."""
    paths = sorted({candidate_path(PLAIN), *CANDIDATES.glob("*.onnx")})
    return {candidate_name(path): read_onnx(path, schema) for path in paths}


if __name__ == "__main__":
    run_stage("benchmark", main)
