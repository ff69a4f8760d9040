"""From candidates to one model and a verdict on each: nothing larger, worse or unchanged is passed on as quantised."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import onnx

from stages.common.models import ask_onnx, open_session
from stages.common.onnx_model import same_computation, to_bytes
from stages.common.params import Quantize
from stages.common.scores import score
from stages.common.table import Rows, Schema, take
from stages.quantize.candidates import Candidate, NotApplicable
from stages.quantize.runtimes import min_onnxruntime
from stages.quantize.speed import relative_latencies
from stages.quantize.trials import Trial, Trials

ROUNDING = 1e-9
"""Scores are means of counts: a difference below this is no difference."""


@dataclass
class Verdict:
    """What became of a candidate: chosen, or why not."""

    name: str
    outcome: str
    reason: str
    size_kb: float | None = None
    score_drop: float | None = None
    relative_latency: float | None = None
    model: bytes = field(default=b"", repr=False)

    def to_json(self) -> dict[str, Any]:
        """The candidate's entry in quantization.json; what was not measured is left out."""
        entry = {key: value for key, value in vars(self).items() if key != "model" and value is not None}
        return {**entry, "method": self.name.partition("/")[0]}


@dataclass(frozen=True)
class Choice:
    """The model to pass on and the record of how it was found."""

    model: bytes
    candidate: str
    summary: str
    scoring: str
    verdicts: list[Verdict]

    def to_json(self) -> dict[str, Any]:
        """The content of quantization.json."""
        return {
            "method": self.candidate.partition("/")[0],
            "candidate": self.candidate,
            "min_onnxruntime": min_onnxruntime(onnx.load_from_string(self.model)),
            "modified": self.candidate != "none",
            "summary": self.summary,
            "scoring": self.scoring,
            "candidates": [verdict.to_json() for verdict in self.verdicts],
        }


def choose(plain: bytes, candidates: list[Candidate], trials: Trials, schema: Schema, params: Quantize) -> Choice:
    """Apply every candidate, drop what changed nothing or is not smaller, and keep the best that is within the budget.

    For ``objective: size`` candidates are scored from the smallest on, up to the first within the budget. For
    ``objective: latency`` all are scored, and timed side by side on training rows.
    """
    verdicts = [_apply(candidate, plain, trials.train) for candidate in candidates]
    by_name = {candidate.name: candidate for candidate in candidates}
    waiting = sorted((verdict for verdict in verdicts if verdict.outcome == "smaller"), key=lambda verdict: len(verdict.model))
    scorer = Scorer(trials, schema)
    within: list[Verdict] = []
    for verdict in waiting:
        if within and params.objective == "size":
            verdict.outcome, verdict.reason = "not needed", f"{within[0].name} is smaller still and within the budget"
            continue
        _judge(verdict, scorer.drop(by_name[verdict.name]), params.max_accuracy_drop)
        if verdict.outcome == "within budget":
            within.append(verdict)
    chosen = _fastest(within, plain, trials.train) if params.objective == "latency" else next(iter(within), None)
    if chosen is None:
        tried = "no candidate was tried" if not candidates else "no candidate is smaller and within the budget"
        return Choice(plain, "none", f"{tried}: model_quantized.onnx is the plain ONNX model", trials.name, verdicts)
    chosen.outcome = "chosen"
    before, after = len(plain) / 1024, len(chosen.model) / 1024
    summary = f"{chosen.name} chosen: {before:.1f} -> {after:.1f} KB ({before / after:.1f}x smaller)"
    return Choice(chosen.model, chosen.name, summary, trials.name, verdicts)


def _apply(candidate: Candidate, plain: bytes, train: Rows) -> Verdict:
    before = onnx.load_from_string(plain)
    try:
        after = candidate.apply(before, train)
        onnx.checker.check_model(after, full_check=True)
        model = to_bytes(after, packed=True)
        ask_onnx(open_session(model), take(train.feeds, np.arange(1)))
    except NotApplicable as reason:
        return Verdict(candidate.name, "not applicable", str(reason))
    except Exception as error:  # a quantiser that fails on this graph, in whichever way, is a verdict and not the end
        return Verdict(candidate.name, "failed", " ".join(f"{type(error).__name__}: {error}".split())[:200])
    if same_computation(before, after):
        return Verdict(candidate.name, "unchanged", "it left every operator and every weight as it was")
    size_kb = len(model) / 1024
    if len(model) >= len(plain):
        return Verdict(candidate.name, "not smaller", f"{size_kb:.1f} KB against {len(plain) / 1024:.1f} KB", size_kb)
    return Verdict(candidate.name, "smaller", "", size_kb, model=model)


def _judge(verdict: Verdict, drop: float, budget: float) -> None:
    verdict.score_drop = drop
    within = drop <= budget + ROUNDING
    verdict.outcome = "within budget" if within else "over budget"
    verdict.reason = f"{verdict.size_kb:.1f} KB, score lost {max(drop, 0):.4f} of {budget:.4f} allowed"


def _fastest(within: list[Verdict], plain: bytes, train: Rows) -> Verdict | None:
    for verdict, ratio in zip(within, relative_latencies(plain, [verdict.model for verdict in within], train), strict=True):
        verdict.relative_latency = ratio
        verdict.reason += f", {ratio:.2f} of the plain model's latency"
    return min(within, key=lambda verdict: verdict.relative_latency or 0, default=None)


class Scorer:
    """Scores candidates on the trials, against the plain model of each trial."""

    def __init__(self, trials: Trials, schema: Schema) -> None:
        """Make no trial yet: that may mean fitting clones."""
        self._make, self._schema = cache(trials.make), schema

    def drop(self, candidate: Candidate) -> float:
        """Mean over the trials of what the candidate loses of the plain model's score (accuracy or R2)."""
        return float(np.mean([self._drop(candidate, trial) for trial in self._make()]))

    def _drop(self, candidate: Candidate, trial: Trial) -> float:
        after = candidate.apply(onnx.load_from_string(trial.plain), trial.learn)
        return self._score(trial.plain, trial.score) - self._score(to_bytes(after), trial.score)

    def _score(self, model: bytes, rows: Rows) -> float:
        return score(self._schema, rows.target, ask_onnx(open_session(model), rows.feeds).values)
