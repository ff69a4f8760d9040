from __future__ import annotations

import contextlib
import gc
import io
import json
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import joblib
import numpy as np
import onnx
import pandas as pd
import pytest
import yaml
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from scipy import stats
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_info

from onnxpress.benchmark.candidates import shared
from onnxpress.benchmark.latency_lines import batch_line, crowding, instability, slowness
from onnxpress.benchmark.latency_statistics import (
    bootstrap_median_interval,
    ratio,
    speedups,
    summarise,
)
from onnxpress.benchmark.load_cost import load_cost
from onnxpress.benchmark.measure import Plan, measure, measure_batches
from onnxpress.benchmark.results import BatchResult
from onnxpress.benchmark.timed_calls import batch, floor_model, limited_threads, sessions
from onnxpress.errors import UserError
from onnxpress.runtime.sessions import open_session
from stages.benchmark import main
from tests.conftest import sign

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
OPSETS = {"": 12, "ai.onnx.ml": 3}
MODELS = {"original", "onnx", "quantized", "floor"}
RATIOS = {"onnx_speedup", "quantized_speedup", "quantized_vs_onnx_speedup"}


# --- the statistics, on values with known ratios -------------------------------------------------


def noisy(seed: int, rounds: int, loops: int = 1) -> NDArray[np.float64]:
    """Latencies around 1 ms with the long right tail of a busy machine."""
    return np.random.default_rng(seed).lognormal(0, 0.1, (rounds, loops))


def test_a_model_twice_as_slow_has_a_significant_ratio_around_two() -> None:
    found = ratio(2 * noisy(1, 400)[:, 0], noisy(2, 400)[:, 0])
    assert found.significant
    assert found.low < 2 < found.high
    assert found.median == pytest.approx(2, rel=0.05)


def test_the_interval_of_equally_fast_models_misses_one_in_five_percent_at_most() -> None:
    missed = sum(
        ratio(noisy(seed, 60)[:, 0], noisy(10_000 + seed, 60)[:, 0]).significant
        for seed in range(400)
    )
    assert missed <= stats.binom.ppf(0.999, 400, 0.05)


@pytest.mark.parametrize("n", [21, 50, 201])
def test_the_interval_is_the_one_that_resampling_finds(n: int) -> None:
    sample = noisy(n, n)[:, 0]
    resampled = stats.bootstrap(
        (sample,), np.median, method="percentile", n_resamples=9999, rng=0
    ).confidence_interval
    ordered = np.sort(sample)
    for ours, theirs in zip(bootstrap_median_interval(sample), resampled, strict=True):
        assert abs(np.searchsorted(ordered, ours) - np.searchsorted(ordered, theirs)) <= 1


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_interval_of_very_few_values_stays_within_them(n: int) -> None:
    sample = np.arange(1.0, n + 1)
    low, high = bootstrap_median_interval(sample)
    assert 1 <= low <= np.median(sample) <= high <= n


def test_five_rounds_are_too_few_to_call_anything_significant() -> None:
    assert not ratio(np.full(5, 9.0), np.ones(5)).significant
    assert ratio(np.full(6, 9.0), np.ones(6)).significant


def test_noise_that_hits_a_whole_round_leaves_the_ratio_alone() -> None:
    machine = np.random.default_rng(0).uniform(1, 10, 100)
    assert ratio(3 * machine, machine).low == pytest.approx(3)


def test_one_interrupted_call_in_a_round_does_not_move_the_ratio() -> None:
    calls = np.ones((20, 5))
    calls[:, 0] = 100.0
    assert (
        speedups({"original": calls, "onnx": np.ones((20, 5)), "quantized": np.ones((20, 5))})[
            "onnx_speedup"
        ].median
        == 1
    )


def test_percentiles_are_of_single_calls() -> None:
    found = summarise(np.arange(1.0, 101.0).reshape(10, 10))
    assert (found.p50_ms, found.p95_ms, found.p99_ms, found.mean_ms) == pytest.approx(
        (50.5, 95.05, 99.01, 50.5)
    )
    assert (found.rounds, found.loops, found.calls) == (10, 10, 100)
    assert found.percentiles_ms[25] == pytest.approx(25.75)
    per_round = np.arange(5.5, 100, 10)  # the medians of ten rounds
    resampled = stats.bootstrap(
        (per_round,), np.median, method="percentile", n_resamples=9999, rng=0
    ).confidence_interval
    assert (found.low_ms, found.high_ms) == pytest.approx(tuple(resampled), abs=10)


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


