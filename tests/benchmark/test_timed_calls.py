"""What is timed: batches, sessions, and the empty graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

from onnxpress.benchmark.timed_calls import (
    batches,
    floor_model,
    in_turns,
    limited_threads,
    rows_needed,
    sessions,
)
from onnxpress.runtime.sessions import open_session

MIXED = {"size": np.array([[1.5], [np.nan]], np.float32), "colour": np.array([["red"], [""]])}


def test_batches_go_on_where_the_one_before_has_ended() -> None:
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)

    def firsts(size: int) -> list[list[float]]:
        return [each["X"][:, 0].tolist() for each in batches({"X": rows}, size)]

    assert firsts(1) == [[0], [2], [4]]
    assert firsts(2) == [[0, 2], [4, 0], [2, 4]]
    assert firsts(3) == [[0, 2, 4]]
    assert firsts(7) == [[0, 2, 4, 0, 2, 4, 0], [2, 4, 0, 2, 4, 0, 2], [4, 0, 2, 4, 0, 2, 4]]


def test_batches_have_the_rows_of_all_columns_alike() -> None:
    first, second = batches(MIXED, 3)
    assert first["colour"].tolist() == [["red"], [""], ["red"]]
    assert first["size"][[0, 2]].tolist() == [[1.5], [1.5]]
    assert second["colour"].tolist() == [[""], ["red"], [""]]


def test_there_are_no_more_rows_than_are_needed_to_surprise_a_processor() -> None:
    rows = {"X": np.zeros((5000, 1), np.float32)}
    found = [sum(len(each["X"]) for each in batches(rows, size)) for size in (1, 32, 1024, 4096)]
    assert found == [2048, 2048, 2048, 4096]


def test_calls_come_in_turns_and_begin_again() -> None:
    call = in_turns([lambda: "one", lambda: "two"])
    assert [call(), call(), call()] == ["one", "two", "one"]


@pytest.mark.parametrize(
    "feeds", [{"X": np.ones((3, 4), np.float32)}, MIXED, dict(reversed(MIXED.items()))]
)
def test_the_floor_takes_the_same_input_and_hands_back_the_first(
    feeds: dict[str, NDArray[Any]],
) -> None:
    model = floor_model(feeds)
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    (output,) = open_session(model).run(None, feeds)
    np.testing.assert_array_equal(output, next(iter(feeds.values())))


def test_a_quantised_model_that_is_the_plain_model_is_measured_through_the_same_session() -> None:
    model, other = (floor_model({name: np.ones((1, 1), np.float32)}) for name in ("X", "Y"))
    opened = sessions({"onnx": model, "quantized": model, "floor": other}, threads=1)
    assert opened["onnx"] is opened["quantized"]
    assert opened["onnx"] is not opened["floor"]


def test_blas_and_openmp_keep_to_the_number_of_threads() -> None:
    with limited_threads(1):
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}


@pytest.mark.parametrize("size", [1, 7, 32, 1000, 1024, 3000])
def test_the_first_rows_make_the_batches_of_all_rows(size: int) -> None:
    feeds = {"X": np.arange(10_000, dtype=np.float32).reshape(-1, 1)}
    first = {"X": feeds["X"][: rows_needed([size])]}
    some, every = batches(first, size), batches(feeds, size)
    assert len(some) == len(every)
    for one, other in zip(some, every, strict=True):
        np.testing.assert_array_equal(one["X"], other["X"])
