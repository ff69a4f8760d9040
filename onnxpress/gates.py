"""The gates: limits on the measured models, each an entry of one table.

An entry says what is limited, which side of the limit passes, how the value is found in the
metrics, and what to change if it fails. ``judge`` applies all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Metrics = Mapping[str, float]
"""metrics.json and latency.json as one mapping; they share no key."""


@dataclass(frozen=True)
class Gate:
    """A limit under ``gate:`` in the params.

    ``values`` are the ways to find the gated value, by the metric that each needs. The first one
    whose metric exists is used: a classifier has ``accuracy_loss_pp``, a regressor ``r2_loss``.
    """

    name: str
    what: str
    at_least: bool
    values: Mapping[str, Callable[[Metrics], float]]
    advice: str
    """What to change; ``{again}`` is how to measure again."""


@dataclass(frozen=True)
class Verdict:
    """A gate applied to the metrics."""

    gate: Gate
    limit: float | None
    """None: the gate is switched off."""
    value: float | None
    """None: the metric is undefined."""
    searched: str
    """Where the metrics were looked for, after "is"."""

    @property
    def passed(self) -> bool | None:
        """Whether the value keeps the limit; None if there is none. An undefined value fails."""
        if self.limit is None:
            return None
        if self.value is None:
            return False
        return self.value >= self.limit if self.gate.at_least else self.value <= self.limit

    def to_json(self) -> dict[str, Any]:
        """Return the entry of this gate in gate.json; a failed one has its reason in words."""
        entry = {"limit": self.limit, "value": self.value, "passed": self.passed}
        return entry if self.passed is not False else entry | {"reason": str(self)}

    def __str__(self) -> str:
        """Return what was found, in words."""
        key = f"gate.{self.gate.name}"
        if self.value is None:
            metrics = " or ".join(self.gate.values)
            return f"{self.gate.what} is undefined ({metrics} is {self.searched}; {key})"
        if self.limit is None:
            return f"{self.gate.what} is {self.value:.4g}, not limited ({key} is null)"
        bound = "at least" if self.gate.at_least else "at most"
        found = f"{self.gate.what} is {self.value:.4g}"
        return f"{found}, should be {bound} {self.limit:.4g} ({key})"


def _metric(name: str) -> dict[str, Callable[[Metrics], float]]:
    """Return the way to a value that is itself a metric."""
    return {name: lambda metrics: metrics[name]}


GATES = (
    Gate(
        "min_onnx_agreement",
        "the share of test rows on which ONNX gives the original's answer",
        at_least=True,
        values=_metric("onnx_agreement") | _metric("onnx_within_tolerance"),
        advice="try another convert.target_opset or train.estimator "
        "(for regression also evaluate.tolerance)",
    ),
    Gate(
        "max_score_diff",
        "the largest difference of ONNX's scores or predictions from the original's, "
        "relative where one is above 1,",
        at_least=False,
        values=_metric("onnx_max_relative_diff"),
        advice="scale the columns (train.scale), or try another train.estimator",
    ),
    Gate(
        "max_drop.score",
        "the score that quantisation costs on test rows",
        at_least=False,
        values={"accuracy_loss_pp": lambda metrics: metrics["accuracy_loss_pp"] / 100}
        | _metric("r2_loss"),
        advice="lower quantize.max_drop or choose another quantize.method",
    ),
    Gate(
        "max_size_ratio",
        "the quantised model's size over the ONNX model's",
        at_least=False,
        values={
            "quantized_size_kb": lambda metrics: (
                metrics["quantized_size_kb"] / metrics["onnx_size_kb"]
            )
        },
        advice="set quantize.method to auto and quantize.objective to size",
    ),
    Gate(
        "min_onnx_speedup",
        "the ONNX model's speed over the original's",
        at_least=True,
        values=_metric("onnx_speedup"),
        advice="choose another train.estimator, serve the original, or {again}",
    ),
    Gate(
        "min_quantized_vs_onnx_speedup",
        "the quantised model's speed over the ONNX model's",
        at_least=True,
        values=_metric("quantized_vs_onnx_speedup"),
        advice="set quantize.objective to throughput, or {again}",
    ),
)
"""Every gate; the texts are part of gate.json."""


def flat(limits: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the section ``gate`` of the params with ``max_drop.score`` for a key inside a key."""
    found: dict[str, float | None] = {}
    for name, limit in limits.items():
        if isinstance(limit, Mapping):
            found |= {f"{name}.{key}": value for key, value in limit.items()}
        else:
            found[name] = limit
    return found


def judge(
    limits: Mapping[str, float | None], metrics: Metrics, searched: str = "not among the metrics"
) -> list[Verdict]:
    """Apply every gate.

    ``limits`` has a key for each gate; None switches it off. ``searched`` says where the metrics
    come from, for the verdict on one that is undefined.
    """
    return [Verdict(gate, limits[gate.name], _value(gate, metrics), searched) for gate in GATES]


def complaint(verdicts: list[Verdict], again: str = "measure again") -> str | None:
    """Return one line with each failed gate, its value, its limit and what to change.

    ``again`` says how to measure again. None if no gate failed.
    """
    failed = [verdict for verdict in verdicts if verdict.passed is False]
    if not failed:
        return None
    applied = sum(verdict.passed is not None for verdict in verdicts)
    advice = [verdict.gate.advice.format(again=again) for verdict in failed]
    reasons = "; ".join(f"{verdict}: {cure}" for verdict, cure in zip(failed, advice, strict=True))
    return f"{len(failed)} of {applied} gates failed, nothing was published: {reasons}"


def failed_gates(content: Mapping[str, Any]) -> list[str]:
    """Return the names of the gates that the content of a gate.json says have failed."""
    return [
        name
        for name, verdict in content.items()
        if isinstance(verdict, Mapping) and verdict.get("passed") is False
    ]


def _value(gate: Gate, metrics: Metrics) -> float | None:
    for key, compute in gate.values.items():
        if key in metrics:
            return compute(metrics)
    return None
