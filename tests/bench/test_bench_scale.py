"""How the bench of growth fits exponents and schedules, and the results that are committed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.scale import scale_picture, scale_report
from bench.scale.axes import AXES, STEPS, TIMED
from bench.scale.generated import write_rows
from bench.scale.growth import exponent
from bench.scale.running import project, run
from bench.scale.scheduling import makespan
from bench.scale.workers import on, simulated, taken
from onnxpress.engine.starting import local_cluster
from onnxpress.pipeline.files import write_bytes, write_json
from onnxpress.pipeline.outputs import QUANTIZED_MODEL, SCHEMA
from tests.conftest import ROOT
from tests.support.drift_models import model

TIMES = (3, 2, 2, 2, 4, 4, 4, 4, 9)
AFTER = {8: [0], 4: [3], 5: [3], 6: [3], 7: [3]}
"""The example of Graham (1969): T1 before T9, and T4 before T5 to T8."""


@pytest.mark.parametrize(
    ("times", "workers", "before", "expected"),
    [
        (TIMES, 3, AFTER, 12),
        (TIMES, 4, AFTER, 15),
        ([each - 1 for each in TIMES], 3, AFTER, 13),
        (TIMES, 3, {8: [0], 6: [3], 7: [3]}, 16),
    ],
)
def test_list_scheduling_has_grahams_anomalies(
    times: Sequence[float], workers: int, before: Mapping[int, Sequence[int]], expected: float
) -> None:
    assert makespan(times, workers, before) == expected


def test_list_scheduling_takes_the_order_of_the_list() -> None:
    order = (0, 1, 3, 4, 5, 2, 8, 6, 7)  # T1 T2 T4 T5 T6 T3 T9 T7 T8
    before = {
        order.index(task): [order.index(other) for other in others]
        for task, others in AFTER.items()
    }
    assert makespan([TIMES[task] for task in order], 3, before) == 14


def test_tasks_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="wait for each other"):
        makespan([1, 1, 1], 2, {1: [2], 2: [1]})


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_is_that_of_what_is_above_the_start(power: float) -> None:
    sizes = [0, 10, 100, 1000, 10**4]
    found = exponent(sizes, [3 + 2 * size**power for size in sizes])
    assert found
    assert found.value == pytest.approx(power)
    assert found.error == pytest.approx(0, abs=1e-6)


def test_a_linear_cost_has_the_exponent_one_whatever_the_smallest_size() -> None:
    sizes = [5000, 10**4, 10**5]
    found = exponent(sizes, [1 + size / 1000 for size in sizes])
    assert found
    assert found.value == pytest.approx(1)


def test_the_error_is_the_standard_error_of_a_slope() -> None:
    # of ln y = ln x + (0.1, -0.2, 0.1), by the textbook: s / sqrt(Sxx), s^2 = 0.06 / 1
    x = np.exp([1.0, 2.0, 3.0])
    found = exponent([0, *x], [0, *(x * np.exp(np.array([0.1, -0.2, 0.1])))])
    assert found
    assert found.value == pytest.approx(1)
    assert found.error == pytest.approx((0.06 / 2) ** 0.5)


def test_a_cost_that_hardly_grows_has_no_exponent() -> None:
    assert exponent([10, 100, 1000], [5.0, 5.1, 4.9]) is None


def test_generated_rows_are_of_the_number_and_do_not_repeat(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows", 2**20 + 7, 3)
    files = sorted((tmp_path / "rows").glob("*.parquet"))
    assert len(files) == 2
    found = pd.concat([pd.read_parquet(path) for path in files])
    assert found.shape == (2**20 + 7, 4)
    assert not found.duplicated().any()
    assert set(found["target"]) == {0, 1}


def test_the_peak_is_that_of_the_process_and_not_of_the_one_that_made_it(tmp_path: Path) -> None:
    held = bytearray(os.urandom(300 * 2**20))
    (tmp_path / "small.py").write_text("import time\nwhile time.process_time() < 0.2: pass\n")
    cost = run(tmp_path, ["small"])
    assert len(held) > 2**28
    assert cost.peak_mb < 100
    assert 0.2 <= cost.cpu_s < 1


def test_the_times_of_tasks_on_a_worker_are_measured(tmp_path: Path) -> None:
    made = model("numbers/LogisticRegression")
    settings = {"data.source": "data/rows", "data.target": "target"}
    project(tmp_path, settings)
    write_bytes(tmp_path / QUANTIZED_MODEL, made.onnx)
    write_json(tmp_path / SCHEMA, made.schema.to_json())
    (tmp_path / "data" / "rows").mkdir(parents=True)
    for number in range(3):
        made.frame.to_parquet(tmp_path / "data" / "rows" / f"{number}.parquet")
    with local_cluster(1) as cluster:
        took = on(cluster, tmp_path, "score", settings)
    assert 3 <= len(took.times) <= 5  # a piece of each file, and what is shared
    assert 0 < sum(took.times) <= took.trials_s < took.seconds
    found = simulated(took.seconds, took.times)["simulated_s"]
    assert found["1"] == pytest.approx(took.seconds)
    assert found["100"] == pytest.approx(took.seconds - sum(took.times) + max(took.times))
    assert taken(tmp_path, ["scored"]) != taken(tmp_path, ["scored"])  # it was removed


def test_the_committed_page_and_picture_are_of_the_committed_run() -> None:
    results = ROOT / "bench" / "results"
    content = json.loads((results / "scale.json").read_text(encoding="utf-8"))
    assert scale_report.page(content) == (results / "scale.md").read_text(encoding="utf-8")
    assert scale_picture.picture(content["records"]) == (results / "scale.png").read_bytes()
    steps = {step for step in STEPS if step not in TIMED}
    for axis in AXES:
        assert {each["step"] for each in content["records"] if each["axis"] == axis.name} == steps
    assert all(each["identical"] for each in content["workers"])
