"""The recipe for Spark on the page about scoring, run as it is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from onnxpress.runtime.sessions import open_session
from onnxpress.tracking.served_model import save_serving_model
from tests.conftest import ROOT
from tests.support.drift_models import model
from tests.support.publish_fixtures import LIBRARY_WARNINGS
from tests.support.servers import surroundings

pytestmark = LIBRARY_WARNINGS
BIN = ROOT / ".venv-spark" / "bin"
"""Of the environment with Spark (``make .venv-spark/installed``)."""
MADE = model("texts/refined RandomForestClassifier")
"""It adds whole numbers, so its sums do not depend on how many threads add them."""
ON_LOOPBACK = {
    "SPARK_LOCAL_IP": "127.0.0.1",
    "PYSPARK_SUBMIT_ARGS": "--master local[2] --conf spark.ui.enabled=false pyspark-shell",
}


def recipe() -> str:
    """The block of the page."""
    page = (ROOT / "docs" / "scoring.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    return str(block)


def register(folder: Path, name: str) -> None:
    """Have a registry of models in ``folder`` with a champion."""
    save_serving_model(folder / "model", MADE.onnx, MADE.rows.feeds, MADE.schema, {})
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    client.create_registered_model(name)
    version = client.create_model_version(name, str(folder / "model"))
    client.set_registered_model_alias(name, "champion", version.version)


def test_spark_answers_as_onnxruntime_does(workspace: Path) -> None:
    if not shutil.which("java"):
        missing = "java is not installed: apt-get install default-jre-headless"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    assert BIN.exists(), "run `make .venv-spark/installed` before pytest"
    register(workspace, "penguins")
    frame = MADE.frame.drop(columns="target").replace({"": None})
    frame = frame.assign(key=np.arange(len(frame)))
    Path("rows").mkdir()
    for part, rows in frame.groupby(frame["key"] % 3):
        rows.to_parquet(f"rows/{part}.parquet", index=False)
    path = f"{BIN}:{os.environ['PATH']}"
    store = f"sqlite:///{workspace}/mlflow.db"
    environment = surroundings(PATH=path, MLFLOW_TRACKING_URI=store, **ON_LOOPBACK)
    done = subprocess.run(
        [BIN / "python", "-c", recipe()],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = pd.read_parquet("scored").sort_values("key")
    labels, probabilities = open_session(MADE.onnx).run(None, MADE.rows.feeds)
    assert found["key"].tolist() == frame["key"].tolist()
    assert found["label"].tolist() == labels.tolist()
    came = np.array(found["probabilities"].tolist(), np.float32)
    assert came.tobytes() == np.asarray(probabilities, np.float32).tobytes()
