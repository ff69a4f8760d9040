"""The library works in an empty folder, prints nothing, and writes only what it is asked to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

CODE = """
import joblib, onnxpress, sys
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

X, y = load_iris(return_X_y=True, as_frame=True)
joblib.dump(RandomForestClassifier(5, random_state=0).fit(X, y), "forest.joblib")
forest = onnxpress.load_estimator("forest.joblib")
plain = onnxpress.convert(forest, X)
result = onnxpress.compress(forest, X, y, budgets={"score": 0.02})
found = onnxpress.compare(forest, result, X, y)
latencies = onnxpress.measure({"forest": forest, "result": result}, X, seconds=0.2)
assert not {"dvc", "mlflow", "yaml", "pydantic", "matplotlib"} & set(sys.modules)
assert not {name for name in sys.modules if name.startswith("onnxpress.pipeline")}
"""


def test_an_empty_folder_is_enough(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["forest.joblib"]