def test_a_difference_that_may_be_chance_is_called_not_significant_before_its_number() -> None:
    timed = {
        "original": 5 * noisy(1, 50),
        "onnx": noisy(2, 50),
        "quantized": noisy(2, 50),
        "floor": noisy(3, 50),
    }
    assert "not significant: 1.00x ONNX" in batch_line(BatchResult(30, timed))


# --- the measuring loop --------------------------------------------------------------------------


def matmuls(count: int) -> Callable[[], object]:
    """A call of an ONNX model of ``count`` products of 200 x 200 matrices in a row."""
    weight = numpy_helper.from_array(np.eye(200, dtype=np.float32) * np.float32(0.5), "W")
    nodes = [
        helper.make_node("MatMul", [f"v{step}", "W"], [f"v{step + 1}"]) for step in range(count)
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [200, 200])
        for name in ("v0", f"v{count}")
    ]
    graph = helper.make_graph(nodes, "matmuls", ends[:1], ends[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7)
    return partial(
        open_session(model.SerializeToString()).run, None, {"v0": np.ones((200, 200), np.float32)}
    )


def test_a_model_that_really_computes_more_is_found_significantly_slower() -> None:
    found = measure(
        {"onnx": matmuls(30), "quantized": matmuls(3), "original": matmuls(30)},
        Plan(50, 10),
        seed=0,
    )
    found_ratio = speedups(found)["quantized_vs_onnx_speedup"]
    assert found_ratio.significant
    assert found_ratio.low > 2


def test_a_quantised_model_that_is_really_slower_gets_a_ratio_below_one() -> None:
    found = measure(
        {"onnx": matmuls(3), "quantized": matmuls(30), "original": matmuls(30)},
        Plan(50, 10),
        seed=0,
    )
    found_ratio = speedups(found)["quantized_vs_onnx_speedup"]
    assert found_ratio.significant
    assert found_ratio.high < 0.5


def nothing() -> None:
    pass


def nap() -> None:
    time.sleep(0.002)


def record_and_nap(calls: list[T], call: T) -> None:
    calls.append(call)
    nap()


def test_every_model_is_timed_in_every_round_and_at_least_as_often_as_asked() -> None:
    found = measure({"slow": nap, "fast": nothing}, Plan(30, 10), seed=0)
    assert found["slow"].shape == (30, 1)
    assert len(found["fast"]) == 30


def test_a_fast_model_is_called_more_often_for_one_value() -> None:
    found = measure({"slow": nap, "fast": nothing}, Plan(5, 10), seed=0)
    assert found["fast"].shape[1] > 100


def test_warm_up_calls_are_no_values() -> None:
    made: list[None] = []
    found = measure({"slow": partial(record_and_nap, made, None)}, Plan(5, 10), seed=0)
    assert len(made) > found["slow"].size


def test_the_garbage_collector_rests_while_timing_and_works_afterwards() -> None:
    seen: set[bool] = set()
    measure({"model": lambda: seen.add(gc.isenabled())}, Plan(5, 10), seed=0)
    assert seen == {False}
    assert gc.isenabled()


def test_the_order_within_a_round_changes_from_round_to_round() -> None:
    order: list[str] = []
    measure(
        {name: partial(record_and_nap, order, name) for name in ("a", "b", "c")},
        Plan(20, 10),
        seed=0,
    )
    rounds = [tuple(order[start : start + 3]) for start in range(len(order) - 60, len(order), 3)]
    assert all(set(names) == {"a", "b", "c"} for names in rounds)
    assert len(set(rounds)) > 1


def test_the_time_limit_ends_the_rounds() -> None:
    found = measure({"slow": nap}, Plan(100_000, 0.2), seed=0)
    assert 1 <= len(found["slow"]) <= 100


def test_one_round_is_timed_even_when_the_time_is_over() -> None:
    assert measure({"slow": nap}, Plan(100, -1), seed=0)["slow"].shape == (1, 1)


def test_the_whole_sweep_keeps_the_time_limit() -> None:
    started = time.perf_counter()
    found = measure_batches(lambda _: {"slow": nap}, [30, 1, 32, 1024], Plan(100_000, 1.0), seed=0)
    assert all(len(timed["slow"]) >= 6 for timed in found.values())
    assert (
        sum(timed["slow"].sum() for timed in found.values()) <= 1000 + 4 * 10
    )  # ms; a round may overrun
    assert time.perf_counter() - started < 10


def test_a_default_batch_that_is_in_the_sweep_is_measured_once() -> None:
    measured: list[int] = []

    def calls_of(rows: int) -> dict[str, Callable[[], object]]:
        measured.append(rows)
        return {"slow": nap}

    found = measure_batches(calls_of, [32, 1, 32, 1], Plan(2, 1), seed=0)
    assert measured == [32, 1]
    assert set(found) == {32, 1}


# --- what is timed -------------------------------------------------------------------------------

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


# --- fresh processes -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the stage has everything it reads: a forest on iris, 30 test rows."""
    folder = tmp_path_factory.mktemp("forest")
    features, target = load_iris(return_X_y=True)
    rows = features.astype(np.float32)
    estimator = RandomForestClassifier(10, random_state=0).fit(rows, target)
    smaller = RandomForestClassifier(3, random_state=0).fit(rows, target)
    frame = pd.DataFrame(rows, columns=list("abcd")).assign(target=target)[::5]
    schema = {
        "task": "classification",
        "columns": [column(name) for name in "abcd"],
        "target": "target",
    }
    write(
        folder,
        estimator,
        [to_plain_onnx(estimator, rows[:1]), to_plain_onnx(smaller, rows[:1])],
        frame,
        schema,
    )
    return folder


def to_plain_onnx(estimator: Any, rows: Any, **options: Any) -> bytes:
    model = to_onnx(estimator, rows, target_opset=OPSETS, **options)
    return bytes(model.SerializeToString())


def column(name: str, kind: str = "number") -> dict[str, Any]:
    return {"name": name, "kind": kind, "missing": False}


def write(
    folder: Path,
    estimator: Any,
    models: list[bytes],
    test: pd.DataFrame,
    schema: dict[str, Any],
    **benchmark: Any,
) -> None:
    outputs = folder / "outputs"
    (outputs / "candidates").mkdir(parents=True)
    (outputs / "candidates" / "none.onnx").write_bytes(models[0])
    (outputs / "candidates" / "forest-refined-8x3.onnx").write_bytes(models[-1])
    joblib.dump(estimator, outputs / "model.joblib")
    sign(folder)
    (outputs / "model.onnx").write_bytes(models[0])
    (outputs / "model_quantized.onnx").write_bytes(models[-1])
    test.to_parquet(outputs / "test.parquet")
    (outputs / "schema.json").write_text(json.dumps({"target_std": None} | schema))
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["benchmark"] |= {
        "n_iterations": 20,
        "max_seconds": 2,
        "batch_sizes": [1, 30, 64],
    } | benchmark
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def test_a_fresh_process_tells_what_loading_costs(forest: Path) -> None:
    original, converted = (
        load_cost(forest / "outputs" / name) for name in ("model.joblib", "model.onnx")
    )
    for cost in (original, converted):
        assert set(cost) == {"import_ms", "load_ms", "peak_memory_mb"}
        assert min(cost.values()) > 0
    assert original["import_ms"] > original["load_ms"]
    assert original["peak_memory_mb"] > converted["peak_memory_mb"]


def test_the_memory_of_the_process_that_asks_is_not_counted(forest: Path) -> None:
    ballast = np.ones(50_000_000)
    assert load_cost(forest / "outputs" / "model.onnx")["peak_memory_mb"] < ballast.nbytes / 1024**2


def test_a_truncated_model_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\x08\x07broken")
    with pytest.raises(UserError, match=r"cannot load .*model\.onnx in a fresh process"):
        load_cost(tmp_path / "model.onnx")


# --- the stage -----------------------------------------------------------------------------------


def run(folder: Path) -> tuple[dict[str, Any], dict[str, Any], str]:
    """latency.json, latency_detail.json and what the stage said."""
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said):
        main()
    outputs = folder / "outputs"
    latency, detail = (
        json.loads((outputs / name).read_text()) for name in ("latency.json", "latency_detail.json")
    )
    return latency, detail, said.getvalue()


