"""Measure the latency, load time and memory of the three models: ``python -m stages.benchmark``."""

from __future__ import annotations

from time import perf_counter, process_time

from stages.benchmark import contenders, report
from stages.benchmark.environment import describe
from stages.benchmark.load_cost import load_cost
from stages.benchmark.measure import Plan, measure_batches
from stages.common.console import progress, say
from stages.common.errors import run_stage
from stages.common.files import (
    LATENCY,
    LATENCY_DETAIL,
    MODELS,
    ONNX_MODEL,
    ORIGINAL_MODEL,
    QUANTIZED_MODEL,
    TEST,
    write_json,
)
from stages.common.models import checked_original, load_original, read_onnx
from stages.common.params import load_params
from stages.common.table import read_rows, read_schema

LARGEST_DEFAULT_BATCH = 1024


def main() -> None:
    """Time the models at every batch size, load each in a fresh process, and write what was found."""
    params, schema = load_params(), read_schema()
    rows = read_rows(TEST, schema)
    settings, default_rows = params.benchmark, min(len(rows), LARGEST_DEFAULT_BATCH)
    estimator = checked_original(load_original(ORIGINAL_MODEL, params.train.trusted), schema, settings.threads)
    models = {"onnx": read_onnx(ONNX_MODEL, schema), "quantized": read_onnx(QUANTIZED_MODEL, schema)}
    sessions = contenders.sessions(models | {"floor": contenders.floor_model(rows.feeds)}, settings.threads)
    wall, cpu = perf_counter(), process_time()
    with contenders.limited_threads(settings.threads):
        measured = measure_batches(
            lambda size: contenders.calls(estimator, sessions, contenders.batch(rows.feeds, size)),
            [default_rows, *settings.batch_sizes],
            Plan(settings.n_iterations, settings.max_seconds),
            params.seed,
        )
    cpu_share = (process_time() - cpu) / (perf_counter() - wall)
    batches = {size: report.Batch(size, timed) for size, timed in measured.items()}
    files = progress(MODELS.items(), len(MODELS), "loading in fresh processes")
    load = {name: load_cost(path, params.train.trusted) for name, path in files}
    doubts = [doubt for doubt in (report.instability(batches), report.crowding(cpu_share)) if doubt]
    slow = report.slowness(batches)
    write_json(LATENCY, report.latency(batches, default_rows, settings.batch_sizes))
    write_json(LATENCY_DETAIL, report.detail(batches, default_rows, load, describe(settings.threads, cpu_share), doubts))
    for line in [*map(report.line, batches.values()), report.load_line(load), *filter(None, [slow]), *doubts]:
        say(line)


if __name__ == "__main__":
    run_stage("benchmark", main)
