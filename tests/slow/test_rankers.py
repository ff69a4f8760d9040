"""Rankers through `dvc repro`, from a table of queries to MLflow and the serving package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnxruntime as ort
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.metrics import ndcg_score

from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.booster_estimator import BoosterRanker
from onnxpress.estimators.building import build
from onnxpress.estimators.fitting import fit
from onnxpress.graph.canonical import to_bytes
from onnxpress.pipeline.files import read_json
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.tables.rows import Rows
from tests.support import pages
from tests.support.project import QUICK, Project, clone
from tests.support.publish_fixtures import LIBRARY_WARNINGS
from tests.support.ranking import queries, rows_of

pytestmark = LIBRARY_WARNINGS

FITS: dict[str, dict[str, Any]] = {
    "catboost": {
        "train__estimator": "catboost.CatBoostRanker",
        "train__params": {"iterations": 30, "depth": 4},
    },
    "lightgbm": {
        "train__estimator": "lightgbm.LGBMRanker",
        "train__params": {"n_estimators": 30, "min_child_samples": 5},
    },
    "xgboost": {
        "train__estimator": "xgboost.XGBRanker",
        "train__params": {"n_estimators": 30, "max_depth": 4},
    },
}
(EXAMPLE,) = [block for block in pages.other_blocks(pages.PAGES) if "--name ranking" in block]
GIVEN = {
    "catboost": "model.cbm",
    "lightgbm": "model.txt",
    "xgboost": "model.ubj",
    "onnx": "model.onnx",
}
PARAMS: dict[str, Any] = {
    **QUICK,
    "data__source": "data/queries.csv",
    "data__target": "relevance",
    "data__group": "query",
    "data__task": "regression",
    "evaluate__also": ["ndcg_at_3"],
    "gate__max_drop": {"score": 0.2, "ndcg_at_3": 0.2},
}


def mean_ndcg(rows: Rows, values: NDArray[Any], depth: int | None) -> float:
    """scikit-learn's score of each query with a relevant row, their mean."""
    assert rows.groups is not None
    found = []
    for group in np.unique(rows.groups):
        own = rows.groups == group
        if own.sum() > 1 and rows.target[own].any():
            found.append(ndcg_score([rows.target[own]], [values[own]], k=depth))
    return float(np.mean(found))


def predicted(path: Path, rows: Rows) -> NDArray[Any]:
    """What a fresh session of onnxruntime predicts, (rows,)."""
    feeds = {
        name: each.astype(object) if each.dtype.kind == "U" else each
        for name, each in rows.feeds.items()
    }
    (found,) = ort.InferenceSession(str(path)).run(None, feeds)
    return np.asarray(found, np.float64).reshape(-1)


@pytest.fixture(scope="module", params=FITS)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A clone whose chain has run on a ranker of a library: for LightGBM, by the page's example."""
    folder = tmp_path_factory.mktemp(request.param) / "project"
    made = clone(folder, **PARAMS | FITS[request.param])
    if request.param == "lightgbm":
        made.run("bash", "-euc", EXAMPLE)
        made.run("dvc", "exp", "apply", "ranking")
    else:
        queries(150).to_csv(folder / "data" / "queries.csv", index=False)
        made.run("dvc", "repro", "-q")
    return made


def test_the_scores_are_scikit_learns_of_the_boosters_own_predictions(project: Project) -> None:
    outputs = project.folder / "outputs"
    schema = read_schema(outputs / "schema.json")
    test = read_rows(outputs / "test.parquet", schema)
    metrics = read_json(outputs / "metrics.json")
    assert read_json(outputs / "metrics_detail.json")["score"]["name"] == "ndcg"
    frame = pd.read_parquet(outputs / "test.parquet")[[each.name for each in schema.columns]]
    own = joblib.load(outputs / "model.joblib").predict(frame)
    values = {
        "original": own,
        "onnx": predicted(outputs / "model.onnx", test),
        "quantized": predicted(outputs / "model_quantized.onnx", test),
    }
    for model, found in values.items():
        assert metrics[f"{model}_ndcg"] == pytest.approx(mean_ndcg(test, found, None), abs=1e-5)
        assert metrics[f"{model}_ndcg_at_3"] == pytest.approx(mean_ndcg(test, found, 3), abs=1e-5)
    assert np.abs(values["onnx"] - own).max() < 1e-5
    assert metrics["original_ndcg"] > 0.85
    assert metrics["quantized_score_drop"] == metrics["quantized_ndcg_drop"] < 0.2
    assert "quantized_ndcg_at_3_drop_se" in metrics


