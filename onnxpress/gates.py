"""Each gate as an entry of a table: what it limits, which side passes, how its value is found, what to do if it fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from onnxpress.pipeline.outputs import LATENCY, METRICS

Metrics = Mapping[str, float]
"""metrics.json and latency.json as one mapping; they share no key."""


@dataclass(frozen=True)
class Gate:
    """A limit under ``gate:`` in params.yaml.

    ``values`` are the ways to find the gated value, by the metric that each needs; the first whose metric is there counts
    (a classifier has ``accuracy_loss_pp``, a regressor ``r2_loss``).
    """

    name: str
    what: str
    at_least: bool
    values: Mapping[str, Callable[[Metrics], float]]
    advice: str


@dataclass(frozen=True)
class Verdict:
    """A gate applied to the metrics; ``passed`` is None when the gate is switched off, ``value`` when it is undefined."""

    gate: Gate
    limit: float | None
    value: float | None

    @property
    def passed(self) -> bool | None:
        """Whether the value keeps the limit; an undefined value does not."""
        if self.limit is None:
            return None
        if self.value is None:
            return False
        return self.value >= self.limit if self.gate.at_least else self.value <= self.limit

    def to_json(self) -> dict[str, Any]:
        """The entry of this gate in gate.json; a failed one has its reason in words."""
        entry = {"limit": self.limit, "value": self.value, "passed": self.passed}
        return entry if self.passed is not False else entry | {"reason": str(self)}

    def __str__(self) -> str:
        """What was found, in words."""
        key = f"gate.{self.gate.name}"
        if self.value is None:
            return f"{self.gate.what} is undefined ({' or '.join(self.gate.values)} is in neither {METRICS} nor {LATENCY}; {key})"
        if self.limit is None:
            return f"{self.gate.what} is {self.value:.4g}, not limited ({key} is null)"
        bound = "at least" if self.gate.at_least else "at most"
        return f"{self.gate.what} is {self.value:.4g}, should be {bound} {self.limit:.4g} ({key})"


GATES = (
    Gate(
        "min_onnx_agreement",
        "the share of test rows on which ONNX gives the original's answer",
        at_least=True,
        values={
            "onnx_agreement": lambda metrics: metrics["onnx_agreement"],
            "onnx_within_tolerance": lambda metrics: metrics["onnx_within_tolerance"],
        },
        advice="try another convert.target_opset or train.estimator (for regression also evaluate.tolerance)",
    ),
    Gate(
        "max_score_diff",
        "the largest difference of ONNX's scores or predictions from the original's, relative where one is above 1,",
        at_least=False,
        values={"onnx_max_relative_diff": lambda metrics: metrics["onnx_max_relative_diff"]},
        advice="scale the columns (train.scale), or try another train.estimator",
    ),
    Gate(
        "max_accuracy_drop",
        "the score that quantisation costs on test rows",
        at_least=False,
        values={
            "accuracy_loss_pp": lambda metrics: metrics["accuracy_loss_pp"] / 100,
            "r2_loss": lambda metrics: metrics["r2_loss"],
        },
        advice="lower quantize.max_accuracy_drop or choose another quantize.method",
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
        values={"onnx_speedup": lambda metrics: metrics["onnx_speedup"]},
        advice="choose another train.estimator, serve the original, or measure again on a quiet machine",
    ),
    Gate(
        "min_quantized_vs_onnx_speedup",
        "the quantised model's speed over the ONNX model's",
        at_least=True,
        values={"quantized_vs_onnx_speedup": lambda metrics: metrics["quantized_vs_onnx_speedup"]},
        advice="set quantize.objective to throughput, or measure again on a quiet machine (dvc repro -f -s benchmark)",
    ),
)


def judge(limits: Mapping[str, float | None], metrics: Metrics) -> list[Verdict]:
    """Apply every gate; ``limits`` has a key for each, null switches it off."""
    return [Verdict(gate, limits[gate.name], _value(gate, metrics)) for gate in GATES]


def complaint(verdicts: list[Verdict]) -> str | None:
    """One line that names every failed gate, its value, its limit and what to do; None if none failed."""
    failed = [verdict for verdict in verdicts if verdict.passed is False]
    if not failed:
        return None
    told = "; ".join(f"{verdict}: {verdict.gate.advice}" for verdict in failed)
    applied = sum(verdict.passed is not None for verdict in verdicts)
    return f"{len(failed)} of {applied} gates failed, nothing was published: {told}; or change the limit in params.yaml"


def _value(gate: Gate, metrics: Metrics) -> float | None:
    return next((compute(metrics) for key, compute in gate.values.items() if key in metrics), None)
