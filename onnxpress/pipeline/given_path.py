"""The file of a fitted model that params.yaml names."""

from __future__ import annotations

from pathlib import Path

from onnxpress.given.sandbox import SUFFIXES
from onnxpress.given.torch_files import refuse_torch
from onnxpress.pipeline.named_file import named_file
from onnxpress.pipeline.outputs import PARAMS

KEY, FOLDER = "train.model_path", Path("models")


def given_path(name: str) -> Path:
    """Return the path of the existing file that ``train.model_path`` names.

    Raises:
        UserError: it is of another kind, too large or elsewhere, does not exist, or cannot be read.
    """
    refuse_torch(Path(name), f"{PARAMS}: {KEY} {name}")
    from onnxpress.given.exports.weights import check_size  # imports onnx: 0.2 s

    path = named_file(name, KEY, FOLDER, SUFFIXES)
    check_size(path, f"{PARAMS}: {KEY} {name}")
    return path