def test_no_query_is_in_two_parts(project: Project) -> None:
    outputs = project.folder / "outputs"
    schema = read_schema(outputs / "schema.json")
    parts = [
        set(read_rows(outputs / f"{name}.parquet", schema).groups.tolist())  # type: ignore[union-attr] # the schema has a group
        for name in ("train", "calibration", "test")
    ]
    assert len(set.union(*parts)) == sum(map(len, parts)) >= 150
    assert "query" not in [column.name for column in schema.columns]


def test_it_is_published_reported_and_packaged(project: Project) -> None:
    outputs = project.folder / "outputs"
    assert project.mlflow_runs() == 1
    assert list((outputs / "serving").rglob("*.onnx"))
    gates = read_json(outputs / "gate.json")
    assert gates["max_drop.ndcg_at_3"]["passed"]
    project.run("python", "-m", "onnxpress", "report", "--html")
    page = (outputs / "report.html").read_text(encoding="utf-8")
    assert "ndcg" in page
    assert "ndcg_at_3" in page


@pytest.mark.parametrize("kind", GIVEN)
def test_a_given_ranker_is_scored_by_queries(kind: str, tmp_path: Path) -> None:
    """What follows evaluate does not know where a ranker came from: the tests above run that."""
    folder, given = tmp_path / "project", f"models/{GIVEN[kind]}"
    score = {"evaluate__score": "ndcg"} if kind == "onnx" else {}
    keys = {
        "train__model_path": given,
        "data__calibration_size": 0.2,
        "quantize__level": "lossless",
    }
    made = clone(folder, **PARAMS | keys | score)
    table = queries(150, categories=False)
    table.to_csv(folder / "data" / "queries.csv", index=False)
    (folder / given).write_bytes(saved_ranker(kind, table))
    said = made.run("dvc", "repro", "evaluate").stdout
    assert "worse than a constant" not in said
    outputs = folder / "outputs"
    metrics = read_json(outputs / "metrics.json")
    assert read_json(outputs / "metrics_detail.json")["score"]["name"] == "ndcg"
    schema = read_schema(outputs / "schema.json")
    test = read_rows(outputs / "test.parquet", schema)
    for model in ("onnx", "quantized"):
        name = "model.onnx" if model == "onnx" else "model_quantized.onnx"
        found = mean_ndcg(test, predicted(outputs / name, test), None)
        assert metrics[f"{model}_ndcg"] == pytest.approx(found, abs=1e-5)
    assert metrics["original_ndcg"] == pytest.approx(metrics["onnx_ndcg"], abs=1e-5)
    assert metrics["onnx_within_tolerance"] == 1


def saved_ranker(kind: str, table: pd.DataFrame) -> bytes:
    """The file of a ranker that was fitted to the table: the library's own, or ONNX."""
    rows, schema = rows_of(table)
    fits = FITS["lightgbm" if kind == "onnx" else kind]
    ranker = build(fits["train__estimator"], fits["train__params"], schema, seed=0)
    fit(ranker, rows)
    assert isinstance(ranker, BoosterRanker)
    return to_bytes(to_onnx(ranker, schema, 12)) if kind == "onnx" else ranker.model


def test_a_score_of_groups_without_groups_stops_the_first_stage(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    made = clone(folder, **PARAMS | FITS["lightgbm"] | {"data__group": None})
    queries(30).to_csv(folder / "data" / "queries.csv", index=False)
    done = made.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert (
        "params.yaml: evaluate.also has 'ndcg_at_3', which compares rows of one group; name the "
        "column that says which rows belong together in data.group"
    ) in done.stdout + done.stderr
    made.change(evaluate__also=[], gate__max_drop={"score": 0.2})
    done = made.run("dvc", "repro", check=False)
    assert "lightgbm.LGBMRanker learns from groups of rows" in done.stdout + done.stderr
    assert "(data.group)" in done.stdout + done.stderr
