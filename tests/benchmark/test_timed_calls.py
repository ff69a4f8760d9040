"""What is timed: batches, sessions, and the empty graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

from onnxpress.benchmark.timed_calls import batch, floor_model, limited_threads, sessions
from onnxpress.runtime.sessions import open_session

MIXED = {"size": np.array([[1.5], [np.nan]], np.float32), "colour": np.array([["red"], [""]])}


def test_a_batch_larger_than_the_test_set_repeats_its_rows_in_order() -> None:
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert batch({"X": rows}, 7)["X"].tolist() == [
        [0, 1],
        [2, 3],
        [4, 5],
        [0, 1],
        [2, 3],
        [4, 5],
        [0, 1],
    ]
    assert batch({"X": rows}, 2)["X"].tolist() == [[0, 1], [2, 3]]


def test_a_batch_repeats_the_rows_of_all_columns_alike() -> None:
    repeated = batch(MIXED, 3)
    assert repeated["colour"].tolist() == [["red"], [""], ["red"]]
    assert repeated["size"][[0, 2]].tolist() == [[1.5], [1.5]]


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
