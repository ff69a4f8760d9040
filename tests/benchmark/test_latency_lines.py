"""A measurement that is doubtful, slow or not significant is called so, with the number."""

from __future__ import annotations

import re

import numpy as np

from onnxpress.benchmark.latency_lines import (
    batch_line,
    crowding,
    instability,
    lost_speed,
    slowness,
)
from onnxpress.benchmark.results import BatchResult
from tests.support.latencies import noisy

MODELS = {"original", "onnx", "quantized", "floor"}


def test_a_measurement_that_varies_between_rounds_is_warned_about_with_the_number() -> None:
    shaky = np.array([[0.7], [1.0], [1.3]] * 4)
    quiet = {name: np.ones((12, 1)) for name in MODELS}
    all_quiet = {rows: BatchResult(rows, quiet) for rows in (1, 32)}
    assert instability(all_quiet, "try again") is None
    one_shaky = all_quiet | {1: BatchResult(1, quiet | {"onnx": shaky})}
    warning = instability(one_shaky, "try again")
    assert warning is not None
    assert "1 of 8 latencies" in warning
    assert "ONNX at 1 row: 30 %" in warning


def test_a_machine_that_was_busy_with_other_programs_is_warned_about_with_the_number() -> None:
    assert crowding(0.98, "try again") is None
    assert crowding(2.0, "try again") is None  # several threads
    warning = crowding(0.42, "try again")
    assert warning is not None
    assert "42 % of a core" in warning
    assert warning.endswith("close other programs and try again")


def test_an_onnx_model_slower_than_the_original_is_named_with_batch_size_and_ratio() -> None:
    quick = {
        "original": noisy(1, 50),
        "onnx": noisy(2, 50) / 9,
        "quantized": noisy(3, 50) / 9,
        "floor": noisy(4, 50) / 99,
    }
    assert slowness({1: BatchResult(1, quick)}) is None
    slow = BatchResult(1024, quick | {"onnx": 4 * noisy(2, 50)})
    line = slowness({1: BatchResult(1, quick), 1024: slow})
    assert line is not None
    assert re.search(r"slower than the original: the ONNX model at 1,024 rows \(0\.2\dx\)", line)


def test_a_quantised_model_slower_than_the_onnx_model_is_named_with_each_batch_size() -> None:
    quick = {
        "original": noisy(1, 50),
        "onnx": noisy(2, 50) / 9,
        "quantized": noisy(3, 50) / 18,
        "floor": noisy(4, 50) / 99,
    }
    assert lost_speed({1: BatchResult(1, quick)}) is None
    slow = quick | {"quantized": noisy(3, 50) / 3}
    line = lost_speed(
        {1: BatchResult(1, slow), 32: BatchResult(32, quick), 64: BatchResult(64, slow)}
    )
    assert line is not None
    assert re.search(r"ONNX model: at 1 row \(0\.3\dx\), at 64 rows \(0\.3\dx\); the gate", line)


def test_a_difference_that_may_be_chance_is_called_not_significant_before_its_number() -> None:
    timed = {
        "original": 5 * noisy(1, 50),
        "onnx": noisy(2, 50),
        "quantized": noisy(2, 50),
        "floor": noisy(3, 50),
    }
    assert "not significant: 1.00x ONNX" in batch_line(BatchResult(30, timed))
