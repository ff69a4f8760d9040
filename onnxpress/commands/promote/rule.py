"""When a candidate beats the champion: the rule ``publish.promote`` of params.yaml, on the metrics of their runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from onnxpress.pipeline.params import Promote


@dataclass(frozen=True)
class Measured:
    """What is known of a version: its run's metrics, the digest of its test rows, and where its latency was measured."""

    metrics: Mapping[str, float]
    test_data: str
    machine: str


def _saved(new: float, old: float) -> float:
    return 1 - new / old


GAINS: dict[str, tuple[tuple[str, ...], Callable[[float, float], float]]] = {
    "score": (("quantized_accuracy", "quantized_r2"), lambda new, old: new - old),
    "size": (("quantized_size_kb",), _saved),
    "latency": (("quantized_latency_ms",), _saved),
}
"""What is compared by ``publish.promote.by``: the metric (of either task), and the gain, positive where the new one is better."""


def objection(rule: Promote, candidate: Measured, champion: Measured) -> str | None:
    """Why the candidate does not replace the champion, in words that follow its name; None if it does.

    It has to be better at all, and by ``min_gain``. Scores on other test rows and latencies of other machines prove nothing.
    """
    names, gain_of = GAINS[rule.by]
    metric = next(
        (name for name in names if name in candidate.metrics and name in champion.metrics), None
    )
    if metric is None:
        return f"cannot be compared by {rule.by}: {' or '.join(names)} is not among the metrics of both runs"
    if rule.by == "score" and candidate.test_data != champion.test_data:
        return f"was tested on other rows ({candidate.test_data} instead of {champion.test_data}), so scores do not compare"
    if rule.by == "latency" and candidate.machine != champion.machine:
        return f"was measured elsewhere ({candidate.machine} instead of {champion.machine}), so latencies do not compare"
    new, old = candidate.metrics[metric], champion.metrics[metric]
    gain = gain_of(new, old)
    if gain > 0 and gain >= rule.min_gain:
        return None
    return (
        f"has {metric} {new:.6g} against {old:.6g}, a gain of {gain:.4g}; should be "
        + (f"{rule.min_gain:g} or more" if rule.min_gain else "above 0")
        + " (publish.promote)"
    )
