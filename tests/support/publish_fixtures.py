"""What the tests of publishing share.

A repository folder with the outputs of small real models, and ways to publish.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import joblib
import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow.tracking import MlflowClient
from numpy.typing import NDArray
from PIL import Image
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from onnxpress.errors import GateFailed
from onnxpress.pipeline.files import read_json, write_bytes, write_folder, write_json
from onnxpress.pipeline.inputs import read_schema
from onnxpress.pipeline.outputs import PICTURES
from onnxpress.pipeline.params import Package
from onnxpress.serving.packaging import packaged
from stages.package import deployment_of
from stages.publish import main
from tests.support.results import DETAIL
from tests.support.servers import surroundings

ROOT = Path(__file__).resolve().parents[2]
ROWS = 40
# Warnings from MLflow 3.17's own code, which Python or MLflow itself hides outside of pytest.
LIBRARY_WARNINGS = [
    pytest.mark.filterwarnings(
        "ignore:The ..noload.. loader strategy:sqlalchemy.exc.SADeprecationWarning"
    ),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]
EXPERIMENT = "lab3-3-model-optimization"
METRICS = {
    "onnx_accuracy": 0.95,
    "onnx_size_kb": 12.5,
    "quantized_modified": 1,
    "quantized_size_kb": 3.25,
    "test_rows": 40,
}
LATENCY = {
    "onnx_latency_ms": 0.02,
    "onnx_speedup": 120.0,
    "quantized_latency_ms": 0.01,
    "quantized_speedup_batch_32": 80.0,
}

BATCHES = {
    1: {"original": 4.0, "onnx": 0.01, "quantized": 0.006},
    32: {"original": 4.5, "onnx": 0.03, "quantized": 0.01},
}
LATENCY_DETAIL = {
    "batches": {
        str(rows): {"models": {name: {"p50_ms": ms} for name, ms in models.items()}}
        for rows, models in BATCHES.items()
    },
    "environment": {"cpu": "a CPU", "usable_cores": 2, "threads": 1},
}
SWEEP = {
    f"{name}_latency_by_batch_ms": ms for models in BATCHES.values() for name, ms in models.items()
}
"""The batch sweep's metrics as a run shows them: the value of the highest step."""


def numeric_rows() -> pd.DataFrame:
    """Rows of three float32 columns, (40, 3)."""
    values = np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)
    return pd.DataFrame(values, columns=["length", "width", "height"])


def mixed_rows() -> pd.DataFrame:
    """Rows of a float32 and a string column, (40, 2)."""
    generator = np.random.default_rng(1)
    length = generator.normal(size=ROWS).astype(np.float32)
    return pd.DataFrame(
        {"length": length, "island": generator.choice(["Biscoe", "Dream"], ROWS)}
    ).astype({"island": object})


def labels_of(rows: pd.DataFrame) -> NDArray[np.int64]:
    """A target that the first column decides, (40,)."""
    return (rows["length"].to_numpy() > 0).astype(np.int64)


def fit(rows: pd.DataFrame) -> tuple[Any, Any]:
    """A small forest on ``rows`` and its ONNX model as the convert stage makes it."""
    forest = RandomForestClassifier(n_estimators=5, max_depth=3, random_state=0)
    options: dict[Any, Any] = {"zipmap": False}
    if "island" not in rows:
        forest.fit(rows.to_numpy(), labels_of(rows))
        inputs: list[tuple[str, Any]] = [("X", FloatTensorType([None, rows.shape[1]]))]
        return forest, to_onnx(
            forest,
            initial_types=inputs,
            options={id(forest): options},
            target_opset={"": 12, "ai.onnx.ml": 1},
        )
    columns = make_column_transformer((OneHotEncoder(), ["island"]), ("passthrough", ["length"]))
    pipeline = make_pipeline(columns, forest).fit(rows, labels_of(rows))
    inputs = [("length", FloatTensorType([None, 1])), ("island", StringTensorType([None, 1]))]
    return pipeline, to_onnx(
        pipeline,
        initial_types=inputs,
        options={id(pipeline): options},
        target_opset={"": 12, "ai.onnx.ml": 1},
    )


def make_repository(folder: Path, rows: pd.DataFrame) -> Path:
    """Make a folder with params.yaml and what publish needs, from a forest fitted on ``rows``."""
    outputs = folder / "outputs"
    estimator, model = fit(rows)
    write_bytes(folder / "params.yaml", (ROOT / "params.yaml").read_bytes())
    rows.assign(target=labels_of(rows)).to_parquet(_made(outputs) / "test.parquet")
    kinds = {
        name: "category" if values.dtype == object else "number" for name, values in rows.items()
    }
    columns = [{"name": name, "kind": kind, "missing": False} for name, kind in kinds.items()]
    write_json(
        outputs / "schema.json",
        {"task": "classification", "target": "target", "columns": columns, "target_std": None},
    )
    joblib.dump(estimator, outputs / "model.joblib")
    for name in ("model.onnx", "model_quantized.onnx"):
        write_bytes(outputs / name, model.SerializeToString())
    write_bytes(
        outputs / "predictions.csv",
        b"target,original,onnx,quantized\n" + 19 * b"0,0,0,0\n" + 21 * b"1,1,1,0\n",
    )
    write_json(
        outputs / "quantization.json",
        {"method": "forest", "candidate": "forest/lossless", "modified": True},
    )
    write_json(outputs / "metrics.json", METRICS)
    write_json(outputs / "metrics_detail.json", DETAIL)
    write_json(outputs / "latency.json", LATENCY)
    write_json(outputs / "latency_detail.json", LATENCY_DETAIL)
    for path in PICTURES.values():
        Image.new("L", (600, 400), len(path.name)).save(_made(folder / path.parent) / path.name)
    write_json(
        outputs / "gate.json", {"max_size_ratio": {"limit": 1.0, "passed": True, "value": 0.26}}
    )
    package(folder)
    return folder


