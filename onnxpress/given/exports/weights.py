"""Weights that an ONNX file keeps in other files, read into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from onnxpress.errors import UserError
from onnxpress.onnx_file import BadModel
from onnxpress.onnx_file.messages import messages
from onnxpress.reading import read_bytes

LARGEST = 2**31 - 2**20
"""Bytes of a model with all its weights: a protobuf file holds less than 2 GiB."""

OTHERS = {
    *(".yaml", ".yml", ".json", ".toml", ".ini", ".cfg", ".env", ".txt", ".lock", ".db", ".sqlite"),
    *(".csv", ".parquet", ".npy", ".npz", ".joblib", ".pkl", ".skops", ".pt", ".pt2", ".onnx"),
    *(".py", ".sh", ".pem", ".key", ".crt"),
}
"""Ends of names of files that hold no weights of an ONNX model: a hostile one could name a file
with secrets, which would then be published inside the model."""


def with_weights(model: bytes, path: Path) -> bytes:
    """Return the bytes of the ONNX file at ``path`` with the weights of the files beside it inside.

    ``model`` are the file's own bytes; they are returned as they are if they hold all weights, or
    are no ONNX model. See the ONNX documentation, "External Data".

    Raises:
        UserError: a file of weights is named by more than a plain name, is missing, or is shorter
            than the model says; or the whole would be no ONNX file, which holds less than 2 GiB.
    """
    if b"location" not in model:
        return model
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(model)
        outside = [tensor for tensor in _tensors(proto) if tensor.external_data]
    except (DecodeError, RecursionError, ValueError, BadModel):
        return model  # whoever checks the model says why
    files: dict[str, bytes] = {}
    size = len(model)
    for tensor in outside:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        place = entries.get("location", "")
        if place not in files:
            size += _size_of(place, path)
            if size > LARGEST:
                raise UserError(
                    f"{path} takes {size / 2**30:.1f} GiB with its weights, and an ONNX model holds"
                    " less than 2; give a smaller model, or export it in float16"
                )
            files[place] = read_bytes(path.parent / place)
        content = _part(files[place], entries, f"{path}: the weights {tensor.name[:100]!r}")
        del tensor.external_data[:]
        tensor.ClearField("data_location")
        tensor.raw_data = content
    return bytes(proto.SerializeToString(deterministic=True)) if outside else model


def _tensors(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    for message, _ in messages(proto):
        if isinstance(message, onnx.TensorProto):
            yield message


def _size_of(place: str, path: Path) -> int:
    """Return the size of a file of weights beside ``path``, in bytes.

    Raises:
        UserError: it lies elsewhere, or is not there.
    """
    plain = bool(place) and Path(place).name == place and not {"\\", "\0"}.intersection(place)
    if not plain or place.startswith(".") or Path(place).suffix in OTHERS:
        raise UserError(
            f"{path} keeps weights in {place[:100]!r}; expected a file of weights beside it, such "
            f"as {path.name}.data: export the model again, with its weights inside or beside it"
        )
    try:
        file = path.parent / place
        if file.is_file():
            return file.stat().st_size
    except OSError:
        pass
    raise UserError(
        f"{path} keeps weights in {place!r}, which is not beside it; put that file into "
        f"{path.parent}, or export the model with its weights inside"
    )


def _part(file: bytes, entries: dict[str, str], name: str) -> bytes:
    """Return the part of a file that holds one tensor.

    Raises:
        UserError: offset or length are no numbers, or not within the file.
    """
    try:
        start = int(entries.get("offset", "0"))
        end = start + int(entries["length"]) if "length" in entries else len(file)
    except ValueError as error:
        raise UserError(f"{name} have no number as offset or length; export it again") from error
    if not 0 <= start <= end <= len(file):
        raise UserError(
            f"{name} should be bytes {start} to {end} of a file that has {len(file)}; "
            "it is not whole, or of another export: copy both files again"
        )
    return file[start:end]
