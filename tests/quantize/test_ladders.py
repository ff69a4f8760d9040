"""Ladders of sizes: when they are climbed on, and when they are given up."""

from __future__ import annotations

import math

import onnx
import pytest

from onnxpress.quantize.candidates import Candidate, Rung
from onnxpress.quantize.ladders import climb
from onnxpress.quantize.verdicts import Drop, Outcome, Verdict
from onnxpress.scores.losses import Loss
from onnxpress.tables.rows import Rows


def unused(_model: onnx.ModelProto, _rows: Rows) -> onnx.ModelProto:
    raise AssertionError


def rungs(count: int) -> list[Candidate]:
    return [Candidate("it", unused, form="form", rung=Rung(1 << step, 4)) for step in range(count)]


def outcomes(
    losses: list[float], error: float = 0.001, *, limit: float = 0.0, key: str = "score"
) -> list[Verdict]:
    """What climbing says about rungs that lose so much."""
    by_name = dict(zip([rung.name for rung in rungs(len(losses))], losses, strict=True))

    def verdict(candidate: Candidate) -> Verdict:
        loss = Loss(key, by_name[candidate.name], error, rows=1000)
        over = loss.value > limit
        outcome = Outcome.OVER_BUDGET if over else Outcome.WITHIN_BUDGET
        return Verdict(candidate, outcome, "", drops=(Drop(loss, limit, over),))

    verdicts, _ = climb(rungs(len(losses)), lambda rung, _: verdict(rung))
    return verdicts


def tried(verdicts: list[Verdict]) -> int:
    return sum(verdict.outcome is not Outcome.NOT_TRIED for verdict in verdicts)


FALLING = [0.3, 0.2, 0.12, 0.09, 0.07, 0.06, 0.055]


@pytest.mark.parametrize("key", ["score", "average_precision"])
def test_a_ladder_is_given_up_where_its_last_rungs_gained_too_little(key: str) -> None:
    verdicts = outcomes([*FALLING, 0.052, 0.01, 0.0, 0.0], key=key)
    assert tried(verdicts) == 8
    # from 0.06 to 0.052 in two rungs: twice that and two standard errors are far below 0.052
    assert "it/form-128x4" in verdicts[-1].reason
    assert "the last two rungs gained 0.0080" in verdicts[-1].reason


@pytest.mark.parametrize(
    ("last", "error", "limit"),
    [(0.052, 0.03, 0.0), (0.03, 0.001, 0.0), (0.052, 0.001, 0.05), (0.052, math.nan, 0.0)],
    ids=["the error is large", "it still falls", "the limit is near", "no error is known"],
)
def test_it_is_not_given_up_where_a_larger_rung_may_do(
    last: float, error: float, limit: float
) -> None:
    verdicts = outcomes([*FALLING, last, *[-0.01] * 2], error, limit=limit)
    assert tried(verdicts) == 10
    assert verdicts[-2].outcome is Outcome.WITHIN_BUDGET


def test_small_rungs_that_all_lose_the_same_are_not_the_end() -> None:
    # a rare class that no small forest finds at all
    assert tried(outcomes([0.5] * 5 + [0.2, 0.05, 0.0, 0.0])) == 9


def test_a_rung_within_the_budget_by_luck_does_not_end_it() -> None:
    verdicts = outcomes([*FALLING, -0.001, 0.05, 0.0, 0.0])
    assert verdicts[7].outcome is Outcome.NOT_CONFIRMED
    assert tried(verdicts) == 9
