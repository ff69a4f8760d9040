"""From candidates to one model and a verdict on each: nothing larger, worse or unchanged is passed on as quantised."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import onnx

from onnxpress.evaluate.row_dependence import TOLERANCE, Dependence, row_dependence
from onnxpress.graph.canonical import same_computation, to_bytes
from onnxpress.onnx_file import judge
from onnxpress.pipeline.console import progress
from onnxpress.pipeline.params import Quantize
from onnxpress.quantize.candidates import Candidate, NotApplicable
from onnxpress.quantize.runtimes import bad_onnxruntime, min_onnxruntime
from onnxpress.quantize.scoring import Scorer
from onnxpress.quantize.speed import relative_latencies
from onnxpress.quantize.trials import Trials
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Rows, take
from onnxpress.tables.schema import Schema

ROUNDING = 1e-9
"""Scores are means of counts: a difference below this is no difference."""

SAME_SIZE = 1.05
"""Models are equally small within this factor."""
WORTHWHILE = 0.95
"""Share of the plain model's size (or, for another objective, of its time) that a candidate has to stay below."""
NOISE = 10
"""How many times the plain model's own rounding a candidate may round more."""
SLOWER = 1.05
"""Above this share of another model's time a model is slower; below it so few rounds tell no difference."""


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
        entry = {
            key: value for key, value in vars(self).items() if key != "model" and value is not None
        }
        return {**entry, "method": self.name.partition("/")[0]}


@dataclass(frozen=True)
class Choice:
    """The model to pass on and the record of how it was found."""

    model: bytes
    candidate: str
    summary: str
    scoring: str
    verdicts: list[Verdict]

    def models(self) -> dict[str, bytes]:
        """Every candidate's model that was scored, by name."""
        return {verdict.name: verdict.model for verdict in self.verdicts if verdict.model}

    def to_json(self) -> dict[str, Any]:
        """The content of quantization.json."""
        model = onnx.load_from_string(self.model)
        return {
            "method": self.candidate.partition("/")[0],
            "candidate": self.candidate,
            "min_onnxruntime": min_onnxruntime(model),
            "bad_onnxruntime": bad_onnxruntime(model),
            "modified": self.candidate != "none",
            "summary": self.summary,
            "scoring": self.scoring,
            "candidates": [verdict.to_json() for verdict in self.verdicts],
        }


def choose(
    plain: bytes, candidates: list[Candidate], trials: Trials, schema: Schema, params: Quantize
) -> Choice:
    """Try the candidates and keep the best by ``params.objective`` that is smaller and within the budget.

    A ladder is climbed from its smallest rung up to the first that is within the budget *and* confirmed: the next rung
    must be within it too. Among several rungs scored on few rows one will look good by luck, but a larger one should not
    be worse. Rungs further up are not tried.
    """
    verdicts: dict[str, Verdict] = {}
    found: dict[str, Verdict] = {}
    confirmed: set[str] = set()
    scorer = Scorer(trials, schema)
    for candidate in progress(candidates, len(candidates), "trying candidates"):
        ladder = candidate.ladder
        if ladder in confirmed:
            reason = f"{found[ladder].name} is smaller and within the budget"
            verdicts[candidate.name] = Verdict(candidate.name, "not tried", reason)
            continue
        verdict = verdicts[candidate.name] = _attempt(
            candidate, plain, trials, scorer, params.max_accuracy_drop
        )
        if verdict.outcome == "within budget":
            confirmed.update({ladder} & found.keys())
            found.setdefault(ladder, verdict)
        elif verdict.outcome == "over budget" and ladder in found:
            lucky = found.pop(ladder)
            lucky.outcome, lucky.reason = (
                "not confirmed",
                f"{lucky.reason}, but the larger {candidate.name} is over budget",
            )
    chosen = _best(list(found.values()), plain, trials.train, params)
    return _conclude(plain, chosen, trials, list(verdicts.values()))


