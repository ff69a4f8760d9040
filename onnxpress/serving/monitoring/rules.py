"""``rules.yml``: what Prometheus computes of Triton's metrics, and when it raises an alert.

Triton's metrics are those of its page Metrics (docs/user_guide/metrics.md of
triton-inference-server/server). What counts is in its core, src/infer_stats.cc:

- A request that is refused before it reaches the model, for a wrong shape or name, counts neither
  as success nor as failure.
- A request that its client gives up counts as a failure with the reason CANCELED.
- The quantiles exist only with ``--metrics-config=summary_latencies=true``. They are those of the
  last minute, and NaN if that had no request.
"""

from __future__ import annotations

from typing import Any

from onnxpress.serving.monitoring.watched import Timing, Watched

MAX_FAILURES = 0.01
"""Share of requests that may fail."""
Rule = dict[str, Any]


def failure_ratio(timing: Timing) -> str:
    """Return the name of the series with the share of requests that failed."""
    return f"model:nv_inference_failures:ratio_rate{timing.window}"


P99_MS = "model:nv_inference_request_ms:p99"
"""The series with the 99th percentile of the slowest server, in milliseconds."""


def rules(watched: Watched, timing: Timing) -> dict[str, Any]:
    """Return the file as plain values: two computed series, and the alerts."""
    steps = (_failure_ratio, _p99, _down, _failures, _slow, _queueing)
    return {
        "groups": [
            {"name": watched.job, "rules": [step(watched, timing) for step in steps]},
        ]
    }


def _failure_ratio(watched: Watched, timing: Timing) -> Rule:
    success = f"nv_inference_request_success{{{watched.labels}}}"
    failure = f'nv_inference_request_failure{{{watched.labels},reason!="CANCELED"}}'
    failed, answered = (
        f"sum by (job, model) (rate({counter}[{timing.window}]))" for counter in (failure, success)
    )
    return {"record": failure_ratio(timing), "expr": f"{failed} / ({failed} + {answered})"}


def _p99(watched: Watched, _: Timing) -> Rule:
    quantile = f'nv_inference_request_summary_us{{{watched.labels},quantile="0.99"}}'
    return {"record": P99_MS, "expr": f"max by (job, model) ({quantile}) / 1000"}


def _down(watched: Watched, timing: Timing) -> Rule:
    """Fire for a server that does not answer, and once if none has the model."""
    down = f'up{{job="{watched.job}"}} == 0'
    nowhere = f"absent(nv_inference_request_success{{{watched.labels}}})"
    return _alert(
        "InferenceServerDown",
        f"({down}) or ({nowhere} unless on () ({down}))",
        timing.down,
        "critical",
        f"no Triton with the model {watched.name} answers at "
        '{{ or $labels.instance "any known address" }}',
    )


def _failures(watched: Watched, timing: Timing) -> Rule:
    return _alert(
        "InferenceFailures",
        f"{failure_ratio(timing)}{{{watched.labels}}} > {MAX_FAILURES}",
        timing.down,
        "critical",
        f"{{{{ $value | humanizePercentage }}}} of the requests for {watched.name} fail in Triton",
    )


def _slow(watched: Watched, timing: Timing) -> Rule:
    return _alert(
        "InferenceSlow",
        f"{P99_MS}{{{watched.labels}}} > {watched.p99_ms}",
        timing.trouble,
        "warning",
        f"one request in a hundred for {watched.name} takes {{{{ $value | humanize }}}} ms "
        f"or more; package.p99_ms allows {watched.p99_ms}",
    )


def _queueing(watched: Watched, timing: Timing) -> Rule:
    """Fire if the queue is never seen empty: requests come faster than they are answered."""
    return _alert(
        "InferenceQueueing",
        f"nv_inference_pending_request_count{{{watched.labels}}} > 0",
        timing.trouble,
        "warning",
        f"the queue for {watched.name} at {{{{ $labels.instance }}}} does not become empty; "
        "add replicas, or package.instances and cpu",
    )


def _alert(name: str, expression: str, lasting: str, severity: str, summary: str) -> Rule:
    return {
        "alert": name,
        "expr": expression,
        "for": lasting,
        "labels": {"severity": severity},
        "annotations": {"summary": summary},
    }
