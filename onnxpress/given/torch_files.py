"""Files of PyTorch itself, which run code when they are opened: refused with how to export them."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

from onnxpress.errors import UserError

SUFFIXES = (".pt", ".pth", ".pt2", ".ckpt", ".safetensors")

RUNS_CODE = "which runs code when it is opened"

EXPORT = (
    "torch.onnx.export(model.eval(), (rows,), {onnx!r}, "
    "dynamic_shapes=({{0: torch.export.Dim('rows')}},))"
)

EXPORT_OF_PROGRAM = "torch.onnx.export(torch.export.load({path!r}), f={onnx!r})"


def refuse_torch(path: Path, name: str) -> None:
    """Refuse a file of PyTorch, which errors call ``name``; other files pass.

    Only the names in the file's archive are read.

    Raises:
        UserError: it is one.
    """
    if path.suffix not in SUFFIXES:
        return
    what, export = _kind(path)
    cure = export.format(path=path.name, onnx=path.with_suffix(".onnx").name)
    raise UserError(
        f"{name} is {what}; give an .onnx file, which PyTorch makes of the model: {cure}"
    )


def _kind(path: Path) -> tuple[str, str]:
    """Return what a file is, and how its model is exported."""
    members = _members(path)
    if "archive_format" in members or path.suffix == ".pt2":
        return f"an exported program of PyTorch, {RUNS_CODE}", EXPORT_OF_PROGRAM
    if "constants.pkl" in members:
        return f"TorchScript, {RUNS_CODE}", EXPORT
    if path.suffix == ".safetensors":
        return "a file of weights without their model", EXPORT
    return f"a pickle of PyTorch, {RUNS_CODE}", EXPORT


def _members(path: Path) -> set[str]:
    """Return the names of an archive's files, without the folder that all of them are in."""
    try:
        if not path.is_file():
            return set()
        with zipfile.ZipFile(path) as archive:
            names = [PurePosixPath(name) for name in archive.namelist()]
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return set()
    return {str(PurePosixPath(*name.parts[1:])) for name in names}
