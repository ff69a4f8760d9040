"""Files of PyTorch itself, which run code when they are opened: refused with how to export them.

An exported program (``.pt2``) is one too, but can be judged before it is opened.
"""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

from onnxpress.errors import UserError
from onnxpress.torch_program.asking import check_installed

SUFFIXES = (".pt", ".pth", ".ckpt", ".safetensors")

PROGRAM = ".pt2"

RUNS_CODE = "which runs code when it is opened"

EXPORT = (
    "torch.onnx.export(model.eval(), (rows,), {onnx!r}, "
    "dynamic_shapes=({{0: torch.export.Dim('rows')}},))"
)

OTHER_NAME = "its name should end in .pt2, as torch.export.save has it"


def refuse_torch(path: Path, name: str) -> None:
    """Refuse a file of PyTorch, which errors call ``name``; other files and programs pass.

    Only the names in the file's archive are read.

    Raises:
        UserError: it is one, or a program and torch is not installed.
    """
    if path.suffix == PROGRAM:
        check_installed(name)
    if path.suffix not in SUFFIXES:
        return
    if "archive_format" in _members(path):
        raise UserError(f"{name} is an exported program of PyTorch; {OTHER_NAME}")
    what, export = _kind(path)
    cure = export.format(onnx=path.with_suffix(".onnx").name)
    raise UserError(
        f"{name} is {what}; give an .onnx file, which PyTorch makes of the model: {cure}, "
        "or what torch.export.save makes of it, a .pt2 file"
    )


def _kind(path: Path) -> tuple[str, str]:
    """Return what a file is, and how its model is exported."""
    if "constants.pkl" in _members(path):
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
