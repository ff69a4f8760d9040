"""The gates: limits on the measured models, each an entry of one table.

An entry says what is limited, which side of the limit passes, how the value is found in the
metrics, and what to change if it fails. ``judge`` applies all of them.

The limits on what quantisation may cost are a mapping of their own, ``max_drop``, with a gate for
each of its keys. Such a value is an estimate from the test rows. The estimate decides, and the
verdict says where its error leaves open on which side of the limit it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from onnxpress.limits import (
    COUNTS_ROUNDING,
    DISAGREEMENT,
    MAX_ERROR,
    RECALL,
    SCORE,
    TARGET,
    TEST,
    WITHIN,
    error_quantile,
    rounding,
    with_defaults,
)

Metrics = Mapping[str, float]
"""metrics.json and latency.json as one mapping; they share no key."""

Limits = Mapping[str, Any]
"""A number or None for the name of each gate, and under ``max_drop`` a mapping of such."""

MAX_DROP = "max_drop"
INTERVAL = 1.645
"""An interval of so many standard errors to both sides leaves out 5 % at each end."""


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
    error: str = ""
    """The metric that is the standard error of the value; empty: the value is no estimate."""
    upper: str = ""
    """The metric that bounds the value from above with 95 % confidence, if there is one."""
    untold: str = ""
    """The metric that is 0 if the rows are too few to give a value at all, if there is one."""
    rounding: float = COUNTS_ROUNDING
    """A value that is above a limit from above by less is equal to it."""


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
    error: float | None = None
    """Standard error of the value; None: it is no estimate, or its error is undefined."""
    upper: float | None = None
    """95 % bound from above; None: there is none but the one that the standard error gives."""
    untold: bool = False
    """Whether the test rows are too few to give a value at all."""

    @property
    def passed(self) -> bool | None:
        """Whether the value keeps the limit; None if there is none, or nothing to hold to it.

        The estimate decides, however wide its interval. An undefined value fails.
        """
        if self.limit is None or self.untold:
            return None
        if self.value is None:
            return False
        if self.gate.at_least:
            return self.value >= self.limit
        return self.value <= self.limit + self.gate.rounding

    @property
    def mark(self) -> str:
        """What became of the gate, in a word or two."""
        if self.passed is None:
            return "off" if self.limit is None else "not judged"
        return "passed" if self.passed else "FAILED"

    @property
    def too_few_rows(self) -> bool:
        """Whether the limit lies within the 90 % interval of the value."""
        if self.limit is None:
            return False
        if self.untold:
            return True
        interval = self._interval()
        return interval is not None and interval[0] < self.limit < interval[1]

    def to_json(self) -> dict[str, Any]:
        """Return the entry of this gate in gate.json.

        A failed one has its ``reason`` in words, and one that the test rows are too few for has a
        ``note``.
        """
        entry: dict[str, Any] = {"limit": self.limit, "value": self.value}
        if self.error is not None:
            entry["se"] = self.error
        entry["passed"] = self.passed
        if self.too_few_rows:
            entry |= {"too_few_rows": True, "note": self._too_few()}
        return entry if self.passed is not False else entry | {"reason": str(self)}

    def __str__(self) -> str:
        """Return what was found, in words."""
        key = f"gate.{self.gate.name}"
        if self.untold:
            limit = "null" if self.limit is None else f"{self.limit:.4g}"
            return f"{self.gate.what} is not known: {self._too_few()} ({key} is {limit})"
        if self.value is None:
            metrics = " or ".join(self.gate.values)
            return f"{self.gate.what} is undefined ({metrics} is {self.searched}; {key})"
        found = f"{self.gate.what} is {self.value:.4g}"
        if self.error is not None:
            found += f" (standard error {self.error:.2g})"
        if self.limit is None:
            return f"{found}, not limited ({key} is null)"
        bound = "at least" if self.gate.at_least else "at most"
        found = f"{found}, should be {bound} {self.limit:.4g} ({key})"
        return f"{found}; {self._too_few()}" if self.too_few_rows else found

    def _interval(self) -> tuple[float, float] | None:
        """Return between which numbers the value lies with 90 % confidence, if that is known."""
        if self.value is None or (self.error is None and self.upper is None):
            return None
        half = INTERVAL * (self.error or 0.0)
        high = self.value + half if self.upper is None else self.upper
        return self.value - half, high

    def _too_few(self) -> str:
        """Say that the test rows are too few, and between which numbers the value lies."""
        words = "the test rows are too few to tell"
        interval = self._interval()
        if interval is None:
            return words
        return "{}: its 90 % interval is {:.4g} to {:.4g}".format(words, *interval)


def _metric(name: str) -> dict[str, Callable[[Metrics], float]]:
    """Return the way to a value that is itself a metric."""
    return {name: lambda metrics: metrics[name]}


def _agreement(metrics: Metrics) -> float:
    """Return the share of rows with the original's label, or the other of two that tie for it."""
    share, tied = metrics["onnx_agreement"], metrics.get("onnx_tied_rows", 0)
    if not tied:
        return share
    rows = metrics["test_rows"]
    return (round(share * rows) + tied) / rows