def package(folder: Path) -> None:
    """Package the quantised model for serving, as the stage does with the folder's params."""
    package = yaml.safe_load((folder / "params.yaml").read_text())["package"]
    deployment = deployment_of(Package.model_validate(package))
    outputs = folder / "outputs"
    model, schema = (
        (outputs / "model_quantized.onnx").read_bytes(),
        read_schema(outputs / "schema.json"),
    )
    write_folder(outputs / "serving", packaged(model, schema, {"form": 1}, deployment, "1.3", []))


def copy_lock(folder: Path) -> None:
    """Copy the lock of the packages, which the doctor reads, into a repository folder."""
    (folder / "requirements").mkdir()
    (folder / "requirements/main.lock").write_bytes((ROOT / "requirements/main.lock").read_bytes())


def set_params(folder: Path, section: str, **values: Any) -> None:
    """Change keys of one section of the folder's params.yaml."""
    path = folder / "params.yaml"
    content = yaml.safe_load(path.read_text())
    content[section].update(values)
    path.write_text(yaml.safe_dump(content))


def publish_in_process(folder: Path, monkeypatch: pytest.MonkeyPatch, uri: str = "") -> None:
    """Run the stage in this process: a new one would import MLflow again."""
    monkeypatch.chdir(folder)
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type] # takes back what a test before has set for the process
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    main()


def promote_in_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch, uri: str = ""
) -> dict[str, Any]:
    """Run ``onnxpress promote --json`` in this process; what it answers."""
    from onnxpress.commands.promote.promoting import main as promote

    monkeypatch.chdir(folder)
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type] # as above
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with redirect_stdout(io.StringIO()) as printed:
        promote(in_json=True)
    return dict(json.loads(printed.getvalue()))


def tell_registry_story(folder: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    """Register, promote, and be refused, on a store that has never heard of the model.

    Any store must tell the same story.
    """
    client, name = MlflowClient(uri, uri), "forest of the story"
    set_params(folder, "publish", register=name, promote={"by": "size", "min_gain": 0.1})
    publish_in_process(folder, monkeypatch, uri)
    publish_in_process(folder, monkeypatch, uri)
    (version,) = client.search_model_versions(f"name = '{name}'")
    assert (
        str(client.get_model_version_by_alias(name, "candidate").version)
        == str(version.version)
        == "1"
    )
    assert version.run_id == read_json(folder / "outputs/mlflow_run.json")["run_id"]
    assert (
        version.tags["content_digest"]
        == read_json(folder / "outputs/mlflow_run.json")["content_digest"]
    )
    assert version.tags["gate.max_size_ratio"] == "passed, 0.26 (limit 1)"
    first = {
        "model": name,
        "candidate": "1",
        "champion": "1",
        "champion_before": None,
        "promoted": True,
        "objection": None,
    }
    assert promote_in_process(folder, monkeypatch, uri) == first
    assert promote_in_process(folder, monkeypatch, uri) == {
        **first,
        "champion_before": "1",
        "promoted": False,
    }
    assert str(client.get_model_version_by_alias(name, "champion").version) == "1"
    write_json(folder / "outputs/metrics.json", {**METRICS, "quantized_size_kb": 3.0})
    publish_in_process(folder, monkeypatch, uri)
    with pytest.raises(
        GateFailed,
        match=r"version 1 stays the champion: .* version 2 has quantized_size_kb 3 against 3.25",
    ):
        promote_in_process(folder, monkeypatch, uri)
    assert str(client.get_model_version_by_alias(name, "champion").version) == "1"
    write_json(folder / "outputs/metrics.json", {**METRICS, "quantized_size_kb": 1.0})
    publish_in_process(folder, monkeypatch, uri)
    promote_in_process(folder, monkeypatch, uri)
    assert str(client.get_model_version_by_alias(name, "champion").version) == "3"
    answer = mlflow.pyfunc.load_model(f"models:/{name}@champion").predict(numeric_rows())
    assert np.array_equal(
        answer["label"], fit(numeric_rows())[0].predict(numeric_rows().to_numpy())
    )


def start_publish(
    folder: Path, uri: str = "", module: str = "publish", **variables: str
) -> subprocess.Popen[str]:
    """Start the stage (or a command of onnxpress) as a user does who has set ``variables``."""
    environment = surroundings(MLFLOW_TRACKING_URI=uri, PYTHONPATH=str(ROOT), **variables)
    program = [f"stages.{module}"] if module == "publish" else ["onnxpress", module]
    command = [sys.executable, "-m", *program]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def publish_command(
    folder: Path, uri: str = "", module: str = "publish", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the stage (or a command of onnxpress) as a user does, and capture what it says."""
    with start_publish(folder, uri, module, **variables) as process:
        said, told = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, said, told)


def kill_after(seconds: float, process: subprocess.Popen[str]) -> None:
    """SIGKILL a process after a while, unless it has ended by then."""
    with process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()


def exit_code(process: subprocess.Popen[str]) -> int:
    """Wait for a process to end."""
    with process:
        process.communicate()
        return process.returncode


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
