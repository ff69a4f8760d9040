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
    proto, outside = _outside(model)
    _check_fits(len(model) + _bytes_beside(outside, path), str(path))
    files: dict[str, bytes] = {}
    for tensor in outside:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        place = entries.get("location", "")
        if place not in files:
            files[place] = read_bytes(path.parent / place)
        content = _part(files[place], entries, f"{path}: the weights {tensor.name[:100]!r}")
        del tensor.external_data[:]
        tensor.ClearField("data_location")
        tensor.raw_data = content
    return bytes(proto.SerializeToString(deterministic=True)) if outside else model


def size_on_disk(path: Path) -> int:
    """Return the bytes of a model's file, with those of the files beside an ONNX file of weights.

    Raises:
        UserError: the file cannot be read, or a file of weights lies elsewhere or is missing.
    """
    size = path.stat().st_size
    if path.suffix != ".onnx" or size > LARGEST:
        return size
    return size + _bytes_beside(_outside(read_bytes(path))[1], path)


def check_size(path: Path, name: str) -> None:
    """See that an existing file, which errors call ``name``, is not too large to become ONNX.

    Nothing else has been done then, and no weights are read. Files of estimators pass: their ONNX
    form has another size.

    Raises:
        UserError: it is too large; or as :func:`size_on_disk`.
    """
    if path.suffix in {".onnx", ".pt2"}:
        _check_fits(size_on_disk(path), name)


def _check_fits(size: int, name: str) -> None:
    if size > LARGEST:
        raise UserError(
            f"{name} takes {size / 2**30:.1f} GiB with its weights, and an ONNX model holds "
            "less than 2; give a smaller model, or export it in float16"
        )


def _outside(model: bytes) -> tuple[onnx.ModelProto, list[onnx.TensorProto]]:
    """Return the model in the bytes of an ONNX file, and its tensors that lie in other files.

    Of what is no ONNX model there are none: whoever checks the model says why.
    """
    proto = onnx.ModelProto()
    if b"location" not in model:
        return proto, []
    try:
        proto.ParseFromString(model)
        return proto, [tensor for tensor in _tensors(proto) if tensor.external_data]
    except (DecodeError, RecursionError, ValueError, BadModel):
        return proto, []


def _bytes_beside(outside: list[onnx.TensorProto], path: Path) -> int:
    """Return the bytes of the files of weights beside ``path``.

    Raises:
        UserError: one lies elsewhere, or is missing.
    """
    places = {
        next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        for tensor in outside
    }
    return sum(_size_of(place, path) for place in sorted(places))


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
