"""The public functions make the very bytes that the chain makes of the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import onnxpress
from onnxpress.pipeline.files import read_json
from tests.support.project import Project, clone, finished_clone

CHAINS: dict[str, dict[str, Any]] = {
    "iris": {},
    "a frame with categories": {
        "data__source": "data/penguins.csv",
        "data__target": "species",
        "train__estimator": "ExtraTreesClassifier",
    },
    "a regression": {
        "data__source": "diabetes",
        "train__estimator": "RandomForestRegressor",
        "quantize__max_drop": {"score": 0.02},
    },
}


@pytest.fixture(params=CHAINS)
def project(request: pytest.FixtureRequest, tmp_path: Path, chains: Path) -> Project:
    """A clone whose chain has run up to quantize, or further."""
    if not CHAINS[request.param]:
        return finished_clone(tmp_path / "project", chains, "gate")
    made = clone(tmp_path / "project", **CHAINS[request.param])
    made.run("dvc", "repro", "-q", "quantize")
    return made


def test_compress_makes_the_models_of_the_chain(project: Project) -> None:
    outputs = project.folder / "outputs"
    params = yaml.safe_load((project.folder / "params.yaml").read_text(encoding="utf-8"))
    schema = read_json(outputs / "schema.json")
    rows = pd.read_parquet(outputs / "train.parquet")
    result = onnxpress.compress(
        onnxpress.load_estimator(outputs / "model.joblib"),
        rows.drop(columns=schema["target"]),
        rows[schema["target"]],
        budgets=params["quantize"]["max_drop"],
        opset=params["convert"]["target_opset"],
        seed=params["seed"],
    )
    assert result.plain == (outputs / "model.onnx").read_bytes()
    assert result.data == (outputs / "model_quantized.onnx").read_bytes()
    recorded = read_json(outputs / "quantization.json")
    assert result.candidate == recorded["candidate"]
    assert [each.name for each in result.verdicts] == [
        each["name"] for each in recorded["candidates"]
    ]