GATES = (
    Gate(
        "min_onnx_agreement",
        "the share of test rows on which ONNX gives the original's answer",
        at_least=True,
        values={"onnx_agreement": _agreement} | _metric("onnx_within_tolerance"),
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
"""Every gate but those of ``max_drop`` and ``runtimes``; the texts are part of gate.json."""

RUNTIMES = "runtimes"
FAILING_RUNTIMES = "quantized_failing_runtimes"
"""The metric: in how many of the runtimes the quantised model does not answer equally."""
RUNTIMES_GATE = Gate(
    RUNTIMES,
    "the number of its runtimes in which the quantised model does not answer equally",
    at_least=False,
    values=_metric(FAILING_RUNTIMES),
    advice="see runtimes in quantization.json, and try another convert.target_opset "
    "or train.estimator",
)

LOSSES = {
    SCORE: ("the score that quantisation costs on test rows", "quantized_score_drop"),
    RECALL: (
        "the recall that quantisation costs the class that it costs most",
        "quantized_recall_worst_loss",
    ),
    TARGET: (
        "the score that quantisation costs the target that it costs most",
        "quantized_target_worst_loss",
    ),
    DISAGREEMENT: (
        "the share of test rows on which the quantised model gives another answer",
        "quantized_disagreement",
    ),
    WITHIN: (
        "the share of test rows on which the quantised model is beyond the tolerance",
        "quantized_disagreement",
    ),
    MAX_ERROR: (
        "the largest difference of a quantised prediction from the original's",
        "quantized_max_abs_diff",
    ),
}
"""What the keys of ``max_drop`` limit, and their metrics; any other key is that of a loss."""

UPPER_BOUNDS = {"quantized_disagreement": "quantized_disagreement_upper"}
UNTOLD = {"quantized_recall_worst_loss": "quantized_recall_classes"}


def drop_gate(key: str) -> Gate:
    """Return the gate on what quantisation may cost, for a key of ``max_drop``."""
    share = error_quantile(key)
    if share is not None:
        what = f"the difference from the original's that {share:.0%} of the predictions keep within"
        metric = f"quantized_{key}"
    else:
        other = f"the {key} that quantisation costs on test rows", f"quantized_{key}_drop"
        what, metric = LOSSES.get(key, other)
    return Gate(
        f"{MAX_DROP}.{key}",
        what,
        at_least=False,
        values=_metric(metric),
        advice=f"lower quantize.{MAX_DROP}.{key} or choose another quantize.method",
        error=f"{metric}_se",
        upper=UPPER_BOUNDS.get(metric, ""),
        untold=UNTOLD.get(metric, ""),
        rounding=rounding(key),
    )


def judge(
    limits: Limits, metrics: Metrics, searched: str = "not among the metrics"
) -> list[Verdict]:
    """Apply every gate.

    ``limits`` has a key for each gate; None switches it off. A key that ``max_drop`` leaves out has
    its default, and the limit on recall is left out where there are no classes. The worst of
    several targets has the limit of the score. A model has to answer equally in all ``runtimes``,
    if any are listed. ``searched`` says where the metrics come from, for the verdict on one that is
    undefined.
    """
    drops = with_defaults(limits[MAX_DROP], TEST)
    if drops[SCORE] is not None and "quantized_target_worst_loss" in metrics:
        drops = {SCORE: drops[SCORE], TARGET: drops[SCORE], **drops}
    names = [key for key in drops if key != RECALL or "original_r2" not in metrics]
    flat = {gate.name: limits[gate.name] for gate in GATES}
    flat |= {f"{MAX_DROP}.{key}": drops[key] for key in names}
    gates = [*GATES[:2], *map(drop_gate, names), *GATES[2:]]
    if limits.get(RUNTIMES):
        gates.append(RUNTIMES_GATE)
        flat[RUNTIMES] = 0
    return [_verdict(gate, flat[gate.name], metrics, searched) for gate in gates]


def _verdict(gate: Gate, limit: float | None, metrics: Metrics, searched: str) -> Verdict:
    value = _value(gate, metrics)
    untold = value is None and bool(gate.untold) and metrics.get(gate.untold) == 0
    error, upper = metrics.get(gate.error), metrics.get(gate.upper)
    return Verdict(gate, limit, value, searched, error, upper, untold)


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
