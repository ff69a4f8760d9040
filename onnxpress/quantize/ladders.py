"""Trying candidates in their order, and climbing ladders of sizes no further than needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from onnxpress.quantize.candidates import Candidate, Ladder
from onnxpress.quantize.verdicts import Outcome, Verdict


def climb(
    candidates: Iterable[Candidate], verdict_of: Callable[[Candidate], Verdict]
) -> tuple[list[Verdict], list[Verdict]]:
    """All verdicts in the order of ``candidates``, and those that the best may be chosen from.

    A ladder is climbed from its smallest rung up to the first that is within the budget *and*
    confirmed: the next rung must be within it too. Among several rungs scored on few rows one will
    look good by luck, but a larger one should not be worse. Rungs further up are not tried. A
    candidate without rungs is a ladder of one. A ladder that names another one (``unless``) is
    climbed only where nothing was found on that.
    """
    climbing = _Climbing()
    for candidate in candidates:
        found = climbing.enough_for(candidate)
        if found:
            reason = f"{found.name} is smaller and within the budget"
            climbing.record(Verdict(candidate, Outcome.NOT_TRIED, reason))
        else:
            climbing.record(verdict_of(candidate))
    return list(climbing.verdicts.values()), list(climbing.found.values())


class _Climbing:
    """What is known so far."""

    def __init__(self) -> None:
        self.verdicts: dict[str, Verdict] = {}
        """By the candidate's name, in the order of trying."""
        self.found: dict[Ladder, Verdict] = {}
        """By ladder, its smallest rung within the budget."""
        self.confirmed: dict[Ladder, Verdict] = {}
        """Those of ``found`` whose next rung is within the budget too."""

    def enough_for(self, candidate: Candidate) -> Verdict | None:
        """What makes it needless to try ``candidate``; None if nothing does."""
        found = self.confirmed.get(candidate.ladder)
        if found is None and candidate.unless is not None:
            return self.found.get(candidate.unless)
        return found

    def record(self, verdict: Verdict) -> None:
        """Note a verdict, and what it says about the rung below it."""
        self.verdicts[verdict.name] = verdict
        ladder = verdict.candidate.ladder
        below = self.found.get(ladder)
        if verdict.outcome is Outcome.WITHIN_BUDGET:
            if below:
                self.confirmed[ladder] = below
            else:
                self.found[ladder] = verdict
        elif verdict.outcome is Outcome.OVER_BUDGET and below:
            del self.found[ladder]
            doubt = f", but the larger {verdict.name} is over budget"
            self.verdicts[below.name] = below.but(Outcome.NOT_CONFIRMED, doubt)
