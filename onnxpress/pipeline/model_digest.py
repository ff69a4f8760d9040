"""The digest of outputs/model.joblib, which shows whether it still is what train wrote.

It is the file's SHA-256 in model.sha256 beside it, in the form of ``sha256sum``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from onnxpress.errors import UserError
from onnxpress.pipeline.files import read_bytes, write_bytes
from onnxpress.pipeline.outputs import ORIGINAL_DIGEST, ORIGINAL_MODEL


def write_original(data: bytes | memoryview) -> None:
    """Write outputs/model.joblib and its digest."""
    write_bytes(ORIGINAL_MODEL, data)
    write_bytes(ORIGINAL_DIGEST, digest_line(data).encode())


def digest_line(data: bytes | memoryview) -> str:
    """Return the content of model.sha256 for these bytes of model.joblib."""
    return f"{hashlib.sha256(data).hexdigest()}  {ORIGINAL_MODEL.as_posix()}\n"


def read_unaltered(path: Path) -> bytes:
    """Return the bytes of the fitted estimator at ``path``, in any outputs folder.

    Raises:
        UserError: they do not have the digest beside them, or a file cannot be read.
    """
    data, beside = read_bytes(path), path.with_name(ORIGINAL_DIGEST.name)
    if not beside.exists():
        raise UserError(
            f"{beside}, which says what train has written, is missing; run `dvc repro train`"
        )
    if read_bytes(beside) != digest_line(data).encode():
        raise UserError(
            f"{path} is not what train has written (exchanged or damaged); "
            "run `dvc repro --force train`"
        )
    return data