def _attempt(
    candidate: Candidate, plain: bytes, trials: Trials, scorer: Scorer, budget: float
) -> Verdict:
    """Apply a candidate, drop it if it changed nothing or is not smaller, and score it."""
    before = onnx.load_from_string(plain)
    try:
        after = candidate.apply(before, trials.train)
        onnx.checker.check_model(after, full_check=True)
        judge(after)
        model = to_bytes(after, packed=True)
        predict_onnx(open_session(model), take(trials.train.feeds, np.arange(1)))
        size_kb = len(model) / 1024
        if same_computation(before, after):
            return Verdict(
                candidate.name, "unchanged", "it left every operator and every weight as it was"
            )
        if len(model) >= len(plain):
            return Verdict(
                candidate.name,
                "not smaller",
                f"{size_kb:.1f} KB against {len(plain) / 1024:.1f} KB",
                size_kb,
            )
        mixed = _mixed_rows(model, plain, trials.train)
        if mixed:
            return Verdict(candidate.name, "depends on other rows", mixed, size_kb)
        drop = scorer.drop(candidate, plain, model)
    except NotApplicable as inapplicable:
        return Verdict(candidate.name, "not applicable", str(inapplicable))
    except Exception as error:  # a quantiser that fails on this graph, in whichever way, is a verdict and not the end
        return Verdict(
            candidate.name, "failed", " ".join(f"{type(error).__name__}: {error}".split())[:200]
        )
    outcome = "within budget" if drop <= budget + ROUNDING else "over budget"
    reason = f"{size_kb:.1f} KB, score {-drop:+.4f} where {-budget:+.4f} is allowed".replace(
        "-0.0000", "0.0000"
    )
    return Verdict(candidate.name, outcome, reason, size_kb, drop, model=model)


def _mixed_rows(model: bytes, plain: bytes, train: Rows) -> str:
    """What shows that answers depend on other rows of the call, beyond what the plain model's do; empty if nothing does."""
    found = _dependence(model, train, TOLERANCE)
    if found.difference <= TOLERANCE:
        return ""
    limit = max(TOLERANCE, NOISE * _dependence(plain, train, TOLERANCE).difference)
    return "" if found.difference <= limit else str(_dependence(model, train, limit))


def _dependence(model: bytes, rows: Rows, tolerance: float) -> Dependence:
    return row_dependence(partial(predict_onnx, open_session(model)), rows.feeds, tolerance)


def _best(found: list[Verdict], plain: bytes, train: Rows, params: Quantize) -> Verdict | None:
    """The smallest, or for another objective the fastest, timed side by side on training rows.

    Of equally small ones the first: methods are listed by speed. Of equally fast ones the smallest.
    """
    if params.objective == "size":
        found = [verdict for verdict in found if _saves(verdict, plain)]
        least = min((len(verdict.model) for verdict in found), default=0)
        return next((verdict for verdict in found if len(verdict.model) <= SAME_SIZE * least), None)
    ratios = relative_latencies(
        plain, [verdict.model for verdict in found], train, params.objective
    )
    for verdict, ratio in zip(found, ratios, strict=True):
        verdict.relative_latency = ratio
        verdict.reason += f", {ratio:.2f} of the plain model's time"
        if ratio > SLOWER:
            verdict.outcome = "slower"
        elif ratio > WORTHWHILE:
            _saves(verdict, plain)
    left = [
        (verdict, ratio)
        for verdict, ratio in zip(found, ratios, strict=True)
        if verdict.outcome == "within budget"
    ]
    shortest = min((ratio for _, ratio in left), default=0.0)
    fastest = [verdict for verdict, ratio in left if ratio <= SLOWER * shortest]
    return min(fastest, key=lambda verdict: len(verdict.model), default=None)


def _saves(verdict: Verdict, plain: bytes) -> bool:
    """Whether the candidate is smaller by a share worth another file; if not, that becomes its outcome."""
    if len(verdict.model) <= WORTHWHILE * len(plain):
        return True
    verdict.outcome = "no real saving"
    verdict.reason += f", less than {1 - WORTHWHILE:.0%} smaller"
    return False


def _conclude(
    plain: bytes, chosen: Verdict | None, trials: Trials, verdicts: list[Verdict]
) -> Choice:
    if chosen is None:
        tried = (
            "no candidate is smaller and within the budget"
            if verdicts
            else "no candidate was tried"
        )
        return Choice(
            plain,
            "none",
            f"{tried}: model_quantized.onnx is the plain ONNX model",
            trials.name,
            verdicts,
        )
    chosen.outcome = "chosen"
    before, after = len(plain) / 1024, len(chosen.model) / 1024
    summary = (
        f"{chosen.name} chosen: {before:.1f} -> {after:.1f} KB ({before / after:.1f}x smaller)"
    )
    return Choice(chosen.model, chosen.name, summary, trials.name, verdicts)
