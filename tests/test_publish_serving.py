"""`mlflow models serve`, as a process of its own, answers raw rows with a published model."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import requests

from stages.common.files import read_json, write_bytes, write_json
from stages.common.onnx_model import to_bytes
from stages.common.params import parse_params
from stages.common.table import read_rows, sklearn_input
from stages.convert.conversion import to_onnx
from stages.prepare.frames import settle, write_parquet
from stages.train.estimator import build
from tests.conftest import ROOT, default_params
from tests.publish_fixtures import LIBRARY_WARNINGS, fit, make_repository, mixed_rows, numeric_rows, publish_in_process
from tests.servers import free_port, started

pytestmark = LIBRARY_WARNINGS
PENGUINS = pd.read_csv(ROOT / "data" / "penguins.csv")


@contextmanager
def served(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Publish from ``folder`` to its embedded store and serve the model of the run; where it takes rows."""
    publish_in_process(folder, monkeypatch)
    model, port = f"runs:/{read_json(folder / 'outputs/mlflow_run.json')['run_id']}/model", free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", model, "--env-manager", "local", "-p", str(port)]
    address = f"http://127.0.0.1:{port}"
    with started(command, folder, f"{address}/ping", {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}):
        yield f"{address}/invocations"


def answer(address: str, **request: Any) -> dict[str, Any]:
    """What the server says of rows."""
    came = requests.post(address, json=request, timeout=60)
    assert came.status_code == 200, came.text
    return dict(came.json()["predictions"])


def penguin_repository(folder: Path) -> tuple[Any, pd.DataFrame]:
    """Make ``folder`` ready to publish a forest of the penguins, which have categories and gaps; the forest and its rows."""
    make_repository(folder, mixed_rows())
    frame, schema = settle(PENGUINS, "species", "auto")
    write_parquet(folder / "outputs/test.parquet", frame)
    write_json(folder / "outputs/schema.json", schema.to_json())
    rows = read_rows(folder / "outputs/test.parquet", schema)
    estimator = build(parse_params(default_params(train__params={"n_estimators": 10})).train, schema, 0)
    estimator.fit(sklearn_input(rows.feeds), rows.target)
    joblib.dump(estimator, folder / "outputs/model.joblib")
    for name in ("model.onnx", "model_quantized.onnx"):
        write_bytes(folder / "outputs" / name, to_bytes(to_onnx(estimator, schema, 12)))
    return estimator, sklearn_input(rows.feeds)


def test_rows_of_numbers_and_categories_with_gaps_are_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    estimator, rows = penguin_repository(tmp_path)
    raw = PENGUINS.drop(columns="species").fillna({"island": "", "sex": ""})  # null would be taken for the text "None"
    assert raw.isna().any(axis=None)
    records = json.loads(raw.to_json(orient="split", index=False))
    with served(tmp_path, monkeypatch) as address:
        for request in ({"dataframe_split": records}, {"dataframe_records": json.loads(raw.to_json(orient="records"))}):
            said = answer(address, **request)
            assert said["label"] == estimator.predict(rows).tolist()
            assert np.allclose(said["probabilities"], estimator.predict_proba(rows), atol=1e-6)


def test_rows_of_numbers_are_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = numeric_rows()
    with served(make_repository(tmp_path, rows), monkeypatch) as address:
        requests_of_rows = (
            {"inputs": rows.to_numpy().tolist()},
            {"dataframe_split": json.loads(rows.to_json(orient="split", index=False, double_precision=15))},
        )
        for request in requests_of_rows:
            assert answer(address, **request)["label"] == fit(rows)[0].predict(rows.to_numpy()).tolist()
