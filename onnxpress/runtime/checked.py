"""ONNX files of others, checked before onnxruntime may open them."""

from __future__ import annotations

from typing import Any

from onnxpress.errors import UserError
from onnxpress.text import visible


def one_line(text: object, longest: int = 300) -> str:
    """Shorten text of a file to what may be shown."""
    shown = visible(str(text)[:longest])
    return shown if len(shown) <= longest else f"{shown[:longest]}…"


def other_format(head: bytes, suffix: str) -> str | None:
    """Return the format of a file that its ``suffix`` does not say, and what to do about it.

    ``head`` are its first bytes. None if the format is not known.
    """
    if head.startswith(b"version https://git-lfs"):
        return "the pointer of a file in Git LFS; run `git lfs pull`"
    if head.startswith(b"PK\x03\x04") and suffix != ".skops":
        return "a zip file; name it .skops if skops has written it, else unpack it"
    if head.startswith(b"\x80") and suffix in (".skops", ".onnx"):
        return "a pickle; name it .pkl or .joblib"
    if head.lstrip()[:1] in (b"<", b"{"):
        cure = "download the file itself, or dump the model again"
        return f"text (of a web page, perhaps), no model; {cure}"
    return None


def checked_onnx(model: bytes, name: str) -> Any:
    """Parse and check the bytes of a file, which may then be given to onnxruntime.

    Raises:
        UserError: it is no ONNX model, refers to other files, may never end, or does not fit
            together; the line calls it ``name``.
    """
    from onnxpress.onnx_file import BadModel, read_model  # 0.2 s

    try:
        return read_model(model)
    except BadModel as error:
        if what := other_format(model[:100], ".onnx"):
            raise UserError(f"{name} is {what}") from error
        raise UserError(f"{name} is no ONNX model that can be run: {error}") from error
