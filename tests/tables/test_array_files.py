"""Files of NumPy's arrays are read as NumPy reads them, or refused in one line before that."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.tables.array_files import read_arrays, read_inputs
from onnxpress.tables.sources import load_source, typed_rows

IMAGES = np.arange(3 * 2 * 4, dtype=np.float32).reshape(3, 2, 4)
KINDS = ["?", "u1", "i1", "<i2", ">i4", "<i8", "<u8", "<f2", ">f4", "<f8"]


def npy(values: NDArray[Any], *, pickled: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=pickled)
    return buffer.getvalue()


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, content in members.items():
            made.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("kind", KINDS)
def test_arrays_are_those_that_were_saved(tmp_path: Path, kind: str, save: Any) -> None:
    path = tmp_path / "rows.npz"
    values = np.asfortranarray((IMAGES % 2).astype(kind))
    save(path, image=values, other=IMAGES, y=np.arange(3))
    found, target = read_arrays(path, "y")
    assert list(found) == ["image", "other", "y"]
    assert target == "y"
    assert found["image"].dtype == np.dtype(kind)
    np.testing.assert_array_equal(found["image"], values)
    np.testing.assert_array_equal(found["other"], IMAGES)
    assert isinstance(found["other"], np.memmap) == (save is np.savez)


def test_an_array_beside_a_file_of_targets(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    np.save(tmp_path / "digits.npy", np.arange(3))
    found, target = read_arrays(tmp_path / "images.npy", "digits.npy")
    assert target == "digits.npy"
    assert isinstance(found["X"], np.memmap)
    np.testing.assert_array_equal(found["X"], IMAGES)
    np.testing.assert_array_equal(found["digits.npy"], np.arange(3))
    with pytest.raises(UserError, match=r"got 'other'; there are 'digits.npy'"):
        read_arrays(tmp_path / "images.npy", "other")


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_objects_are_never_unpickled(tmp_path: Path, suffix: str) -> None:
    content = npy(np.array([Hostile(tmp_path / "ran")], object), pickled=True)
    path = tmp_path / f"rows{suffix}"
    if suffix == ".npz":
        archive(path, X=content)
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match="should be numbers .*, got Python objects"):
        read_inputs(path)
    assert not (tmp_path / "ran").exists()


def larger_than_it_is(values: NDArray[Any]) -> bytes:
    """An array whose header says that it has a thousand times as many rows."""
    return npy(values).replace(b"(3, 2, 4), }   ", b"(3000, 2, 4), }")


REFUSED = {
    "several fields": (npy(np.zeros(3, [("a", "f4")])), "should be numbers"),
    "complex numbers": (npy(IMAGES * 1j), "got the type complex64"),
    "dates": (npy(np.array(["2026-01-01"], "M8[D]")), "got the type datetime64"),
    "no rows": (npy(IMAGES[:0]), "should have rows and values, got the shape (0, 2, 4)"),
    "a number": (npy(np.array(1)), "should have rows and values, got the shape ()"),
    "cut off": (npy(IMAGES)[:-8], "should have 96 bytes of values by its shape (3, 2, 4), has 88"),
    "a false shape": (larger_than_it_is(IMAGES), "should have 96000 bytes of values"),
    "no array": (b"hello", "should be a .npz file of NumPy"),
}


@pytest.mark.parametrize(("content", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_array_of_numbers_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(UserError) as error:
        read_inputs(archive(tmp_path / "rows.npz", X=content))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_an_array_larger_than_the_memory_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "rows.npy"
    header = io.BytesIO()
    rows = 2**38
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (rows, 2)}
    )
    with path.open("wb") as file:
        file.write(header.getvalue())
        file.truncate(len(header.getvalue()) + 16 * rows)  # a hole: nothing is written
    with pytest.raises(UserError, match="takes 4096.0 GiB, and .* of memory are free"):
        read_inputs(path)


def test_a_zip_file_of_other_things_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("readme.txt", "hello")
    with pytest.raises(UserError, match=r"should hold arrays, .* got 'readme.txt'"):
        read_inputs(path)
    path.write_bytes(struct.pack("<I", 0x04034B50) + bytes(50))
    with pytest.raises(UserError, match=r"should be a .npz file of NumPy"):
        read_inputs(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_value_is_noticed(tmp_path: Path, save: Any) -> None:
    path = tmp_path / "rows.npz"
    save(path, X=np.random.default_rng(0).normal(size=(50, 2, 2)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"should be a .npz file of NumPy: "):
        read_inputs(path)


def test_many_small_arrays_are_counted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = SimpleNamespace(available=2.5 * IMAGES.nbytes)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    path = tmp_path / "rows.npz"
    np.savez_compressed(path, a=IMAGES, b=IMAGES)
    assert len(read_inputs(path)) == 2
    np.savez_compressed(path, a=IMAGES, b=IMAGES, c=IMAGES)
    with pytest.raises(UserError, match="of memory are free"):
        read_inputs(path)


WRONG: dict[str, tuple[dict[str, Any], Any, str]] = {
    "no such target": ({"X": IMAGES}, "y", "`target` 'y' is not an array of {}; its arrays: 'X'"),
    "no target": ({"X": IMAGES}, None, "`target` should name the array of {} to predict, got null"),
    "target alone": ({"y": [0, 1]}, "y", "{} has no array beside the target 'y'"),
    "other rows": ({"X": IMAGES, "y": [0, 1]}, "y", "array 'X' has 3 rows, and the target has 2"),
    "other rows of a table": (
        {"X": IMAGES[:, 0], "y": [0, 1]},
        "y",
        "array 'X' has 3 rows, and the target has 2",
    ),
    "one-hot": ({"X": IMAGES, "y": np.eye(3)}, "y", "target 'y' should have one value per row"),
    "nan target": ({"X": IMAGES, "y": [0, np.nan, 1]}, "y", "target 'y' has nan in row 2"),
    "inf target": ({"X": IMAGES, "y": [0, 1, -np.inf]}, "y", "target 'y' has -inf in row 3"),
    "nan": ({"X": IMAGES * np.nan, "y": [0, 1, 1]}, "y", "array 'X' has nan in row 1; expected"),
    "wide": (
        {"X": IMAGES.astype(float) + 1e300, "y": [0, 1, 1]},
        "y",
        "has 1e+300 in row 1; expected finite",
    ),
    "huge": (
        {"X": np.full((3, 1, 1), 2**63, np.uint64), "y": [0, 1, 1]},
        "y",
        "array 'X' has 9223372036854775808 in row 1; expected finite int64 numbers",
    ),
    "texts": ({"X": np.full((3, 2, 2), "a"), "y": [0, 1, 1]}, "y", "array 'X' should be numbers"),
    "no dimension": (
        {"a": [1, 2, 3], "b": IMAGES, "y": [0, 1, 1]},
        "y",
        "array 'a' should have rows and values, got the shape (3,); reshape it to (rows, 1)",
    ),
    "one class": ({"X": IMAGES, "y": [1, 1, 1]}, "y", "target 'y' has one class only, 1"),
}


@pytest.mark.parametrize(("arrays", "target", "words"), WRONG.values(), ids=WRONG)
def test_arrays_that_are_no_data_are_refused(
    tmp_path: Path, arrays: dict[str, Any], target: Any, words: str
) -> None:
    path = tmp_path / "rows.npz"
    np.savez(path, **arrays)
    with pytest.raises(UserError) as error:
        typed_rows(load_source(path, target), "auto")
    assert words.format(path) in str(error.value)
    assert "\n" not in str(error.value)
