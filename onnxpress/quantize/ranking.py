"""The best of the candidates within the budget: the smallest, or the fastest."""

from __future__ import annotations

import math
from dataclasses import replace

from onnxpress.quantize.options import Objective
from onnxpress.quantize.speed import relative_latencies
from onnxpress.quantize.verdicts import Outcome, Verdict
from onnxpress.tables.rows import Rows

SAME_SIZE = 1.05
"""Models are equally small within this factor."""

WORTHWHILE = 0.95
"""Share of the plain model's size or time that a candidate has to stay below."""

SLOWER = 1.05
"""Above this share of another model's time a model is slower; so few rounds show nothing below."""


DIGITS = 9
"""Of a loss of score; what differs behind them is rounding."""


def ranked(
    found: list[Verdict], plain: bytes, rows: Rows, objective: Objective
) -> tuple[list[Verdict], Verdict | None]:
    """``found``, with the outcome of those that gain too little, and the best of the others.

    The best is the smallest. For another objective it is the fastest, timed side by side on
    training rows.
    """
    if objective == "size":
        judged = [_with_saving(verdict, plain) for verdict in found]
        return judged, _smallest(_within_budget(judged))
    models = [verdict.model for verdict in found]
    ratios = relative_latencies(plain, models, rows, objective)
    pairs = zip(found, ratios, strict=True)
    judged = [_with_time(verdict, ratio, plain) for verdict, ratio in pairs]
    return judged, _fastest(_within_budget(judged))


def best_scored(found: list[Verdict]) -> Verdict | None:
    """The one that loses least of the score; of several the smallest."""

    def place(verdict: Verdict) -> tuple[float, int]:
        drop = verdict.score_drop
        unknown = drop is None or math.isnan(drop)
        return math.inf if drop is None or unknown else round(drop, DIGITS), len(verdict.model)

    return min(found, key=place, default=None)


def _within_budget(verdicts: list[Verdict]) -> list[Verdict]:
    return [verdict for verdict in verdicts if verdict.outcome is Outcome.WITHIN_BUDGET]


def _smallest(verdicts: list[Verdict]) -> Verdict | None:
    """Of equally small ones the first: methods are listed by speed."""
    least = min((len(verdict.model) for verdict in verdicts), default=0)
    small = (verdict for verdict in verdicts if len(verdict.model) <= SAME_SIZE * least)
    return next(small, None)


def _fastest(verdicts: list[Verdict]) -> Verdict | None:
    """Of equally fast ones the smallest."""
    timed = [(verdict.relative_latency or 0.0, verdict) for verdict in verdicts]
    shortest = min((ratio for ratio, _ in timed), default=0.0)
    fast = [verdict for ratio, verdict in timed if ratio <= SLOWER * shortest]
    return min(fast, key=lambda verdict: len(verdict.model), default=None)


def _with_time(verdict: Verdict, ratio: float, plain: bytes) -> Verdict:
    """A verdict with its time. One that is about as fast as the plain model must be smaller."""
    reason = f"{verdict.reason}, {ratio:.2f} of the plain model's time"
    timed = replace(verdict, relative_latency=ratio, reason=reason)
    if ratio > SLOWER:
        return replace(timed, outcome=Outcome.SLOWER)
    return _with_saving(timed, plain) if ratio > WORTHWHILE else timed


def _with_saving(verdict: Verdict, plain: bytes) -> Verdict:
    """A verdict as it is, if the model is smaller by a share worth another file."""
    if len(verdict.model) <= WORTHWHILE * len(plain):
        return verdict
    return verdict.but(Outcome.NO_REAL_SAVING, f", less than {1 - WORTHWHILE:.0%} smaller")
