"""The stage measures latencies and load costs, and writes them under the keys of the contract."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import yaml
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from onnxpress.benchmark.candidates import shared
from onnxpress.benchmark.load_cost import load_cost
from onnxpress.benchmark.measure import Plan
from onnxpress.errors import UserError
from stages.benchmark import main
from tests.conftest import sign

ROOT = Path(__file__).parents[2]


OPSETS = {"": 12, "ai.onnx.ml": 3}


MODELS = {"original", "onnx", "quantized", "floor"}


RATIOS = {"onnx_speedup", "quantized_speedup", "quantized_vs_onnx_speedup"}


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


def test_a_fresh_process_measures_what_loading_costs(forest: Path) -> None:
    original, converted = (
        load_cost(forest / "outputs" / name) for name in ("model.joblib", "model.onnx")
    )
    for cost in (original, converted):
        assert set(cost) == {"import_ms", "load_ms", "peak_memory_mb"}
        assert min(cost.values()) > 0
    assert original["import_ms"] > original["load_ms"]
    assert original["peak_memory_mb"] > converted["peak_memory_mb"]


def test_the_memory_of_the_parent_process_is_not_counted(forest: Path) -> None:
    ballast = np.ones(50_000_000)
    assert load_cost(forest / "outputs" / "model.onnx")["peak_memory_mb"] < ballast.nbytes / 1024**2


def test_a_truncated_model_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\x08\x07broken")
    with pytest.raises(UserError, match=r"cannot load .*model\.onnx in a fresh process"):
        load_cost(tmp_path / "model.onnx")


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


def test_the_detail_has_percentiles_intervals_and_calls_of_every_batch(found: Found) -> None:
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


def test_the_detail_has_where_it_was_measured_and_what_loading_costs(found: Found) -> None:
    detail = found[1]
    assert {
        "cpu",
        "int8_instructions",
        "cores",
        "cpu_share",
        "threads",
        "libraries",
        "python",
    } <= set(detail["environment"])
    assert {"numpy", "onnxruntime", "scikit-learn"} <= set(detail["environment"]["libraries"])
    assert set(detail["load"]) == MODELS - {"floor"}


def test_a_default_batch_equal_to_one_of_the_sweep_has_the_same_numbers(found: Found) -> None:
    latency = found[0]
    assert all(latency[name] == latency[f"{name}_batch_30"] for name in RATIOS)


def test_the_stage_says_each_batch_in_a_line(found: Found) -> None:
    lines = found[2].splitlines()
    assert [text.split(":")[0].strip() for text in lines[:3]] == ["30 rows", "1 row", "64 rows"]
    assert all(name in lines[0] for name in ("original", "ONNX", "quantised"))


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
