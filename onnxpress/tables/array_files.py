"""Arrays in NumPy's own files: a .npz of several, or a .npy beside a .npy of targets.

The form is that of ``numpy.lib.format``. Type, shape and size of an array are read from its header
and judged before the array itself is. What is not compressed stays on the disk, mapped into memory.
Nothing is unpickled.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
import psutil
from numpy.lib import format as npy
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.tables.names import NUMERIC_INPUT
from onnxpress.tables.schema import Target, columns_of
from onnxpress.tables.wording import listed, shown

NPZ, NPY = ".npz", ".npy"

KINDS = "buifU"
"""Kinds of NumPy's types that are read: booleans, whole numbers, floats, and texts of targets."""

WIDEST = 8
"""Bytes of a number."""

AT_ONCE = 2**20
"""Bytes that are read together."""

LOCAL_HEADER = struct.Struct("<26x2H")
"""Of a member of a zip file: the lengths of its name and of its extra field, which follow."""

READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
"""The versions of the format that hold plain arrays; a third one is for names of fields."""


@dataclass(frozen=True)
class Header:
    """What a file says of its array."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    order: str
    """C or F."""
    start: int
    """Where the values begin, in bytes behind the start of the header."""

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return prod(self.shape) * self.dtype.itemsize


def read_arrays(path: Path, target: Target | None) -> tuple[dict[str, NDArray[Any]], Target]:
    """Return the arrays of a file by name, and which are to be predicted.

    Those of a .npz have the names that they were saved under. A .npy is the array ``X``, and
    ``target`` names the .npy file of targets beside it.

    Raises:
        UserError: the file is damaged, an array is not one of numbers, is too large for the memory,
            or is not what its header says; or ``target`` names none of the arrays.
    """
    if path.suffix == NPZ:
        arrays = read_inputs(path)
        return arrays, _known(path, target, arrays)
    beside = _beside(path, target)
    return {NUMERIC_INPUT: _whole(path), beside.name: _whole(beside)}, beside.name


def read_inputs(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file without targets; a .npy is the array ``X``.

    Raises:
        UserError: as :func:`read_arrays`.
    """
    return dict(_members(path)) if path.suffix == NPZ else {NUMERIC_INPUT: _whole(path)}


def _known(path: Path, target: Target | None, arrays: dict[str, NDArray[Any]]) -> Target:
    names = listed(arrays, 20)
    if target is None:
        raise UserError(
            f"`target` should name the array of {path} to predict, got null; its arrays: {names}"
        )
    absent = [name for name in columns_of(target) if name not in arrays]
    if absent:
        raise UserError(
            f"`target` {shown(absent[0])} is not an array of {path}; its arrays: {names}"
        )
    return target


def _beside(path: Path, target: Target | None) -> Path:
    """Return the file of targets beside an .npy file."""
    files = [file for file in path.parent.glob(f"*{NPY}") if file != path and file.is_file()]
    others = sorted(file.name for file in files)
    there = f"; there are {listed(others)}" if others else ""
    if target not in others or not isinstance(target, str):
        raise UserError(
            f"`target` should name the {NPY} file of targets beside {path}, "
            f"got {'null' if target is None else shown(target)}{there}"
        )
    return path.parent / target


def _whole(path: Path) -> NDArray[Any]:
    with _readable(path), path.open("rb") as file:
        header = _header(file, str(path))
        _check_size(header, path.stat().st_size, str(path))
        _check_memory(header.size, str(path))
        return _mapped(path, header, header.start)


def _members(path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the arrays of a .npz file by name."""
    with _readable(path), zipfile.ZipFile(path) as archive:
        names, size = archive.namelist(), 0
        for info in archive.infolist():
            name = info.filename.removesuffix(NPY)
            what = f"{path}: array {shown(name)}"
            if not name or name == info.filename or names.count(info.filename) > 1:
                raise UserError(
                    f"{path} should hold arrays, each with a name of its own, as numpy.savez "
                    f"writes them; got {shown(info.filename)}"
                )
            with archive.open(info) as file:
                header = _header(file, what)
                _check_size(header, info.file_size, what)
                size += header.size
                _check_memory(size, str(path))
                if info.compress_type != zipfile.ZIP_STORED:
                    yield name, _read(file, header)
                    continue
                while file.read(AT_ONCE):
                    pass  # to the end, where its checksum is compared
                yield name, _mapped(path, header, _start(path, info) + header.start)


def _start(path: Path, info: zipfile.ZipInfo) -> int:
    """Return where the content of a member begins in its file."""
    with path.open("rb") as file:
        file.seek(info.header_offset)
        name, extra = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
    return info.header_offset + LOCAL_HEADER.size + int(name) + int(extra)


def _header(file: IO[bytes], what: str) -> Header:
    """Read the header of an array, which errors call ``what``.

    Raises:
        UserError: it holds something else than numbers or text.
        ValueError: it is no header.
    """
    version = npy.read_magic(file)
    if version not in READERS:
        raise UserError(f"{what} should be plain numbers, got fields with names")
    shape, fortran, dtype = READERS[version](file)
    if dtype.kind not in KINDS or (dtype.kind != "U" and dtype.itemsize > WIDEST):
        came = "Python objects" if dtype.hasobject else f"the type {dtype}"
        raise UserError(
            f"{what} should be numbers (uint8, int64, float16, float32, float64), got {came}; "
            "convert it with astype and save it again"
        )
    if not shape or min(shape) < 1:
        raise UserError(f"{what} should have rows and values, got the shape {shape}")
    return Header(dtype, shape, "F" if fortran else "C", file.tell())


def _check_size(header: Header, size: int, what: str) -> None:
    """See that an array is as large as its header says.

    Raises:
        UserError: it is not.
    """
    if header.start + header.size != size:
        raise UserError(
            f"{what} should have {header.size} bytes of values by its shape {header.shape}, has "
            f"{size - header.start}; the file is damaged: save it again"
        )


def _check_memory(size: int, what: str) -> None:
    """See that so many bytes fit into the free memory, as they do once they are used.

    Raises:
        UserError: they do not.
    """
    free = psutil.virtual_memory().available
    if size > free:
        raise UserError(
            f"{what} takes {size / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB of memory are "
            "free; give fewer rows"
        )


def _mapped(path: Path, header: Header, start: int) -> NDArray[Any]:
    """Return an array whose values are read from the file when they are needed."""
    order: Any = header.order
    return np.memmap(path, header.dtype, "r", start, header.shape, order)


def _read(file: IO[bytes], header: Header) -> NDArray[Any]:
    flat = np.frombuffer(file.read(header.size), header.dtype)
    return flat.reshape(header.shape, order="F" if header.order == "F" else "C")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say in one line that a file is no file of arrays, or is damaged.

    Raises:
        UserError: it is.
    """
    try:
        yield
    except UserError:
        raise
    except OSError as error:
        said = error.strerror or error
        raise UserError(
            f"cannot read {path} ({said}); check the path and its permissions"
        ) from error
    except (ValueError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path} should be a {path.suffix} file of NumPy: {said}; save it again"
        ) from error
