"""Two targets through `dvc repro`, from a file to MLflow and a real Triton."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score, root_mean_squared_error

from onnxpress.pipeline.files import read_json
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.tracking.logged_model import MODEL
from tests.support import several_targets
from tests.support.packaged import Packaged, served
from tests.support.project import Project, clone
from tests.support.publish_fixtures import LIBRARY_WARNINGS

pytestmark = LIBRARY_WARNINGS

NAMES = ["price, eur", "area"]


def write_table(path: Path) -> None:
    x, y = several_targets.rows(400)
    frame = pd.DataFrame(x, columns=[f"x{place}" for place in range(5)])
    frame["district"] = np.where(x[:, 4] > 0, "north", "south")
    frame[NAMES] = y + 3 * (frame[["district"]] == "north").to_numpy()
    frame.loc[7, "area"] = np.nan
    frame.to_csv(path, index=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A clone whose chain has run on two targets."""
    folder = tmp_path_factory.mktemp("several") / "project"
    params = {"data__source": "data/two.csv", "data__target": NAMES}
    made = clone(folder, **params, train__estimator="RandomForestRegressor")
    write_table(folder / "data" / "two.csv")
    made.run("dvc", "repro", "-q")
    return made


def test_the_chain_runs_on_two_targets(project: Project) -> None:
    outputs = project.folder / "outputs"
    metrics, detail = (
        read_json(outputs / f"{name}.json") for name in ("metrics", "metrics_detail")
    )
    told = pd.read_csv(outputs / "predictions.csv")
    truth = told[[f"target.{name}" for name in NAMES]]
    for model in ("original", "onnx", "quantized"):
        found = told[[f"{model}.{name}" for name in NAMES]]
        assert metrics[f"{model}_r2"] == pytest.approx(r2_score(truth, found), abs=1e-5)
        error = root_mean_squared_error(truth, found)
        assert metrics[f"{model}_rmse"] == pytest.approx(error, rel=1e-5)
    assert [entry["target"] for entry in detail["targets"]] == NAMES
    config = outputs / "serving/repository/model/config.pbtxt"
    assert "dims: [ 2 ]" in config.read_text(encoding="utf-8")
    profile = read_json(outputs / "serving/drift_profile.json")
    entries = [entry["name"] for entry in profile["predictions"]]
    assert entries == [f"prediction {name}" for name in NAMES]
    project.run("python", "-m", "onnxpress", "report", "--html")
    page = (outputs / "report.html").read_text(encoding="utf-8")
    assert "r2 of price, eur" in page
    assert "true price, eur, area" in page


def test_two_targets_are_published_and_served(project: Project) -> None:
    outputs = project.folder / "outputs"
    schema = read_schema(outputs / "schema.json")
    packaged = Packaged(project.folder, read_rows(outputs / "test.parquet", schema), schema)
    expected = packaged.predict(packaged.rows.feeds)["prediction"]
    assert expected.shape == (len(packaged.rows), 2)
    mlflow.set_tracking_uri(f"sqlite:///{project.folder / 'mlflow.db'}")
    run = read_json(outputs / "mlflow_run.json")["run_id"]
    rows = pd.read_parquet(outputs / "test.parquet").drop(columns=NAMES)
    answered = mlflow.pyfunc.load_model(f"runs:/{run}/{MODEL}").predict(rows)
    np.testing.assert_array_equal(answered["prediction"], expected)
    with served(packaged) as server:
        server.answers(0, 5)
        done = project.run("python", "-m", "onnxpress", "verify-endpoint", server.address, "--json")
    verified = json.loads(done.stdout)
    assert verified["passed"]
    assert verified["agreement"] == {"test": 1.0, "probe": 1.0}
