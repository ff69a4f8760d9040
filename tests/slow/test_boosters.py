"""Boosters through the whole chain, on a table with categories and missing values."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import catboost
import joblib
import numpy as np
import onnxruntime as ort
import pandas as pd
import pytest

from onnxpress.pipeline.inputs import read_schema
from tests.boosters.compared import feeds_of
from tests.conftest import ROOT, default_params, write_params
from tests.support.programs import program
from tests.support.project import CHAIN, QUICK

PENGUINS = pd.read_csv(ROOT / "data" / "penguins.csv")
TRAIN: dict[str, dict[str, Any]] = {
    "catboost": {
        "train__model_path": "models/mine.cbm",
        "data__calibration_size": 0.2,
        "quantize__level": "lossless",
    },
    "lightgbm": {
        "train__estimator": "lightgbm.LGBMClassifier",
        "train__params": {"n_estimators": 20, "min_data_per_group": 5},
    },
    "xgboost": {
        "train__estimator": "xgboost.XGBClassifier",
        "train__params": {"n_estimators": 20, "max_cat_to_onehot": 1},
    },
}
"""Keys of params.yaml by library."""


def penguins() -> pd.DataFrame:
    """The features of all rows, numbers float32 and missing texts empty."""
    frame = PENGUINS.drop(columns="species")
    texts = ["island", "sex"]
    frame[texts] = frame[texts].fillna("").astype(object)
    return frame.astype({name: np.float32 for name in frame if name not in texts})


def save_catboost(path: Path) -> None:
    """Fit a model on all rows, and save it as its user would."""
    fitted = catboost.CatBoostClassifier(
        iterations=30, verbose=False, allow_writing_files=False, thread_count=1, random_seed=0
    )
    fitted.fit(penguins(), PENGUINS["species"], cat_features=["island", "sex"])
    path.parent.mkdir(exist_ok=True)
    fitted.save_model(str(path))


@pytest.mark.filterwarnings("ignore")  # MLflow's and its libraries'
@pytest.mark.parametrize("library", TRAIN)
def test_a_booster_goes_from_the_table_to_mlflow_and_the_serving_package(
    library: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "data").mkdir(exist_ok=True)
    (workspace / "data" / "penguins.csv").write_bytes((ROOT / "data/penguins.csv").read_bytes())
    if library == "catboost":
        save_catboost(workspace / "models" / "mine.cbm")
    keys = {
        **QUICK,
        "data__source": "data/penguins.csv",
        "data__target": "species",
        **TRAIN[library],
    }
    write_params(workspace, default_params(**keys))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for stage in CHAIN:
        import_module(program(stage)).main()

    outputs = workspace / "outputs"
    metrics = json.loads((outputs / "metrics.json").read_text())
    assert metrics["onnx_agreement"] == metrics["onnx_probe_agreement"] == 1
    assert (outputs / "model_quantized.onnx").stat().st_size < (
        outputs / "model.onnx"
    ).stat().st_size
    assert json.loads((outputs / "mlflow_run.json").read_text())
    assert list((outputs / "serving").rglob("*.onnx"))

    features = penguins()
    model = joblib.load(outputs / "model.joblib")
    feeds = feeds_of(features, read_schema())
    session = ort.InferenceSession(str(outputs / "model.onnx"))
    label, probabilities = session.run(None, feeds)
    expected = model.predict_proba(features)
    assert np.abs(probabilities - expected).max() < 1e-6
    assert label.tolist() == model.classes_[expected.argmax(axis=1)].tolist()
    assert np.mean(label == PENGUINS["species"]) > 0.95
