"""The latency of every model that quantize could choose from, for the picture of size against latency.

Measured after the three models that count, so that it cannot disturb them, and in few rounds: it tells what was given up,
not what is published.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from onnxpress.benchmark.latency_statistics import ratio, summarise, values
from onnxpress.benchmark.measure import Plan, Timed
from onnxpress.models import PLAIN

SHARE = 0.1
"""Of the measuring time, what candidates get; the three models get the rest."""
CALLS = 60


def shared(plan: Plan) -> tuple[Plan, Plan]:
    """The plans for the three models and for the candidates, together within ``plan.seconds``."""
    return Plan(plan.calls, (1 - SHARE) * plan.seconds), Plan(
        min(plan.calls, CALLS), SHARE * plan.seconds
    )


def to_json(timed: Timed) -> dict[str, dict[str, Any]]:
    """What latency_detail.json says of each candidate: its latency, and its speed-up over the plain model within rounds."""
    plain = values(timed[PLAIN])
    speedups = {name: asdict(ratio(plain, values(calls))) for name, calls in timed.items()}
    return {
        name: {**asdict(summarise(calls)), "vs_onnx_speedup": speedups[name]}
        for name, calls in timed.items()
    }
