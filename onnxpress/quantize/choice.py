"""From candidates to one model, and a verdict on each.

Nothing larger, worse or unchanged is passed on as quantised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx

from onnxpress.certify.evidence import (
    bad_onnxruntime,
    max_onnxruntime,
    min_onnxruntime,
    untried_operators,
)
from onnxpress.engine.engine import HERE, Engine
from onnxpress.errors import UserError
from onnxpress.models import PLAIN
from onnxpress.progress import Progress, show_nothing
from onnxpress.quantize.attempts import Attempts
from onnxpress.quantize.candidates import Candidate
from onnxpress.quantize.device import Device, Need
from onnxpress.quantize.ladders import climb, walk
from onnxpress.quantize.options import Options
from onnxpress.quantize.ranking import best_scored, ranked
from onnxpress.quantize.refusal import refusal
from onnxpress.quantize.scoring import Scorer
from onnxpress.quantize.terms import Terms
from onnxpress.quantize.trials import Trials
from onnxpress.quantize.trying import trying
from onnxpress.quantize.verdicts import Outcome, Verdict


@dataclass(frozen=True)
class Choice:
    """The model to pass on and the record of how it was found."""

    model: bytes
    """The quantised model as ONNX, or the plain one if no candidate was chosen."""
    chosen: Verdict | None
    """The verdict on the candidate that made it; None if it is the plain model."""
    summary: str
    """The conclusion in one line."""
    scoring: str
    """How candidates were scored."""
    verdicts: tuple[Verdict, ...]
    """One for each candidate, in the order of trying."""
    score: str
    """scikit-learn's name of the score."""
    runtimes: Mapping[str, str] = field(default_factory=dict)
    """What becomes of the model in the runtimes that it has to answer equally in, in words."""
    device: Mapping[str, Any] = field(default_factory=dict)
    """What the model takes on the device that it is for; empty if none is asked for."""
    here: str = ""
    """Why no engine has tried the candidates that could have; empty if there was none."""

    @property
    def candidate(self) -> str:
        """The name of the chosen candidate, or ``none``."""
        return self.chosen.name if self.chosen else PLAIN

    @property
    def method(self) -> str:
        """The method of the chosen candidate, or ``none``."""
        return self.chosen.candidate.method if self.chosen else PLAIN

    def models(self) -> dict[str, bytes]:
        """Every candidate's model that was scored, by name."""
        return {verdict.name: verdict.model for verdict in self.verdicts if verdict.model}

    def lines(self) -> list[str]:
        """The verdict of every candidate and the conclusion, a line each."""
        lines = [
            f"{verdict.name}: {verdict.outcome}, {verdict.reason}" for verdict in self.verdicts
        ]
        lines += [f"model_quantized.onnx in {name}: {what}" for name, what in self.runtimes.items()]
        if self.here:
            lines.insert(0, f"candidates were tried on this machine alone: {self.here}")
        return [*lines, self.summary]

    def to_json(self) -> dict[str, Any]:
        """The content of quantization.json."""
        model = onnx.load_from_string(self.model)
        found = {
            "method": str(self.method),
            "candidate": self.candidate,
            "min_onnxruntime": min_onnxruntime(model),
            "max_onnxruntime": max_onnxruntime(model),
            "bad_onnxruntime": bad_onnxruntime(model),
            "untried_operators": untried_operators(model),
            "modified": self.chosen is not None,
            "summary": self.summary,
            "score": self.score,
            "scoring": self.scoring,
            "runtimes": dict(self.runtimes),
            "candidates": [verdict.to_json() for verdict in self.verdicts],
        }
        return found | ({"budget": dict(self.device)} if self.device else {})


def choose(
    plain: bytes,
    candidates: list[Candidate],
    trials: Trials,
    terms: Terms,
    options: Options,
    *,
    engine: Engine = HERE,
    progress: Progress = show_nothing,
) -> Choice:
    """Try the candidates and keep the best by ``options.objective`` within all budgets.

    1. Each candidate is tried (:class:`Attempts`), ladders only as far as needed (:func:`climb`).
    2. Of those within the budgets the best is chosen (:func:`ranked`).
    3. If there is none, the plain model is passed on.

    With ``terms.device`` all candidates that may fit it are tried (:func:`walk`), and the one with
    the best score is chosen (:func:`best_scored`). A plain model that is passed on has to fit, too.

    A candidate has to answer equally in ``terms.runtimes`` too. ``plain`` is an ONNX model of our
    own or one that has passed the checks. The verdicts are reproducible, and do not depend on the
    ``engine``; with an objective of time the choice itself is not, and is made in this process.

    Raises:
        UserError: no model fits the device within all budgets.
        ServerError: the engine fails.
    """
    device = terms.device
    attempts = Attempts(plain, trials.train, Scorer(trials, terms))
    tried = progress(candidates, len(candidates), "trying candidates")
    here = "" if engine is HERE else _why_here(terms)
    with trying(attempts, candidates, HERE if here else engine) as verdict_of:
        verdicts, passed = (climb if device is None else walk)(tried, verdict_of)
    if device is None:
        judged, best = ranked(passed, plain, trials.train, options.objective)
    else:
        judged, best = passed, best_scored(passed)
    final = {verdict.name: verdict for verdict in [*verdicts, *judged]}
    chosen = None
    summary = f"{_nothing(verdicts)}: model_quantized.onnx is the plain ONNX model"
    if best is not None:
        chosen = final[best.name] = best.but(Outcome.CHOSEN)
        before, after = len(plain) / 1024, len(chosen.model) / 1024
        sizes = f"{before:.1f} -> {after:.1f} KB ({before / after:.1f}x smaller)"
        summary = f"{chosen.name} chosen: {sizes}"
    model, takes = chosen.model if chosen else plain, {}
    if device is not None:
        needs = chosen.needs if chosen else _needs_of_plain(plain, device, verdicts)
        summary, takes = f"{summary}; {device.summary(needs)}", device.to_json(needs)
    elsewhere = terms.runtimes.results(model)
    found, score = tuple(final.values()), terms.score.name
    return Choice(model, chosen, summary, trials.name, found, score, elsewhere, takes, here)


def _why_here(terms: Terms) -> str:
    """Say what only this machine can tell of a candidate; empty if there is nothing."""
    if terms.runtimes.environments:
        return "it has the runtimes that they must answer equally in"
    timed = terms.device is not None and terms.device.is_timed
    return "it is the one that they are timed on" if timed else ""


def _needs_of_plain(plain: bytes, device: Device, verdicts: list[Verdict]) -> tuple[Need, ...]:
    """What the plain model takes on a device.

    Raises:
        UserError: it does not fit either.
    """
    needs, reason = device.needs(plain)
    if any(need.exceeded for need in needs):
        raise UserError(refusal(verdicts, device, needs, reason))
    return needs


def _nothing(verdicts: list[Verdict]) -> str:
    """Say why the plain model is passed on."""
    return "no candidate is smaller and within the budget" if verdicts else "no candidate was tried"
