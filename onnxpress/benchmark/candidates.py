"""The latency of every model that quantize could choose from, for the picture of size and latency.

Candidates are measured after the three models that count, so that they cannot disturb them, and in
few rounds: they show what was given up, and nothing is published of them.
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
"""Calls of each candidate, at most."""


def shared(plan: Plan) -> tuple[Plan, Plan]:
    """Return the plans for models and for candidates, together within ``plan.seconds``."""
    models = Plan(plan.calls, (1 - SHARE) * plan.seconds)
    return models, Plan(min(plan.calls, CALLS), SHARE * plan.seconds)


def to_json(timed: Timed) -> dict[str, dict[str, Any]]:
    """Return what latency_detail.json says of each candidate.

    That is its latency, and its speed-up over the plain model from the ratios within rounds.
    """
    plain, found = values(timed[PLAIN]), {}
    for name, calls in timed.items():
        speedup = ratio(plain, values(calls))
        found[name] = {**asdict(summarise(calls)), "vs_onnx_speedup": asdict(speedup)}
    return found
