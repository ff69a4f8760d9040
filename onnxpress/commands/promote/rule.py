"""When a candidate beats the champion: the rule ``publish.promote`` of params.yaml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from onnxpress.pipeline.params import Promote


@dataclass(frozen=True)
class Measured:
    """What the run of a version has recorded."""

    metrics: Mapping[str, float]

    test_data: str
    """Digest of the test rows."""

    machine: str
    """Where the latency was measured."""


def _saved(new: float, old: float) -> float:
    return 1 - new / old


GAINS: dict[str, tuple[tuple[str, ...], Callable[[float, float], float]]] = {
    "score": (("quantized_accuracy", "quantized_r2"), lambda new, old: new - old),
    "size": (("quantized_size_kb",), _saved),
    "latency": (("quantized_latency_ms",), _saved),
}
"""By ``publish.promote.by``: the metric of either task, and the gain, positive for a better one."""


def objection(rule: Promote, candidate: Measured, champion: Measured) -> str | None:
    """Return why the candidate does not replace the champion, None if it does.

    It must be better at all, and by ``min_gain``. Scores on other test rows and latencies of other
    machines prove nothing. The words follow the candidate's name.
    """
    names, gain_of = GAINS[rule.by]
    shared = candidate.metrics.keys() & champion.metrics.keys()
    metric = next((name for name in names if name in shared), None)
    if metric is None:
        listed = " or ".join(names)
        return f"cannot be compared by {rule.by}: {listed} is not among the metrics of both runs"
    if rule.by == "score" and candidate.test_data != champion.test_data:
        rows = f"{candidate.test_data} instead of {champion.test_data}"
        return f"was tested on other rows ({rows}), so scores do not compare"
    if rule.by == "latency" and candidate.machine != champion.machine:
        machines = f"{candidate.machine} instead of {champion.machine}"
        return f"was measured elsewhere ({machines}), so latencies do not compare"
    new, old = candidate.metrics[metric], champion.metrics[metric]
    gain = gain_of(new, old)
    if gain > 0 and gain >= rule.min_gain:
        return None
    least = f"{rule.min_gain:g} or more" if rule.min_gain else "above 0"
    found = f"has {metric} {new:.6g} against {old:.6g}, a gain of {gain:.4g}"
    return f"{found}; should be {least} (publish.promote)"
