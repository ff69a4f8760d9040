"""The budget of a device: the best score of what fits, or a line that says why nothing does."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from bench.edge.on_chip import taken
from onnxpress import Compressed, compress, convert
from onnxpress.bodies.reading import read_program
from onnxpress.errors import UserError
from onnxpress.quantize.candidates import Candidate, Rung
from onnxpress.quantize.device import Need
from onnxpress.quantize.ladders import walk
from onnxpress.quantize.ranking import best_scored
from onnxpress.quantize.verdicts import Outcome, Verdict
from onnxpress.tables.rows import Rows
from tests.support.compilers import tool

ANYTHING = {"score": 1.0, "recall_worst_loss": None}
WITHIN, OVER, TOO_LARGE = Outcome.WITHIN_BUDGET, Outcome.OVER_BUDGET, Outcome.DOES_NOT_FIT


@pytest.fixture(scope="module")
def tumours() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    x, y = load_breast_cancer(return_X_y=True)
    return x.astype(np.float32), y


def compressed(tumours: Any, device: Any, estimator: Any = None, **settings: Any) -> Compressed:
    """A small forest, or another estimator, compressed for a device; other rows score.

    It is given as ONNX: nothing is fitted again on folds.
    """
    x, y = tumours
    estimator = estimator or RandomForestClassifier(40, random_state=0)
    model = convert(estimator.fit(x[:350], y[:350]), x)
    words = {"budgets": ANYTHING, "level": "refined", "calibration": (x[350:], y[350:])}
    return compress(model, x[:350], y[:350], device=device, **{**words, **settings})


@pytest.fixture(scope="module")
def for_a_chip(tumours: Any) -> Compressed:
    device = {"flash_kb": 1.25, "ram_kb": 0.25, "row_us": 40}
    return compressed(tumours, device)


def test_the_best_score_that_fits_is_chosen_and_its_c_is_within_the_budget(
    tumours: Any, for_a_chip: Compressed
) -> None:
    tool("arm-none-eabi-gcc")
    tool("qemu-arm")
    result = for_a_chip
    fitting = [each for each in result.verdicts if each.drops]
    chosen = next(each for each in fitting if each.name == result.candidate)
    assert chosen is best_scored(fitting)
    assert not any((each.score_drop or 0) < (chosen.score_drop or 0) for each in fitting)
    assert any(each.outcome is TOO_LARGE for each in result.verdicts)
    real = taken(read_program(result.model), tumours[0][:3])
    assert real.flash <= 1.25 * 1024
    assert real.ram <= 0.25 * 1024
    assert real.cycles / 64 <= 40
    takes = result.to_json()["budget"]
    assert real.flash <= takes["flash_kb"]["value"] * 1024
    assert takes["flash_kb"]["spare"] == 1.25 - takes["flash_kb"]["value"]
    assert "of 1.25 KB of flash" in result.summary
    assert "predicted for C on a Cortex-M4F at 64 MHz" in result.summary


def test_what_does_not_fit_says_which_limit_stopped_it(for_a_chip: Compressed) -> None:
    entries = {each["name"]: each for each in for_a_chip.to_json()["candidates"]}
    larger = next(each for each in entries.values() if each["outcome"] == "does not fit")
    stopped_by = larger["stopped_by"]
    need = larger["needs"][stopped_by]
    assert need["value"] > need["limit"]
    assert f" where {need['limit']:g} is allowed" in larger["reason"]


def test_a_model_without_a_form_in_c_runs_on_no_microcontroller(tumours: Any) -> None:
    with pytest.raises(UserError, match=r"^no model runs within `device` \(flash_kb: 900\): .* C"):
        compressed(tumours, {"flash_kb": 900}, SVC())


def test_a_plain_model_that_fits_is_passed_on(tumours: Any) -> None:
    result = compressed(tumours, {"flash_kb": np.int64(900)}, method="none")
    assert result.data == result.plain
    assert "of 900 KB of flash" in result.summary


def test_the_refusal_says_which_budgets_cannot_be_met_at_once(tumours: Any) -> None:
    device = {"flash_kb": 0.88}
    with pytest.raises(UserError) as refused:
        compressed(tumours, device, budgets={"score": 0.0, "recall_worst_loss": None})
    found = re.fullmatch(
        r"no model is within `device` \(flash_kb: 0.88\) and `budgets` at once: of those that fit "
        r"(\S+) comes nearest, with score -[\d.]+.*; allow it by score: ([\d.]+) in "
        r"`budgets`, or allow more in `device`",
        str(refused.value),
    )
    assert found is not None, refused.value
    allowed = {"score": float(found[2]), "recall_worst_loss": None}
    assert compressed(tumours, device, budgets=allowed).candidate == found[1]


def test_the_refusal_says_what_the_smallest_model_takes(tumours: Any) -> None:
    with pytest.raises(UserError, match=r"^no model fits `device`: forest/refined-2x2 comes nea"):
        compressed(tumours, {"flash_kb": 0.1})


@pytest.mark.parametrize(
    ("device", "settings", "line"),
    [
        ({"flsh_kb": 1}, {}, "should have keys of flash_kb, ram_kb, row_us, clock_mhz, got 'fls"),
        ({"flash_kb": 0}, {}, "should have a number above 0 for flash_kb, got 0"),
        ({"ram_kb": True}, {}, "should have a number above 0 for ram_kb, got True"),
        ({"row_us": float("inf")}, {}, "should have a number above 0 for row_us, got inf"),
        ({"clock_mhz": 64}, {}, "should limit one of flash_kb, ram_kb, row_us"),
        ([1], {}, "should be a mapping from names to numbers, such as {'flash_kb': 32}, got [1]"),
        ({"row_us": 9}, {"objective": "latency"}, "so the objective should be size, got latency"),
    ],
)
def test_a_wrong_device_is_one_line(
    tumours: Any, device: Any, settings: dict[str, Any], line: str
) -> None:
    with pytest.raises(UserError, match=re.escape(line)):
        compressed(tumours, device, **settings)


def test_time_alone_is_that_of_onnxruntime_and_the_summary_says_so(tumours: Any) -> None:
    result = compressed(tumours, {"row_us": 1e9}, method="none")
    assert "measured in onnxruntime on this machine" in result.summary
    assert result.to_json()["budget"]["row_us"]["value"] > 0


def unused(_model: onnx.ModelProto, _rows: Rows) -> onnx.ModelProto:
    raise AssertionError


def walked(*outcomes: Outcome) -> list[Outcome]:
    """The outcomes of the rungs of a ladder with such verdicts."""
    rungs = [Candidate("it", unused, "form", Rung(1 << step, 4)) for step in range(len(outcomes))]
    by_name = {rung.name: outcome for rung, outcome in zip(rungs, outcomes, strict=True)}
    verdicts, passed = walk(rungs, lambda rung, _: Verdict(rung, by_name[rung.name], ""))
    assert passed == [each for each in verdicts if each.outcome is WITHIN]
    return [each.outcome for each in verdicts]


def test_all_rungs_are_tried_until_two_in_a_row_do_not_fit() -> None:
    outcomes = [OVER, WITHIN, WITHIN, TOO_LARGE, WITHIN, TOO_LARGE, TOO_LARGE, WITHIN]
    assert walked(*outcomes) == [*outcomes[:-1], Outcome.NOT_TRIED]


def test_a_rung_within_the_budgets_by_luck_is_not_confirmed() -> None:
    assert walked(WITHIN, OVER, WITHIN, TOO_LARGE) == [
        Outcome.NOT_CONFIRMED,
        OVER,
        WITHIN,
        TOO_LARGE,
    ]


def test_the_best_loses_least_and_of_several_is_the_smallest() -> None:
    def verdict(drop: float, size: int) -> Verdict:
        candidate = Candidate(f"{drop} {size}", unused)
        return Verdict(candidate, WITHIN, "", score_drop=drop, model=b"0" * size)

    first, same, unknown = verdict(-0.1, 9), verdict(-0.1 + 1e-12, 5), verdict(float("nan"), 1)
    assert best_scored([unknown, verdict(0.0, 1), first, same]) is same
    assert best_scored([unknown]) is unknown
    assert best_scored([]) is None


def test_a_need_that_is_barely_too_large_is_shown_above_its_limit() -> None:
    assert str(Need("flash_kb", 2.0001, 2.0)) == "2.001 KB of flash where 2 is allowed"
    assert str(Need("row_us", 1234.5, 33333.0)) == "1,234.5 of 33,333 microseconds a row"
