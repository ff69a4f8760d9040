"""Predictions of some rows, of several sets of rows, and of more classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onnxpress.runtime.predictions import Predictions

THREE = Predictions(np.array(["a", "b", "a"]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]))
NUMBERS = Predictions(np.array([1.0, 2.0]), None)


def test_rows_are_taken_by_position_or_mask() -> None:
    for index in (np.array([2, 1]), np.array([False, True, True])):
        taken = THREE.take(index)
        assert taken.scores is not None
        assert sorted(zip(taken.values, taken.scores[:, 0], strict=True)) == [
            ("a", 0.6),
            ("b", 0.2),
        ]
    assert NUMBERS.take(np.array([1])).values.tolist() == [2.0]
    assert replace(THREE, proper=False).take(np.array([0])).proper is False


def test_parts_come_one_after_another() -> None:
    index = np.array([0, 2]), np.array([1])
    joined = Predictions.joined([THREE.take(each) for each in index])
    assert joined.values.tolist() == ["a", "a", "b"]
    assert joined.scores is not None
    assert joined.scores[:, 1].tolist() == [0.1, 0.4, 0.8]
    assert Predictions.joined([NUMBERS, NUMBERS]).scores is None
    longer = Predictions(np.array(["longer"]), np.array([[1.0, 0.0]]))
    assert Predictions.joined([THREE, longer]).values[-1] == "longer"


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [THREE, Predictions(np.array(["c"]), np.ones((1, 3)))],
        [THREE, replace(THREE, proper=False)],
        [THREE, Predictions(np.array(["c"]), None)],
    ],
)
def test_parts_with_other_columns_are_refused(parts: list[Predictions]) -> None:
    with pytest.raises(ValueError, match="predictions to join"):
        Predictions.joined(parts)


def test_a_clone_that_never_saw_a_class_gives_it_no_probability() -> None:
    spread = THREE.spread(["a", "c"], ["a", "b", "c"])
    assert spread.scores is not None
    assert spread.scores.tolist() == [[0.9, 0, 0.1], [0.2, 0, 0.8], [0.6, 0, 0.4]]
    decisions = replace(THREE, proper=False).spread(["a", "c"], ["a", "b", "c"])
    assert decisions.scores is not None
    assert decisions.scores.argmax(axis=1).tolist() == [0, 2, 0]
    assert THREE.spread(["a", "c"], ["a", "c"]) is THREE
    assert NUMBERS.spread([], []) is NUMBERS
    with pytest.raises(ValueError, match="not in list"):
        THREE.spread(["a", "z"], ["a", "b"])
