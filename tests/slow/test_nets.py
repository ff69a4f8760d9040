"""A CNN from PyTorch through `dvc repro`, on images in a .npz file, to MLflow and a real Triton."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import mlflow
import numpy as np
import onnxruntime
import pandas as pd
import pytest

from onnxpress.pipeline.files import read_json
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.tracking.logged_model import MODEL
from tests.conftest import ROOT
from tests.support import pages
from tests.support.packaged import Packaged, served
from tests.support.project import QUICK, Project, clone
from tests.support.publish_fixtures import LIBRARY_WARNINGS
from tests.support.published import runs_of

pytestmark = LIBRARY_WARNINGS

NETS = ROOT / "notebooks" / "nets"
EXPORTS = ROOT / "tests" / "support" / "torch_exports"
(EXAMPLE,) = [block for block in pages.other_blocks(pages.PAGES) if "--name digits-cnn" in block]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A clone with the results of the page's example."""
    made = clone(tmp_path_factory.mktemp("nets") / "project")
    made.run("bash", "-euc", EXAMPLE)
    made.run("dvc", "exp", "apply", "digits-cnn")
    return made


def of_pytorch(images: np.ndarray) -> np.ndarray:
    """The digits that the export itself answers, without anything of onnxpress."""
    session = onnxruntime.InferenceSession(NETS / "digits.onnx")
    (logits,) = session.run(["logits"], {"image": images.astype(np.float32)})
    return np.asarray(logits.argmax(axis=1))


def test_the_chain_predicts_what_the_export_does(project: Project) -> None:
    outputs = project.folder / "outputs"
    given = np.load(NETS / "digits.npz")
    digit_of = {
        image.tobytes(): digit for image, digit in zip(given["image"], given["digit"], strict=True)
    }
    schema = read_schema(outputs / "schema.json")
    rows = read_rows(outputs / "test.parquet", schema)
    images, told = rows.feeds["image"], pd.read_csv(outputs / "predictions.csv")
    assert images.dtype == np.uint8
    assert told["target"].tolist() == [digit_of[image.tobytes()] for image in images]
    expected = of_pytorch(images)
    assert told["original"].tolist() == told["onnx"].tolist() == expected.tolist()
    metrics = read_json(outputs / "metrics.json")
    accuracy = float((expected == told["target"]).mean())
    assert metrics["original_accuracy"] == pytest.approx(accuracy, abs=1e-5)
    assert accuracy - metrics["quantized_accuracy"] <= 0.005
    assert metrics["quantized_size_kb"] < metrics["onnx_size_kb"]


def test_what_is_packaged_and_shown_has_the_shape_of_the_images(project: Project) -> None:
    serving = project.folder / "outputs" / "serving"
    config = (serving / "repository/model/config.pbtxt").read_text(encoding="utf-8")
    assert 'input { name: "image" data_type: TYPE_UINT8 dims: [ 1, 8, 8 ] }' in config
    assert read_json(serving / "drift_profile.json")["features"] == []
    assert "| `image` | UINT8 | [rows, 1, 8, 8] | 64 numbers |" in (
        serving / "README.md"
    ).read_text(encoding="utf-8")
    project.run("python", "-m", "onnxpress", "report", "--html")
    asked = project.run("python", "-m", "onnxpress", "drift", "data/digits.npz", "--json")
    entries = {each["name"]: each["verdict"] for each in json.loads(asked.stdout)["entries"]}
    assert entries == {"label": "stable", "probabilities": "stable"}


def test_it_is_published_and_served(project: Project) -> None:
    outputs = project.folder / "outputs"
    schema = read_schema(outputs / "schema.json")
    packaged = Packaged(project.folder, read_rows(outputs / "test.parquet", schema), schema)
    images = packaged.rows.feeds["image"]
    expected = packaged.predict({"image": images})
    store = f"sqlite:///{project.folder / 'mlflow.db'}"
    found = runs_of(store, "lab3-3-model-optimization")
    (run,) = [each for each in found if "complete" in each.data.tags]  # not that of the experiments
    mlflow.set_tracking_uri(store)
    loaded = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/{MODEL}")
    (taken,) = loaded.metadata.signature.inputs.inputs
    assert (taken.name, taken.type, taken.shape) == ("image", np.uint8, (-1, 1, 8, 8))
    for rows in (images, {"image": images}):
        np.testing.assert_array_equal(loaded.predict(rows)["label"], expected["label"])
    with served(packaged) as server:
        server.answers(0, 5)
        done = project.run("python", "-m", "onnxpress", "verify-endpoint", server.address, "--json")
    assert json.loads(done.stdout)["agreement"] == {"test": 1.0, "probe": 1.0}


def test_sequences_of_npy_files_go_through_the_chain(tmp_path: Path) -> None:
    params = {
        "data__source": "data/steps.npy",
        "data__target": "label.npy",
        "train__model_path": "models/sequences.onnx",
    }
    made = clone(tmp_path / "project", **(QUICK | params))
    steps = np.random.default_rng(0).normal(size=(1300, 6, 3)).astype(np.float32)
    session = onnxruntime.InferenceSession(EXPORTS / "sequences.onnx")
    (logits,) = session.run(None, {session.get_inputs()[0].name: steps})
    np.save(made.folder / "data" / "steps.npy", steps)
    np.save(made.folder / "data" / "label.npy", logits.argmax(axis=1))
    shutil.copy(EXPORTS / "sequences.onnx", made.folder / "models")
    made.run("dvc", "repro", "-q", "package")
    outputs = made.folder / "outputs"
    label_of = {row.tobytes(): label for row, label in zip(steps, logits.argmax(1), strict=True)}
    rows = read_rows(outputs / "test.parquet", read_schema(outputs / "schema.json"))
    told = pd.read_csv(outputs / "predictions.csv")
    expected = [label_of[row.tobytes()] for row in rows.feeds["X"]]
    assert told["target"].tolist() == told["original"].tolist() == expected
    assert told["onnx"].tolist() == expected
    config = (outputs / "serving/repository/model/config.pbtxt").read_text(encoding="utf-8")
    assert 'input { name: "X" data_type: TYPE_FP32 dims: [ 6, 3 ] }' in config


def test_the_command_compresses_it(tmp_path: Path, project: Project) -> None:
    out = tmp_path / "small.onnx"
    line = f"compress models/digits.onnx --data data/digits.npz --target digit -o {out}"
    project.run("python", "-m", "onnxpress", *line.split())
    images = np.load(NETS / "digits.npz")["image"]
    session = onnxruntime.InferenceSession(out)
    labels = session.run(["label"], {"image": images})[0]
    assert np.mean(labels == of_pytorch(images)) >= 0.995
