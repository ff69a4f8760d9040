"""Rows of tensors are probed, compared and shown like rows of tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from onnxpress.benchmark.timed_calls import floor_model
from onnxpress.evaluate.predicted_rows import PredictedRows
from onnxpress.evaluate.probes.probe_rows import probe_rows
from onnxpress.evaluate.row_dependence import row_dependence
from onnxpress.runtime.predictions import Predictions
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Feeds, Rows
from onnxpress.tables.schema import Column, Schema
from tests.support.single_rows import worst

ROWS = 50
FEEDS: Feeds = {
    "image": np.random.default_rng(0).normal(size=(ROWS, 1, 3, 3)).astype(np.float32),
    "grey": np.random.default_rng(1).integers(0, 256, (ROWS, 4), np.uint8),
    "words": np.arange(3 * ROWS).reshape(ROWS, 3),
}
SCHEMA = Schema(
    "regression",
    "y",
    tuple(
        Column(name, "tensor", missing=False, shape=values.shape[1:], dtype=str(values.dtype))
        for name, values in FEEDS.items()
    ),
)


def sums(feeds: Feeds) -> Predictions:
    total = sum(values.reshape(len(values), -1).sum(axis=1) for values in feeds.values())
    return Predictions(np.asarray(total, np.float64), None)


def empty_graph() -> onnx.ModelProto:
    return helper.make_model(helper.make_graph([], "none", [], []))


def test_probes_mix_images_by_value_and_words_by_row() -> None:
    made = probe_rows(empty_graph(), FEEDS, sums, 300, 7)
    again = probe_rows(empty_graph(), FEEDS, sums, 300, 7)
    assert len(made) == 300
    known = {tuple(row) for row in FEEDS["words"].tolist()}
    assert {tuple(row) for row in made.feeds["words"].tolist()} <= known
    for name in ("image", "grey"):
        values, given = (each.reshape(len(each), -1) for each in (made.feeds[name], FEEDS[name]))
        assert made.feeds[name].dtype == FEEDS[name].dtype
        assert all(np.isin(values[:, at], given[:, at]).all() for at in range(values.shape[1]))
        assert len({row.tobytes() for row in values} - {row.tobytes() for row in given}) > 250
    for name, values in again.feeds.items():
        np.testing.assert_array_equal(values, made.feeds[name])


@pytest.mark.parametrize("name", list(FEEDS))
def test_rows_that_depend_on_others_are_found_in_tensors(name: str) -> None:
    def beside_the_largest(feeds: Feeds) -> Predictions:
        return Predictions(sums(feeds).values / max(1, np.abs(feeds[name]).max()), None)

    assert row_dependence(sums, FEEDS).difference < 1e-5
    assert row_dependence(beside_the_largest, FEEDS).difference > 0.01


def test_a_row_is_named_by_its_number() -> None:
    rows = PredictedRows("test", FEEDS, [sums(FEEDS)] * 3)
    assert rows.describe(3, SCHEMA) == "test row 3"


def test_the_worst_rows_are_shown_by_the_mean_of_each_tensor() -> None:
    told: dict[str, NDArray[Any]] = {
        name: np.full(ROWS, "1") for name in ("target", "original", "onnx", "quantized")
    }
    told["quantized"][4] = "2"
    found = worst(told, Rows(FEEDS, np.ones(ROWS)), SCHEMA)
    assert found.headings[-3:] == ["image (mean)", "grey (mean)", "words (mean)"]
    means = [f"{FEEDS[name][4].mean(dtype=np.float64):.4g}" for name in FEEDS]
    assert [f"{float(cell):.4g}" for cell in found.rows[0][-3:]] == means


def test_the_fastest_model_of_all_has_the_inputs_of_tensors() -> None:
    session = open_session(floor_model(FEEDS))
    inputs = {each.name: (each.type, each.shape[1:]) for each in session.get_inputs()}
    assert inputs == {
        "image": ("tensor(float)", [1, 3, 3]),
        "grey": ("tensor(uint8)", [4]),
        "words": ("tensor(int64)", [3]),
    }
    np.testing.assert_array_equal(session.run(None, FEEDS)[0], FEEDS["image"])
