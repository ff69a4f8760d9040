"""The table of the test rows that decide."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.support.results import DETAIL
from tests.support.single_rows import deciding

ANSWERS = {
    "target": np.array(["a", "b", "c"]),
    "original": np.array(["a", "b", "b"]),
    "quantized": np.array(["a", "c", "c"]),
}


def detail(rows: list[dict[str, Any]], moving: int, *, all_tried: bool = True) -> dict[str, Any]:
    found = {"rows": rows, "moving": moving, "all_tried": all_tried}
    return DETAIL | {"deciding": found}


def test_each_row_has_its_number_target_both_answers_and_what_it_moves() -> None:
    rows = [{"row": 1, "effect": -1 / 3}, {"row": 2, "effect": 1 / 3}]
    table = deciding(detail(rows, 2), ANSWERS, "kind")
    assert table.headings == [
        "test row",
        "true kind",
        "original",
        "ONNX, quantised",
        "moves accuracy by",
    ]
    assert table.rows == [["1", "b", "b", "c", "-0.333"], ["2", "c", "b", "c", "+0.333"]]
    assert table.summary.startswith("2 of 3 test rows move accuracy. A row")


def test_probabilities_of_the_true_class_stand_beside_the_answers() -> None:
    rows = [{"row": 0, "effect": -0.5, "original_probability": 0.9, "quantized_probability": 0.25}]
    table = deciding(detail(rows, 1), ANSWERS, "kind")
    assert table.rows == [["0", "a", "a", "a", "0.9000 -> 0.2500", "-0.5"]]


def test_the_summary_says_how_many_are_shown_and_how_many_were_found() -> None:
    rows = [{"row": 0, "effect": -0.5}]
    table = deciding(detail(rows, 40, all_tried=False), ANSWERS, "kind")
    assert table.summary.startswith(
        "At least 40 of 3 test rows move accuracy; the 1 that move it most are shown."
    )
    assert deciding(detail([], 0), ANSWERS, "kind").summary.startswith("No test row moves")
