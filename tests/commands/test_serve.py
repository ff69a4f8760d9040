"""`onnxpress serve` before Triton runs: what is missing is a line, and what the copy is."""

from __future__ import annotations

import re
import socket
import sys
from pathlib import Path

import onnx
import pytest

from onnxpress.commands.serve.installation import Installation, find_installation
from onnxpress.commands.serve.local_repository import copy_for_python, model_in
from onnxpress.commands.serve.triton_server import Ports, reason
from onnxpress.errors import UserError
from onnxpress.pipeline.files import write_bytes
from onnxpress.serving.repository import repository_files
from onnxpress.serving.triton import Batching, model_config
from tests.support.servers import free_port


def write_repository(folder: Path, model: onnx.ModelProto, name: str = "iris") -> Path:
    files = repository_files(model.SerializeToString(), name, Batching())
    for path, data in files.items():
        write_bytes(folder / path, data)
    return folder


def installed(folder: Path) -> Installation:
    """An installation whose files are empty."""
    triton = folder / "pytriton" / "tritonserver"
    stub = triton / "python_backend_stubs" / "3.11" / "triton_python_backend_stub"
    library = triton / "backends" / "python" / "libtriton_python.so"
    for path in (triton / "bin" / "tritonserver", stub, library):
        write_bytes(path, b"")
    return Installation(folder, folder / "pytriton", "/usr/lib", "3.11")


def test_the_copy_is_the_packaged_model_with_another_backend(
    tmp_path: Path, digits_forest_onnx: onnx.ModelProto
) -> None:
    packaged = write_repository(tmp_path / "packaged", digits_forest_onnx)
    before = {path: path.read_bytes() for path in packaged.rglob("*") if path.is_file()}
    copy_for_python(model_in(packaged), tmp_path / "run", installed(tmp_path / "environment"))
    copy = tmp_path / "run" / "repository" / "iris"
    model = (packaged / "iris/1/model.onnx").read_bytes()
    assert (copy / "1" / "model.onnx").read_bytes() == model
    ours = model_config(digits_forest_onnx, "iris", Batching())
    assert (copy / "config.pbtxt").read_text() == ours.replace('"onnxruntime"', '"python"')
    backend = tmp_path / "run" / "backends" / "python"
    names = {"libtriton_python.so", "triton_python_backend_stub"}
    assert {path.name for path in backend.iterdir()} == names
    assert {path: path.read_bytes() for path in packaged.rglob("*") if path.is_file()} == before


def test_an_edited_configuration_is_refused(
    tmp_path: Path, digits_forest_onnx: onnx.ModelProto
) -> None:
    model = model_in(write_repository(tmp_path / "packaged", digits_forest_onnx))
    (model / "config.pbtxt").write_text('backend: "openvino"')
    with pytest.raises(
        UserError, match='config.pbtxt should have the line `backend: "onnxruntime"'
    ):
        copy_for_python(model, tmp_path / "run", installed(tmp_path / "environment"))


@pytest.mark.parametrize("name", ["with a space", "a$b", "it's", "a;b"])
def test_a_temporary_folder_in_which_the_backend_cannot_start_is_a_line(
    name: str, tmp_path: Path, digits_forest_onnx: onnx.ModelProto
) -> None:
    model = model_in(write_repository(tmp_path / "packaged", digits_forest_onnx))
    triton = installed(tmp_path / "environment")
    with pytest.raises(UserError, match="cannot start in .*, because of the .*set TMPDIR"):
        copy_for_python(model, tmp_path / name, triton)
    assert not (tmp_path / name).exists()
    copy_for_python(model, tmp_path / "한글_run-1", triton)


def test_no_repository_or_not_one_model_is_a_line(
    tmp_path: Path, digits_forest_onnx: onnx.ModelProto
) -> None:
    with pytest.raises(UserError, match="cannot read .*run `dvc repro` to make it"):
        model_in(tmp_path / "none")
    with pytest.raises(UserError, match="should hold a folder of one model.*got nothing"):
        model_in(tmp_path)
    for name in ("one", "two"):
        write_repository(tmp_path, digits_forest_onnx, name)
    with pytest.raises(UserError, match="got one, two; run `dvc repro`"):
        model_in(tmp_path)


def test_an_environment_without_triton_is_a_line(tmp_path: Path) -> None:
    cure = re.escape("run `make .venv-triton/installed`")
    with pytest.raises(UserError, match=f"should hold a Python with tritonserver; {cure}"):
        find_installation(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    with pytest.raises(UserError, match=f"should hold the package nvidia-pytriton; {cure}"):
        find_installation(tmp_path)


def test_a_taken_port_is_a_line() -> None:
    first = free_port(3)
    with (
        socket.create_server(("127.0.0.1", first + 2)),
        pytest.raises(UserError, match=f"port {first + 2} on 127.0.0.1 cannot be used"),
    ):
        Ports.following(first)


LOGS = {
    'E1127 12:56:54.3 32105 server.cc:241] "CudaDriverHelper has not been initialized."\n'
    "E1127 12:56:57.6 32183 manager.cc:1460] \"Poll failed for 'model'\"\n"
    "error: creating server: Internal - failed to load all models": "\"Poll failed for 'model'\"",
    "I1127 12:56:57.6 1 a.cc:1] E\nSignal (11) received.\n 0# 0x0": "Signal (11) received.",
    "error: creating server: no port": "error: creating server: no port",
    "": "its log names no error",
}


@pytest.mark.parametrize("log", LOGS)
def test_the_reason_is_the_first_error_or_the_signal(log: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(log)
    assert reason(tmp_path / "log") == LOGS[log]
