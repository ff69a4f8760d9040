"""The panels of the dashboard: what each draws, by which queries of Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxpress.serving.monitoring.rules import MAX_FAILURES, P99_MS, failure_ratio
from onnxpress.serving.monitoring.watched import Timing, Watched

WINDOW = "$__rate_interval"
"""Grafana's own: long enough for a rate at the zoom of the page."""
STEPS = ("queue", "compute_input", "compute_infer", "compute_output")
"""What Triton divides the time of a request into."""


@dataclass(frozen=True)
class Panel:
    """A drawing over time: queries of Prometheus with their names in the legend."""

    title: str
    description: str
    unit: str
    queries: Sequence[tuple[str, str]]
    limit: float | None = None
    """Above it an alert fires."""


def panels(watched: Watched, timing: Timing) -> list[Panel]:
    """Return the panels in the order of the page, from left to right."""
    return [*_outcomes(watched, timing), *_times(watched), *_load(watched)]


def _outcomes(watched: Watched, timing: Timing) -> list[Panel]:
    answered = f"sum({_rate(watched, 'request_success')})"
    failed = f"sum by (reason) ({_rate(watched, 'request_failure')})"
    return [
        Panel(
            "Servers",
            "1: answers Prometheus, 0: does not. InferenceServerDown watches it.",
            "short",
            [(f'up{{job="{watched.job}"}}', "{{instance}}")],
        ),
        Panel(
            "Requests per second",
            "Those that reached the model, by how they ended. One that is refused for a wrong "
            "shape or name counts nowhere.",
            "reqps",
            [(answered, "answered"), (failed, "failed: {{reason}}")],
        ),
        Panel(
            "Share of failures",
            "Without those that clients gave up. InferenceFailures watches it.",
            "percentunit",
            [(f"{failure_ratio(timing)}{{{watched.labels}}}", "failed")],
            MAX_FAILURES,
        ),
    ]


def _times(watched: Watched) -> list[Panel]:
    requests = f"sum({_rate(watched, 'request_success')})"
    means = []
    for step in STEPS:
        spent = f"sum({_rate(watched, f'{step}_duration_us')})"
        means.append((f"{spent} / {requests} / 1000", step.replace("_", " ")))
    summary = f"nv_inference_request_summary_us{{{watched.labels}"
    quantiles = [
        (f'max({summary},quantile="0.5"}}) / 1000', "p50"),
        (f'max({summary},quantile="0.9"}}) / 1000', "p90"),
        (f"{P99_MS}{{{watched.labels}}}", "p99"),
    ]
    return [
        Panel(
            "Time of a request",
            "Inside the slowest server, over the last minute. InferenceSlow watches p99.",
            "ms",
            quantiles,
            watched.p99_ms,
        ),
        Panel(
            "Where the time goes",
            "Of a mean request: waiting, copying in, the model, copying out.",
            "ms",
            means,
        ),
        Panel(
            "Requests that wait",
            "For a free instance of the model. InferenceQueueing fires if this never is 0.",
            "short",
            [(f"nv_inference_pending_request_count{{{watched.labels}}}", "{{instance}}")],
        ),
    ]


def _load(watched: Watched) -> list[Panel]:
    rows, runs = (f"sum({_rate(watched, counter)})" for counter in ("count", "exec_count"))
    return [
        Panel("Rows per second", "Of all requests.", "short", [(rows, "rows")]),
        Panel(
            "Rows per execution",
            "How many rows Triton gives the model at once: those of a request, or of several.",
            "short",
            [(f"{rows} / {runs}", "rows")],
        ),
        Panel(
            "CPU of the machine",
            "Of the whole machine or node, as Triton sees it.",
            "percentunit",
            [(f'nv_cpu_utilization{{job="{watched.job}"}}', "{{instance}}")],
        ),
        Panel(
            "Memory of the machine",
            "Of the whole machine or node, as Triton sees it.",
            "bytes",
            [(f'nv_cpu_memory_used_bytes{{job="{watched.job}"}}', "{{instance}}")],
        ),
    ]


def _rate(watched: Watched, counter: str) -> str:
    return f"rate(nv_inference_{counter}{{{watched.labels}}}[{WINDOW}])"
