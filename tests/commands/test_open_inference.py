"""Requests and responses of the Open Inference Protocol, and how answers are compared."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest

from onnxpress.commands.open_inference import binary_request, infer_request, outputs_of
from onnxpress.commands.verify_endpoint.comparing import compare, in_batches, latency
from onnxpress.commands.verify_endpoint.endpoint import Answer
from onnxpress.runtime.predictions import Predictions
from onnxpress.tables.rows import Feeds

FEEDS: Feeds = {
    "size": np.array([[0.1], [np.nan]], np.float32),
    "place": np.array([["제주"], [""]], object),
}


def test_numbers_keep_every_bit_in_json() -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, 10_000, np.uint32)
    any_number = bits.view(np.float32)
    values = np.append(any_number[~np.isnan(any_number)], np.float32(np.nan))
    sent = json.loads(json.dumps(infer_request({"X": values.reshape(-1, 1)})))["inputs"][0]
    came = np.array(sent["data"]).astype(np.float32)
    assert np.array_equal(came, values, equal_nan=True)
    assert (sent["name"], sent["shape"], sent["datatype"]) == ("X", [len(values), 1], "FP32")


def test_text_is_sent_as_bytes() -> None:
    size, place = infer_request(FEEDS)["inputs"]
    assert (size["datatype"], place["datatype"]) == ("FP32", "BYTES")
    assert place["data"] == ["제주", ""]


def test_a_binary_request_is_a_header_and_the_bytes_of_each_input() -> None:
    body, length = binary_request(FEEDS)
    size, place = json.loads(body[:length])["inputs"]
    assert (size["parameters"], size["shape"]) == ({"binary_data_size": 8}, [2, 1])
    data = body[length:]
    assert data[:8] == struct.pack("<2f", 0.1, np.nan)
    text = "제주".encode()
    assert data[8:] == struct.pack("<I", 6) + text + struct.pack("<I", 0)
    assert place["parameters"] == {"binary_data_size": 14}


def test_outputs_are_read_by_type_and_null_is_nan() -> None:
    answer = {
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [2, 1], "data": ["a", "b"]},
            {"name": "n", "datatype": "INT64", "shape": [1], "data": [2**53 + 1]},
            {"name": "p", "datatype": "FP32", "shape": [1, 2], "data": [None, 1]},
        ]
    }
    found = outputs_of(answer)
    assert found["label"].tolist() == [["a"], ["b"]]
    assert found["n"].tolist() == [2**53 + 1]
    assert np.array_equal(found["p"], [[np.nan, 1.0]], equal_nan=True)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"outputs": None},
        {"outputs": [{"name": "a"}]},
        {"outputs": [{"name": "a", "datatype": "INT64", "shape": [3], "data": [1]}]},
    ],
)
def test_what_is_no_response_is_refused(answer: Any) -> None:
    with pytest.raises(ValueError, match="not a response of the protocol"):
        outputs_of(answer)


def classifier(labels: list[int], scores: list[list[float]]) -> Predictions:
    return Predictions(np.array(labels), np.array(scores))


HERE = classifier([0, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]])
ROWS: Feeds = {"X": np.zeros((3, 2), np.float32)}


def answering(predictions: Predictions) -> Any:
    """An endpoint with these predictions for the rows of ROWS, in their order."""
    sent = [0]

    def infer(feeds: Feeds) -> Answer:
        start = sent[0]
        sent[0] += len(feeds["X"])
        return Answer(predictions.take(np.arange(start, sent[0])), 1.0)

    return infer


@pytest.mark.parametrize(
    ("there", "differing"),
    [
        (HERE, []),
        (classifier([0, 1, 1], [[0.9 + 1e-7, 0.1], [0.4, 0.6], [0.5, 0.5]]), []),
        (classifier([0, 1, 0], [[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]]), [2]),
        (classifier([0, 1, 1], [[0.9, 0.1], [0.41, 0.59], [0.5, 0.5]]), [1]),
        (classifier([0, 1, 1], [[np.nan, 0.1], [0.4, 0.6], [0.5, 0.5]]), [0]),
        (classifier([0, 1, 1], [[0.9], [0.4], [0.5]]), [0, 1, 2]),
    ],
)
def test_a_row_differs_by_label_or_by_more_than_rounding(
    there: Predictions, differing: list[int]
) -> None:
    found = compare(answering(there), lambda _feeds: HERE, "test", ROWS, 2)
    assert np.flatnonzero(found.differing).tolist() == differing
    assert found.agreement == pytest.approx(1 - len(differing) / 3)
    assert len(found.milliseconds) == 2


def test_numbers_to_predict_are_compared_too() -> None:
    here = Predictions(np.array([1.0, 1000.0, np.nan]), None)
    there = Predictions(np.array([1.0, 1000.5, np.nan]), None)
    found = compare(answering(there), lambda _feeds: here, "test", ROWS, 3)
    assert found.differing.tolist() == [False, True, False]
    assert found.largest == pytest.approx(0.0005)


def test_batches_hold_every_row_once() -> None:
    feeds = {"X": np.arange(7).reshape(-1, 1)}
    parts = [part["X"].ravel().tolist() for part in in_batches(feeds, 3)]
    assert parts == [[0, 1, 2], [3, 4, 5], [6]]


def test_latency_leaves_the_first_requests_out() -> None:
    times = iter([1000.0] * 5 + [float(each) for each in range(1, 101)])
    rows: Feeds = {"X": np.zeros((3, 1), np.float32)}
    sizes = []

    def infer(feeds: Feeds) -> Answer:
        sizes.append(len(feeds["X"]))
        return Answer(HERE, next(times))

    found = latency(infer, rows, 4, 100)
    assert found == {"p50": 50.5, "p95": 95.05, "p99": 99.01}
    assert set(sizes) == {4}
