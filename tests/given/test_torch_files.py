"""Files of PyTorch itself are refused, unopened, with how to export them."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from pathlib import Path

import pytest

import onnxpress
from onnxpress.commands.given_model import start_sandbox
from onnxpress.errors import UserError
from onnxpress.given.sandbox import GivenFile
from onnxpress.given.torch_files import refuse_torch
from stages import train
from tests.conftest import default_params, write_params

PROGRAM = Path(__file__).parents[1] / "support" / "torch_exports" / "program.pt2"

MEMBERS = {
    "script.pt": ["code/__torch__/net.py", "constants.pkl", "data.pkl", "version"],
    "weights.pth": ["data.pkl", "byteorder", "data/0", "version"],
    "program.pt": ["models/model.json", "archive_format", "archive_version"],
}
"""Members of the archives that torch.jit.save, torch.save and torch.export.save write (2.13)."""

SAID = {
    "script.pt": "is TorchScript, which runs code when it is opened; ",
    "weights.pth": "is a pickle of PyTorch, which runs code when it is opened; ",
    "program.pt": "is an exported program of PyTorch; its name should end in .pt2",
    "old.ckpt": "is a pickle of PyTorch, which runs code when it is opened; ",
    "net.safetensors": "is a file of weights without their model; ",
}


@pytest.fixture
def folder(workspace: Path) -> Path:
    models = workspace / "models"
    models.mkdir(exist_ok=True)
    for file, members in MEMBERS.items():
        with zipfile.ZipFile(models / file, "w") as archive:
            for name in members:
                archive.writestr(f"{Path(file).stem}/{name}", "x")
    (models / "old.ckpt").write_bytes(pickle.dumps({"weight": [1.0]}))
    (models / "net.safetensors").write_bytes(bytes(16))
    return workspace


@pytest.mark.parametrize("file", SAID)
def test_each_is_named_and_can_be_exported(file: str, folder: Path) -> None:
    with pytest.raises(UserError) as error:
        refuse_torch(folder / "models" / file, "it")
    line = str(error.value)
    assert SAID[file] in line
    onnx = f"{Path(file).stem}.onnx"
    if file != "program.pt":
        assert f": torch.onnx.export(model.eval(), (rows,), '{onnx}', dynamic_shapes=" in line
    assert "\n" not in line


def test_train_commands_and_the_library_refuse_them(folder: Path) -> None:
    write_params(folder, default_params(train__model_path="models/script.pt"))
    with pytest.raises(
        UserError, match=r"^params.yaml: train.model_path models/script.pt is Torch"
    ):
        train.main()
    path = Path("models/script.pt")
    with pytest.raises(UserError, match=r"^models/script.pt is TorchScript"):
        start_sandbox(GivenFile(path))
    with pytest.raises(UserError, match=r"^models/script.pt is TorchScript"):
        onnxpress.compress(path, [[0.0]], [0])


def test_other_files_pass(folder: Path) -> None:
    refuse_torch(folder / "models" / "mine.onnx", "it")
    refuse_torch(folder / "models" / "mine.joblib", "it")
    with pytest.raises(UserError, match="a pickle of PyTorch"):
        refuse_torch(folder / "models" / "absent.pt", "it")


def test_an_exported_program_needs_the_extra(folder: Path) -> None:
    """The main environment has no torch."""
    path = folder / "models" / "net.pt2"
    shutil.copy(PROGRAM, path)
    said = r"net.pt2 needs torch, which is not installed: pip install 'onnxpress\[torch\]'"
    write_params(folder, default_params(train__model_path="models/net.pt2"))
    with pytest.raises(UserError, match=f"^params.yaml: train.model_path models/{said}"):
        train.main()
    with pytest.raises(UserError, match=said):
        start_sandbox(GivenFile(path))
    with pytest.raises(UserError, match=said):
        onnxpress.compress(path, [[0.0]], [0])
