"""What keeps outputs/model.joblib the file that train has written: its SHA-256 beside it, as ``sha256sum`` writes it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from onnxpress.errors import UserError
from onnxpress.pipeline.files import read_bytes, write_bytes
from onnxpress.pipeline.outputs import ORIGINAL_DIGEST, ORIGINAL_MODEL


def write_original(data: bytes | memoryview) -> None:
    """Write outputs/model.joblib and its digest."""
    write_bytes(ORIGINAL_MODEL, data)
    write_bytes(ORIGINAL_DIGEST, line(data).encode())


def line(data: bytes | memoryview) -> str:
    """The content of model.sha256 for these bytes of model.joblib."""
    return f"{hashlib.sha256(data).hexdigest()}  {ORIGINAL_MODEL.as_posix()}\n"


def unexchanged(path: Path) -> bytes:
    """The bytes of the fitted estimator at ``path``, in any outputs folder, if they have the digest that lies beside it.

    Raises:
        UserError: they have another, or one of the two files cannot be read.
    """
    data, beside = read_bytes(path), path.with_name(ORIGINAL_DIGEST.name)
    if not beside.exists():
        raise UserError(
            f"{beside}, which says what train has written, is missing; run `dvc repro train`"
        )
    if read_bytes(beside) != line(data).encode():
        raise UserError(
            f"{path} is not what train has written (exchanged or damaged); run `dvc repro --force train`"
        )
    return data
