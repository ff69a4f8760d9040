from __future__ import annotations

import math
from pathlib import Path

import pytest

from onnxpress.errors import UserError
from onnxpress.pipeline.files import (
    atomic_path,
    read_json,
    write_bytes,
    write_folder,
    write_json,
)
from onnxpress.pipeline.named_file import placed
from onnxpress.pipeline.outputs import candidate_name, candidate_path
from onnxpress.quantize.methods import METHODS


def test_json_is_sorted_rounded_and_ends_with_a_newline(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1 / 3, "a": {"y": 1, "x": [2 / 3]}})
    assert (tmp_path / "a.json").read_text() == (
        '{\n  "a": {\n    "x": [\n      0.666667\n    ],\n    "y": 1\n  },\n  "b": 0.333333\n}\n'
    )


def test_json_with_nan_is_a_bug_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "a.json", {"a": math.nan})
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_bytes(path, b"old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_bytes(b"half of the n")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    write_folder(tmp_path / "candidates", {"a.onnx": b"1", "b.onnx": b"2"})
    write_folder(tmp_path / "candidates", {"c.onnx": b"3"})
    assert {path.name: path.read_bytes() for path in (tmp_path / "candidates").iterdir()} == {
        "c.onnx": b"3"
    }
    assert [path.name for path in tmp_path.iterdir()] == ["candidates"]


def test_a_folder_that_fails_half_way_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    write_folder(tmp_path / "candidates", {"a.onnx": b"1"})
    with pytest.raises(UserError, match="cannot write"):
        write_folder(tmp_path / "candidates", {"b.onnx": b"2", "b.onnx/c.onnx": b"3"})
    assert {path.name: path.read_bytes() for path in (tmp_path / "candidates").iterdir()} == {
        "a.onnx": b"1"
    }
    assert [path.name for path in tmp_path.iterdir()] == ["candidates"]


@pytest.mark.parametrize("name", ["none", "forest/refined-8x3", "forest+kernel/lossless+int8"])
def test_the_name_of_a_candidate_is_read_from_its_file(name: str) -> None:
    assert candidate_name(candidate_path(name)) == name
    assert "/" not in candidate_path(name).name


def test_no_method_has_a_name_that_could_not_be_found_again() -> None:
    assert not [method for method in METHODS if "-" in method]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="cannot write"):
        write_bytes(tmp_path / "outputs" / "model.onnx", b"")


@pytest.mark.parametrize(
    ("content", "expected"),
    [("{", "should hold JSON"), ("[]", "should hold a JSON object, got list")],
)
def test_a_file_that_is_not_a_json_object_is_named(
    tmp_path: Path, content: str, expected: str
) -> None:
    (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(UserError, match=expected):
        read_json(tmp_path / "metrics.json")


def test_a_link_is_followed_into_the_cache_of_dvc_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cached = tmp_path / "cache" / "files" / "md5" / "d9" / f"{0x551413C8:030x}"
    for path in (cached, tmp_path / "elsewhere.csv"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a")
    folder = Path("data")
    folder.mkdir()
    Path("data/a.csv").symlink_to(cached)
    assert placed("data/a.csv", folder, "data.source") == Path("data/a.csv")
    Path("data/b.csv").symlink_to(tmp_path / "elsewhere.csv")
    with pytest.raises(
        UserError, match=r"should lie under data/ .*, a link to elsewhere; copy the file there"
    ):
        placed("data/b.csv", folder, "data.source")
    with pytest.raises(UserError, match=r"should lie under data/ .*; move it there"):
        placed(str(cached), folder, "data.source")


def test_a_folder_is_written_with_its_folders_and_an_old_one_replaced_whole(tmp_path: Path) -> None:
    write_folder(tmp_path / "served", {"old": b"0", "model/1/old": b"1"})
    write_folder(tmp_path / "served", {"README.md": b"2", "model/1/model.onnx": b"3"})
    found = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert found == {"served/README.md": b"2", "served/model/1/model.onnx": b"3"}
