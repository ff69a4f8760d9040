"""The image of the pipeline's steps, replayed from its Dockerfile; no builder is needed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.support.image import Stage, build, can_replay
from tests.support.project import QUICK, clone

HADOLINT = ROOT / ".venv-kubeflow" / "bin" / "hadolint"
SETTINGS = {key.replace("__", "."): value for key, value in QUICK.items()}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    if not can_replay():
        pytest.skip("bubblewrap is not installed, or may not work here")
    folder = tmp_path_factory.mktemp("image")
    context = clone(folder / "context").folder
    (context / "stray.pem").write_text("not committed")
    found = subprocess.run(["uv", "cache", "dir"], check=True, capture_output=True, text=True)
    caches = Path(found.stdout.strip())
    caches.mkdir(parents=True, exist_ok=True)
    return build(context, folder / "stages", caches)


def run_component(image: Stage, shared: Path, name: str, inputs: Any, outputs: Any) -> Any:
    """Run a component of pipeline.yaml as Kubeflow's launcher does; return its outputs."""
    documents = yaml.safe_load_all((ROOT / "kubeflow" / "pipeline.yaml").read_text())
    container = next(documents)["deploymentSpec"]["executors"][f"exec-{name}"]["container"]
    message = {
        "inputs": inputs,
        "outputs": {
            "artifacts": {
                key: {"artifacts": [artifact(f"/shared/{name}/{key}", schema)]}
                for key, schema in outputs.items()
            },
            "outputFile": f"/shared/{name}/executor_output.json",
        },
    }
    arguments = [word.replace("{{$}}", json.dumps(message)) for word in container["args"]]
    done = image.run(*container["command"], *arguments, shared=shared)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((shared / name / "executor_output.json").read_text())


def artifact(uri: str, schema: str) -> dict[str, Any]:
    kind = {"schemaTitle": f"system.{schema}", "schemaVersion": "0.0.1"}
    return {"name": uri, "type": kind, "uri": uri, "metadata": {}}


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run([HADOLINT, ROOT / "Dockerfile"], check=False, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"")


def test_a_stray_file_is_not_in_the_image(image: Stage) -> None:
    assert list(image.root.rglob("stray.pem")) == []
    assert (image.root / "opt/onnxpress/repository/dvc.yaml").is_file()


def test_the_chain_runs_as_another_user_who_can_write_nothing_but_tmp(
    image: Stage, tmp_path: Path
) -> None:
    parameters = {"source": "iris"}
    run_component(image, tmp_path, "data", {"parameterValues": parameters}, {"rows": "Dataset"})
    parameters = {
        "target": "target",
        "settings": json.dumps(SETTINGS),
        "tracking_uri": "sqlite:////shared/mlflow.db",
        "cache": "",
    }
    rows = {"artifacts": [artifact("/shared/data/rows", "Dataset")]}
    inputs = {"parameterValues": parameters, "artifacts": {"rows": rows}}
    outputs = {
        "outputs": "Artifact",
        "quantized": "Model",
        "metrics": "Metrics",
        "report": "HTML",
    }
    found = run_component(image, tmp_path, "chain", inputs, outputs)
    assert len(found["parameterValues"]["run_id"]) == 32
    refused = image.run("touch", "/opt/onnxpress/repository/new", shared=tmp_path)
    assert refused.returncode
    whoever = image.run("id", "-u", shared=tmp_path)
    assert whoever.stdout.strip() == "10001" != str(os.geteuid())