@pytest.fixture(scope="module")
def found(forest: Path) -> tuple[dict[str, Any], dict[str, Any], str]:
    return run(forest)


Found = tuple[dict[str, Any], dict[str, Any], str]


def test_latency_json_has_exactly_the_keys_of_the_contract_and_numbers_only(found: Found) -> None:
    latency = found[0]
    assert set(latency) == (
        {f"{name}_latency_ms" for name in MODELS}
        | RATIOS
        | {f"{name}_batch_{rows}" for name in RATIOS for rows in (1, 30, 64)}
    )
    assert {type(value) for value in latency.values()} <= {float, int}
    assert min(latency.values()) > 0


def test_the_detail_tells_percentiles_intervals_and_calls_of_every_batch(found: Found) -> None:
    detail = found[1]
    assert detail["default_batch_rows"] == 30
    assert set(detail["batches"]) == {"1", "30", "64"}
    for described in detail["batches"].values():
        assert set(described["models"]) == MODELS
        assert set(described["speedups"]) == RATIOS
        for summary in described["models"].values():
            assert summary["p50_ms"] <= summary["p95_ms"] <= summary["p99_ms"]
            assert summary["calls"] == summary["rounds"] * summary["loops"]
            assert summary["calls"] >= 20
        for interval in described["speedups"].values():
            assert interval["low"] <= interval["median"] <= interval["high"]
            assert interval["significant"] == (not interval["low"] <= 1 <= interval["high"])


