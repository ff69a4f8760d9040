"""Verdicts: what became of each candidate, and why."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from onnxpress.quantize.candidates import Candidate


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
    NOT_APPLICABLE = "not applicable"
    FAILED = "failed"


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

    def to_json(self) -> dict[str, Any]:
        """The entry in quantization.json, without what was not measured."""
        measured = {
            "size_kb": self.size_kb,
            "score_drop": self.score_drop,
            "relative_latency": self.relative_latency,
        }
        return {
            "name": self.name,
            "method": str(self.candidate.method),
            "outcome": str(self.outcome),
            "reason": self.reason,
            **{key: value for key, value in measured.items() if value is not None},
        }
