"""Exported programs of PyTorch as originals, in .venv-torch: what torch itself answers is kept."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import expit, softmax

from onnxpress.pipeline.files import read_json
from onnxpress.pipeline.inputs import read_rows, read_schema
from tests.conftest import ROOT
from tests.support.project import Project, clone

BIN = ROOT / ".venv-torch" / "bin"
"""Of the environment with PyTorch (``make .venv-torch/installed``)."""

LOGITS = ["mlp", "doubles", "two_heads", "sequences", "attention", "digits"]


class TorchProject(Project):
    """A clone whose commands run where PyTorch is installed."""

    def environment(self) -> dict[str, str]:
        found = super().environment()
        return found | {"PATH": f"{BIN}:{found['PATH']}"}


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with programs that torch has saved, what it answers, and what it has trained."""
    assert BIN.exists(), "run `make .venv-torch/installed` before pytest"
    folder = tmp_path_factory.mktemp("nets")
    for module in ("torch_programs", "torch_training"):
        done = python("-m", f"tests.support.{module}", str(folder))
        assert done.returncode == 0, done.stderr
    return folder


def python(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the Python that has PyTorch, in the repository."""
    command = [str(BIN / "python"), *words]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


def answers(nets: Path, name: str) -> dict[str, NDArray[Any]]:
    with np.load(nets / f"{name}.npz") as file:
        return dict(file)


@pytest.mark.parametrize("name", LOGITS)
def test_logits_of_torch_become_its_labels_and_probabilities(name: str, nets: Path) -> None:
    found = answers(nets, name)
    expected = softmax(found["values"].astype(np.float64), axis=1)
    assert found["original"].tolist() == expected.argmax(axis=1).tolist()
    assert found["converted"].tolist() == found["original"].tolist()
    np.testing.assert_allclose(found["original_scores"], expected, rtol=0, atol=1e-7)
    np.testing.assert_allclose(found["converted_scores"], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["digits", "residual"])
def test_training_recovers_half_of_what_four_bits_lose(name: str, nets: Path) -> None:
    found = read_json(nets / "training.json")[name]
    right = {
        form: np.mean(np.array(found[form]) == found["target"])
        for form in ("plain", "int4", "trained")
    }
    assert right["plain"] - right["int4"] >= 0.005
    assert right["trained"] - right["int4"] >= (right["plain"] - right["int4"]) / 2
    assert found["same"], "two trainings give other bytes"
    assert found["bytes"][0] == found["bytes"][1]
    assert found["difference"] <= 1e-5, "an answer depends on other rows"


def test_training_computes_operators_as_onnxruntime_does(nets: Path) -> None:
    found = read_json(nets / "training.json")["operators"]
    assert {name: apart for name, apart in found.items() if apart > 1e-5} == {}


def test_a_net_that_is_not_trained_has_a_reason(nets: Path) -> None:
    operator, time, memory = read_json(nets / "training.json")["refusals"]
    assert operator == "the operator GRU is not known to the training in torch"
    assert time == "the process that trains it was not done within 0.1 s"
    assert memory.startswith("the process that trains it")


@pytest.mark.parametrize("name", ["one_logit", "sigmoid"])
def test_one_value_is_that_of_the_second_class(name: str, nets: Path) -> None:
    found = answers(nets, name)
    values = found["values"][:, 0].astype(np.float64)
    second = values if name == "sigmoid" else expit(values)
    np.testing.assert_allclose(found["original_scores"][:, 1], second, rtol=0, atol=1e-7)
    np.testing.assert_allclose(found["converted_scores"][:, 1], second, rtol=0, atol=1e-5)
    assert found["original"].tolist() == (second > 0.5).astype(int).tolist()


@pytest.mark.parametrize("name", ["number", "numbers"])
def test_numbers_are_those_of_torch(name: str, nets: Path) -> None:
    found = answers(nets, name)
    expected = found["values"].reshape(found["original"].shape)
    np.testing.assert_array_equal(found["original"], expected.astype(np.float64))
    np.testing.assert_allclose(found["converted"], expected, rtol=1e-5, atol=1e-5)


def test_the_chain_compares_with_torch(nets: Path, tmp_path: Path) -> None:
    params = {
        "data__source": "data/images.npz",
        "data__target": "digit",
        "data__calibration_size": 0.5,
        "train__model_path": "models/digits.pt2",
        "quantize__max_drop": {"score": 0.04, "recall_worst_loss": None},
        "gate__max_drop": {"score": 0.04, "recall_worst_loss": None},
    }
    project = TorchProject(clone(tmp_path / "project", **params).folder)
    shutil.copy(nets / "images.npz", project.folder / "data")
    shutil.copy(nets / "digits.pt2", project.folder / "models")
    project.run("dvc", "repro", "-q", "publish")
    outputs, found = project.folder / "outputs", answers(nets, "digits")
    label_of = {
        image.tobytes(): int(logits.argmax())
        for image, logits in zip(found["arr_0"], found["values"], strict=True)
    }
    rows = read_rows(outputs / "test.parquet", read_schema(outputs / "schema.json"))
    told = pd.read_csv(outputs / "predictions.csv")
    expected = [label_of[image.tobytes()] for image in rows.feeds["image"]]
    assert told["original"].tolist() == told["onnx"].tolist() == expected
    metrics = read_json(outputs / "metrics.json")
    assert metrics["onnx_agreement"] == 1
    assert metrics["original_accuracy"] - metrics["quantized_accuracy"] <= 0.04
    outcomes = {
        each["name"]: each["outcome"]
        for each in read_json(outputs / "quantization.json")["candidates"]
    }
    assert outcomes["dense/int4_all"] == "over budget"
    assert outcomes["dense/int4_qat"] == "chosen"
    assert metrics["quantized_size_kb"] < metrics["onnx_size_kb"]
    with zipfile.ZipFile(nets / "digits.pt2") as saved:
        members = [each for each in saved.infolist() if "/data/weights/weight" in each.filename]
    weights = sum(each.file_size for each in members) / 1024
    assert weights < metrics["original_size_kb"] < 2 * weights


def test_the_command_and_the_library_compress_it(nets: Path, tmp_path: Path) -> None:
    found, small = answers(nets, "digits"), tmp_path / "small.onnx"
    line = f"compress {nets / 'digits.pt2'} --data {nets / 'images.npz'} --target digit -o {small}"
    done = python("-m", "onnxpress", *line.split())
    assert done.returncode == 0, done.stderr
    expected = found["values"].argmax(axis=1)
    labels = onnxruntime.InferenceSession(small).run(["label"], {"image": found["arr_0"]})[0]
    assert np.mean(labels == expected) >= 0.99
    code = (
        "import sys, numpy as np, onnxpress; net, rows = sys.argv[1:]; data = np.load(rows); "
        "made = onnxpress.compress(net, data['image'], data['digit'], method='none'); "
        "print(onnxpress.compare(net, made.plain, data['image'], data['digit']))"
    )
    done = python("-c", code, str(nets / "digits.pt2"), str(nets / "images.npz"))
    assert f"same prediction on {len(expected)} of {len(expected)} rows" in done.stdout, done.stderr


def test_a_program_that_fits_no_row_count_is_refused_in_one_line(
    nets: Path, tmp_path: Path
) -> None:
    path = tmp_path / "fixed.pt2"
    code = (
        "import sys, torch; net = torch.nn.Linear(64, 10); rows = torch.zeros(2, 64); "
        "torch.export.save(torch.export.export(net, (rows,)), sys.argv[1])"
    )
    assert python("-c", code, str(path)).returncode == 0
    line = f"compress {path} --data {nets / 'images.npz'} --target digit -o {tmp_path / 'x.onnx'}"
    done = python("-m", "onnxpress", *line.split())
    assert done.returncode == 2
    said = "takes 2 rows a call for 'input', and no other number; export it with torch.export"
    assert said in done.stderr
    assert "Traceback" not in done.stderr