def test_every_candidate_is_measured_with_the_plain_model_beside_it(found: Found) -> None:
    candidates = found[1]["candidates"]
    assert set(candidates) == {"none", "forest/refined-8x3"}
    for summary in candidates.values():
        assert summary["low_ms"] <= summary["high_ms"]
        rising = [
            summary["percentiles_ms"][percent]
            for percent in sorted(summary["percentiles_ms"], key=int)
        ]
        assert rising == sorted(rising)
        assert summary["percentiles_ms"]["50"] == summary["p50_ms"]
    assert {candidates["none"]["vs_onnx_speedup"][key] for key in ("low", "median", "high")} == {1}
    assert len({summary["rounds"] for summary in candidates.values()}) == 1


def test_models_and_candidates_share_the_time() -> None:
    models, candidates = shared(Plan(1000, 30))
    assert models.seconds + candidates.seconds == pytest.approx(30)
    assert (models.calls, candidates.calls < 100) == (1000, True)


def test_the_detail_tells_where_it_was_measured_and_what_loading_costs(found: Found) -> None:
    detail = found[1]
    assert {"cpu", "cores", "cpu_share", "threads", "libraries", "python"} <= set(
        detail["environment"]
    )
    assert {"numpy", "onnxruntime", "scikit-learn"} <= set(detail["environment"]["libraries"])
    assert set(detail["load"]) == MODELS - {"floor"}


def test_a_default_batch_equal_to_one_of_the_sweep_has_the_same_numbers(found: Found) -> None:
    latency = found[0]
    assert all(latency[name] == latency[f"{name}_batch_30"] for name in RATIOS)


def test_the_stage_tells_each_batch_in_a_line(found: Found) -> None:
    told = found[2].splitlines()
    assert [text.split(":")[0].strip() for text in told[:3]] == ["30 rows", "1 row", "64 rows"]
    assert all(name in told[0] for name in ("original", "ONNX", "quantised"))


def test_the_default_batch_is_capped_at_1024_rows(forest: Path, tmp_path: Path) -> None:
    copied = {
        name: (forest / "outputs" / name).read_bytes()
        for name in ("model.onnx", "model_quantized.onnx")
    }
    frame = pd.read_parquet(forest / "outputs" / "test.parquet")
    schema = json.loads((forest / "outputs" / "schema.json").read_text())
    estimator = joblib.load(forest / "outputs" / "model.joblib")
    many = pd.concat([frame] * 40)
    write(tmp_path, estimator, list(copied.values()), many, schema, n_iterations=1, batch_sizes=[1])
    assert run(tmp_path)[1]["default_batch_rows"] == 1024


def test_a_regressor_is_measured(tmp_path: Path) -> None:
    features, target = load_diabetes(return_X_y=True)
    rows = features.astype(np.float32)
    estimator = LinearRegression().fit(rows, target)
    names = [f"f{index}" for index in range(rows.shape[1])]
    frame = pd.DataFrame(rows, columns=names).assign(target=target)[:20]
    schema = {
        "task": "regression",
        "columns": [column(name) for name in names],
        "target": "target",
        "target_std": 77.0,
    }
    write(tmp_path, estimator, [to_plain_onnx(estimator, rows[:1])], frame, schema, batch_sizes=[1])
    assert run(tmp_path)[0]["original_latency_ms"] > 0


def test_a_pipeline_that_takes_a_column_each_is_measured(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"size": np.arange(12, dtype=np.float32), "colour": ["red", "green", "blue"] * 4}
    )
    encoder = ColumnTransformer(
        [("number", StandardScaler(), ["size"]), ("category", OneHotEncoder(), ["colour"])]
    )
    estimator = make_pipeline(encoder, LogisticRegression()).fit(frame, frame.index % 2)
    inputs = [("size", FloatTensorType([None, 1])), ("colour", StringTensorType([None, 1]))]
    model = to_plain_onnx(estimator, None, initial_types=inputs, options={"zipmap": False})
    schema = {
        "task": "classification",
        "columns": [column("size"), column("colour", "category")],
        "target": "odd",
    }
    write(tmp_path, estimator, [model], frame.assign(odd=frame.index % 2), schema, batch_sizes=[1])
    latency, detail, _ = run(tmp_path)
    assert latency["floor_latency_ms"] > 0
    assert detail["default_batch_rows"] == 12
