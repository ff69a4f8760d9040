"""Verdicts: what became of each candidate, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from onnxpress.limits import SCORE
from onnxpress.quantize.candidates import Candidate
from onnxpress.quantize.device import Need
from onnxpress.scores.losses import Loss


class Outcome(StrEnum):
    """What became of a candidate; the values are what quantization.json records."""

    CHOSEN = "chosen"
    WITHIN_BUDGET = "within budget"
    OVER_BUDGET = "over budget"
    NOT_CONFIRMED = "not confirmed"
    """Within the budget, but the next larger rung is over it: it was luck."""
    NOT_TRIED = "not tried"
    """A larger rung of a ladder on which a smaller one is confirmed."""
    NO_REAL_SAVING = "no real saving"
    SLOWER = "slower"
    NOT_SMALLER = "not smaller"
    UNCHANGED = "unchanged"
    DEPENDS_ON_OTHER_ROWS = "depends on other rows"
    NOT_EVERYWHERE = "not everywhere"
    """It does not answer equally in a runtime that it has to run in."""
    DOES_NOT_FIT = "does not fit"
    """It takes more than there is on the device that it is for."""
    NOT_POSITIVE = "not positive"
    """It predicts zero or less for rows where the plain model, which never does, is above."""
    NOT_APPLICABLE = "not applicable"
    FAILED = "failed"


@dataclass(frozen=True)
class Drop:
    """What a candidate loses of one thing that has a budget."""

    loss: Loss
    limit: float
    exceeded: bool

    def __str__(self) -> str:
        """The drop and its limit: ``score -0.0120 where -0.0100 is allowed``."""
        about = f" ({self.loss.about})" if self.loss.about else ""
        if self.loss.key == SCORE:
            return f"score {self._change()} where {-self.limit:+.4f} is allowed"
        return f"{self.loss.key} {self._value()}{about} where {self.limit:.4g} is allowed"

    def _change(self) -> str:
        """The change of the score, with the digits that tell it from its limit."""
        change = -self.loss.value
        if math.isnan(change):
            return "cannot be told"
        near = self.exceeded and abs(change + self.limit) < 1e-4
        shown = f"{change:+.2g}" if near else f"{change:+.4f}"
        if self.loss.upper is None or not self.exceeded or self.loss.value > self.limit:
            return shown
        return f"{shown}, at least {-self.loss.upper:+.4f} with 95 % confidence,"

    def _value(self) -> str:
        """The loss, or the bound or the small class that decided."""
        loss = self.loss
        value = "cannot be told" if math.isnan(loss.value) else f"{loss.value:.4g}"
        if not self.exceeded or loss.value > self.limit:
            return value
        if loss.upper is not None:
            return f"{value}, at most {loss.upper:.4g} with 95 % confidence,"
        if loss.rare_lost:
            return f"{value}, and a class with few rows loses {loss.rare_lost} or more of them net"
        return value

    def to_json(self) -> dict[str, Any]:
        """The entry in quantization.json; null is what cannot be told."""
        loss = self.loss
        found: dict[str, Any] = {
            "value": _number(loss.value),
            "se": _number(loss.error),
            "limit": self.limit,
            "rows": loss.rows,
        }
        if loss.upper is not None:
            found["upper"] = _number(loss.upper)
        if loss.about:
            found["about"] = loss.about
        return found


@dataclass(frozen=True)
class Verdict:
    """What became of a candidate: chosen, or why not."""

    candidate: Candidate
    outcome: Outcome
    reason: str

    size_kb: float | None = None
    """Size of its model in KB of 1024 bytes; None if it made no valid model."""

    score_drop: float | None = None
    """How much of the plain model's score it loses; None if it was not scored."""

    drops: tuple[Drop, ...] = ()
    """What it loses of everything that has a budget; empty if it was not scored."""

    needs: tuple[Need, ...] = ()
    """What it takes of everything that the device limits; empty if there is no such budget."""

    relative_latency: float | None = None
    """Its time over the plain model's; None if it was not timed."""

    model: bytes = field(default=b"", repr=False)
    """Its model, kept if it was scored."""

    @property
    def name(self) -> str:
        """The name of the candidate."""
        return self.candidate.name

    def but(self, outcome: Outcome, reason: str = "") -> Verdict:
        """This verdict with another outcome, and ``reason`` added to its reason."""
        return replace(self, outcome=outcome, reason=self.reason + reason)

    @property
    def stopped_by(self) -> str:
        """The key of the first budget that it exceeds; empty if it exceeds none."""
        keys = [need.key for need in self.needs if need.exceeded]
        keys += [drop.loss.key for drop in self.drops if drop.exceeded]
        return keys[0] if keys else ""

    def to_json(self) -> dict[str, Any]:
        """The entry in quantization.json, without what was not measured."""
        measured = {
            "size_kb": self.size_kb,
            "score_drop": self.score_drop,
            "relative_latency": self.relative_latency,
            "drops": {drop.loss.key: drop.to_json() for drop in self.drops} or None,
            "needs": {need.key: need.to_json() for need in self.needs} or None,
            "stopped_by": self.stopped_by or None,
        }
        return {
            "name": self.name,
            "method": str(self.candidate.method),
            "outcome": str(self.outcome),
            "reason": self.reason,
            **{key: value for key, value in measured.items() if _is_there(value)},
        }


def _number(value: float) -> float | None:
    """The number, or None where JSON has none."""
    return value if math.isfinite(value) else None


def _is_there(value: Any) -> bool:
    """Whether there is a value that JSON has."""
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))
