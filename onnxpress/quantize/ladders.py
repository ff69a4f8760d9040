"""Trying candidates in their order, and climbing ladders of sizes no further than needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from onnxpress.quantize.candidates import Candidate, Ladder
from onnxpress.quantize.verdicts import Drop, Outcome, Verdict

_ENOUGH_RUNGS = 8
"""So many rungs of a ladder are tried before it is given up."""

_SURE = 2
"""Standard errors that a loss may really be smaller than it was measured."""


Against = Callable[[Candidate], str]
"""Says what makes it needless to try a candidate, as far as is known; empty if nothing does."""

Try = Callable[[Candidate, Against], Verdict]
"""Tries a candidate. It is told which of the others are needless, for it may try them ahead."""


def climb(candidates: Iterable[Candidate], verdict_of: Try) -> tuple[list[Verdict], list[Verdict]]:
    """All verdicts in the order of ``candidates``, and those that the best may be chosen from.

    A ladder is climbed from its smallest rung up to the first that is within the budget *and*
    confirmed: the next rung must be within it too. Among several rungs scored on few rows one will
    look good by luck, but a larger one should not be worse. Rungs further up are not tried. A
    candidate without rungs is a ladder of one. A ladder that names another one (``unless``) is
    climbed only where nothing was found on that. A ladder is given up where its last rungs gained
    so little that no larger one is expected within the budget (:func:`hopeless`).
    """
    climbing = _Climbing()
    for candidate in candidates:
        reason = climbing.reason_against(candidate)
        if reason:
            climbing.record(Verdict(candidate, Outcome.NOT_TRIED, reason))
        else:
            climbing.record(verdict_of(candidate, climbing.reason_against))
    return list(climbing.verdicts.values()), list(climbing.found.values())


def walk(candidates: Iterable[Candidate], verdict_of: Try) -> tuple[list[Verdict], list[Verdict]]:
    """All verdicts in the order of ``candidates``, and all that are within every budget.

    For the best score every rung is tried, until two in a row do not fit the device: those above
    take more. A rung within the budgets must be confirmed by the next, as in :func:`climb`, if that
    was scored.
    """
    verdicts: dict[str, Verdict] = {}
    ladders: dict[Ladder, list[Verdict]] = {}

    def reason_against(candidate: Candidate) -> str:
        below = ladders[candidate.ladder][-2:] if candidate.ladder in ladders else []
        if len(below) > 1 and all(rung.outcome is Outcome.DOES_NOT_FIT for rung in below):
            return f"the smaller {below[-1].name} does not fit"
        return ""

    for candidate in candidates:
        if reason := reason_against(candidate):
            verdicts[candidate.name] = Verdict(candidate, Outcome.NOT_TRIED, reason)
        else:
            verdicts[candidate.name] = verdict_of(candidate, reason_against)
            ladders.setdefault(candidate.ladder, []).append(verdicts[candidate.name])
    for below, above in (pair for rungs in ladders.values() for pair in pairwise(rungs)):
        if (below.outcome, above.outcome) == (Outcome.WITHIN_BUDGET, Outcome.OVER_BUDGET):
            verdicts[below.name] = _doubted(below, above)
    found = list(verdicts.values())
    return found, [each for each in found if each.outcome is Outcome.WITHIN_BUDGET]


class _Climbing:
    """What is known so far."""

    def __init__(self) -> None:
        self.verdicts: dict[str, Verdict] = {}
        """By the candidate's name, in the order of trying."""
        self.found: dict[Ladder, Verdict] = {}
        """By ladder, its smallest rung within the budget."""
        self.confirmed: dict[Ladder, Verdict] = {}
        """Those of ``found`` whose next rung is within the budget too."""
        self.tried: dict[Ladder, list[Verdict]] = {}
        """By ladder, all rungs that were tried, from the smallest up."""

    def reason_against(self, candidate: Candidate) -> str:
        """What makes it needless to try ``candidate``; empty if nothing does."""
        found = self.confirmed.get(candidate.ladder)
        if found is None and candidate.unless is not None:
            found = self.found.get(candidate.unless)
        if found:
            return f"{found.name} is no larger and within the budget"
        return hopeless(self.tried.get(candidate.ladder, []))

    def record(self, verdict: Verdict) -> None:
        """Note a verdict, and what it says about the rung below it."""
        self.verdicts[verdict.name] = verdict
        ladder = verdict.candidate.ladder
        if verdict.outcome is not Outcome.NOT_TRIED:
            self.tried.setdefault(ladder, []).append(verdict)
        below = self.found.get(ladder)
        if verdict.outcome is Outcome.WITHIN_BUDGET:
            if below:
                self.confirmed[ladder] = below
            else:
                self.found[ladder] = verdict
        elif verdict.outcome is Outcome.OVER_BUDGET and below:
            del self.found[ladder]
            self.verdicts[below.name] = _doubted(below, verdict)


def _doubted(below: Verdict, above: Verdict) -> Verdict:
    """``below`` within the budget by luck, for a larger rung is over it."""
    doubt = f", but the larger {above.name} is over budget"
    return below.but(Outcome.NOT_CONFIRMED, doubt)


def hopeless(tried: Sequence[Verdict]) -> str:
    """Why no rung above those ``tried`` is expected within the budget; empty if one may be.

    Each rung is up to twice the size of the one before and gains less. So all rungs to come are
    taken to gain together as much as the last two did, and the loss to be ``_SURE`` standard errors
    smaller than measured. If that is still too much, a larger rung would be.
    """
    if len(tried) < _ENOUGH_RUNGS or tried[-1].outcome is not Outcome.OVER_BUDGET:
        return ""
    before = {drop.loss.key: drop for drop in tried[-3].drops}
    last = tried[-1]
    for drop in last.drops:
        if drop.exceeded and drop.loss.key in before:
            gained = max(before[drop.loss.key].loss.value - drop.loss.value, 0.0)
            if _least(drop) - gained > drop.limit:
                return f"{last.name}: {drop}; the last two rungs gained {gained:.4f} of it"
    return ""


def _least(drop: Drop) -> float:
    """The least loss that is likely; NaN where that cannot be told."""
    return drop.loss.value - _SURE * drop.loss.error
