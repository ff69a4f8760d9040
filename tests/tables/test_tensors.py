"""Tensors keep their rows, values and targets together from the file to the parts of the split."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from onnxpress.errors import UserError
from onnxpress.estimators.building import build
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.tables.schema import as_schema
from onnxpress.tables.sources import load_source, typed_rows
from stages import prepare, train
from tests.conftest import changed, default_params, write_params

ROWS = 60
CLASSES = np.repeat(["cat", "dog"], [20, 40])
NUMBER = np.arange(ROWS)
IMAGES = (NUMBER[:, None, None, None] * np.ones((1, 1, 2, 3))).astype(np.float16)
"""Every value of a row is the row's number."""

WORDS = np.c_[NUMBER, NUMBER + 2**40]


SETTINGS = {"data__source": "data/rows.npz", "data__target": "y"}


@pytest.fixture
def project(workspace: Path) -> Path:
    """A folder with data/rows.npz of images and words, and params.yaml that names it."""
    (workspace / "data").mkdir(exist_ok=True)
    np.savez(workspace / "data" / "rows.npz", image=IMAGES, words=WORDS, y=CLASSES)
    write_params(workspace, changed(default_params(), **SETTINGS, data__calibration_size=0.5))
    return workspace


def test_parts_hold_the_rows_once_and_stratified(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare.main()
    schema = read_schema()
    assert schema.describe_columns() == "'image' 1 x 2 x 3 float32, 'words' 2 int64"
    found = []
    for part in ("train", "calibration", "test"):
        rows = read_rows(project / "outputs" / f"{part}.parquet", schema)
        image, words = rows.feeds["image"], rows.feeds["words"]
        assert [str(values.dtype) for values in (image, words)] == ["float32", "int64"]
        assert image.shape[1:] == (1, 2, 3)
        number = words[:, 0]
        np.testing.assert_array_equal(image, IMAGES[number])
        np.testing.assert_array_equal(words, WORDS[number])
        np.testing.assert_array_equal(rows.target, CLASSES[number])
        assert np.mean(rows.target == "cat") == pytest.approx(1 / 3, abs=0.05)
        found += number.tolist()
    assert sorted(found) == NUMBER.tolist()
    said = capsys.readouterr().out
    assert "data/rows.npz: 60 rows, 'image' 1 x 2 x 3 float32, 'words' 2 int64" in said
    assert "warning" not in said


def test_there_may_be_no_calibration_rows(project: Path) -> None:
    write_params(project, changed(default_params(), **SETTINGS, data__calibration_size=None))
    prepare.main()
    rows = read_rows(project / "outputs" / "calibration.parquet", read_schema())
    assert len(rows) == 0
    assert rows.feeds["image"].shape == (0, 1, 2, 3)


def test_rows_in_two_parts_are_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twice = np.repeat(np.arange(ROWS // 2), 2)
    np.savez(project / "data" / "rows.npz", image=IMAGES[twice], y=CLASSES[2 * twice])
    prepare.main()
    assert "test rows are also among the training rows" in capsys.readouterr().out


def test_the_same_arrays_make_the_same_bytes(project: Path) -> None:
    prepare.main()
    path = project / "outputs" / "train.parquet"
    before = path.read_bytes()
    np.savez_compressed(project / "data" / "rows.npz", image=IMAGES, words=WORDS, y=CLASSES)
    prepare.main()
    assert path.read_bytes() == before


def test_other_bytes_are_refused(project: Path) -> None:
    prepare.main()
    schema, path = read_schema(), project / "outputs" / "test.parquet"
    wider = replace(schema.columns[0], shape=(1, 2, 4))
    with pytest.raises(UserError, match="column 'image' should have 32 bytes a row"):
        read_rows(path, replace(schema, columns=(wider, schema.columns[1])))
    with pytest.raises(UserError, match="is not what the prepare stage writes"):
        read_rows(path, replace(schema, columns=(replace(wider, name="other"),)))


@pytest.mark.usefixtures("project")
def test_a_schema_of_tensors_is_read_as_it_was_written() -> None:
    prepare.main()
    schema = read_schema()
    assert as_schema(json.loads(json.dumps(schema.to_json()))) == schema
    assert [column.shape for column in schema.columns] == [(1, 2, 3), (2,)]


def test_groups_stay_whole(project: Path) -> None:
    patient = np.array([f"p{number // 5}" for number in range(ROWS)])
    np.savez(project / "data" / "rows.npz", image=IMAGES, y=CLASSES, patient=patient)
    params = yaml.safe_load((project / "params.yaml").read_text())
    write_params(project, changed(params, data__group="patient"))
    prepare.main()
    parts = [
        set(read_rows(project / f"outputs/{part}.parquet", read_schema()).feeds["image"].ravel())
        for part in ("train", "calibration", "test")
    ]
    groups = [{patient[int(number)] for number in part} for part in parts]
    assert sum(map(len, groups)) == len(set.union(*groups)) == ROWS // 5
    assert sum(map(len, parts)) == ROWS
    write_params(project, changed(params, data__group="doctor"))
    with pytest.raises(UserError, match=r"data.group 'doctor' is not an array of data/rows.npz"):
        prepare.main()


def test_several_targets(project: Path) -> None:
    np.savez(project / "data" / "rows.npz", image=IMAGES, a=NUMBER / 7, b=-NUMBER / 3)
    params = yaml.safe_load((project / "params.yaml").read_text())
    write_params(project, changed(params, data__target=["a", "b"]))
    prepare.main()
    rows = read_rows(project / "outputs" / "train.parquet", read_schema())
    number = rows.feeds["image"][:, 0, 0, 0].astype(int)
    np.testing.assert_array_equal(rows.target, np.c_[number / 7, -number / 3])


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_a_lone_matrix_is_a_table(tmp_path: Path, suffix: str) -> None:
    matrix, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 2
    target = "y" if suffix == ".npz" else "y.npy"
    if suffix == ".npz":
        np.savez(tmp_path / "rows.npz", X=matrix, y=y)
    else:
        np.save(tmp_path / "rows.npy", matrix)
        np.save(tmp_path / "y.npy", y)
    frame, schema = typed_rows(load_source(tmp_path / f"rows{suffix}", target), "auto")
    assert [(each.name, each.kind) for each in schema.columns] == [
        (f"x{place}", "number") for place in range(3)
    ]
    np.testing.assert_array_equal(frame.iloc[:, :3].to_numpy(), matrix.astype(np.float32))
    np.testing.assert_array_equal(frame[target], y)


@pytest.mark.usefixtures("project")
def test_estimators_of_tables_are_refused_before_a_fit() -> None:
    prepare.main()
    with pytest.raises(UserError) as error:
        train.main()
    assert str(error.value) == (
        "params.yaml: train.estimator RandomForestClassifier takes a table of numbers, and the "
        "data have 'image' 1 x 2 x 3 float32, 'words' 2 int64 for a row; save them as one array X, "
        "X.reshape(len(X), -1), or give an .onnx model"
    )


def test_text_is_of_tables_alone(tmp_path: Path) -> None:
    path: Any = tmp_path / "rows.npz"
    np.savez(path, image=IMAGES, y=CLASSES)
    with pytest.raises(UserError, match="`text` names columns of a table, and .* holds arrays"):
        load_source(path, "y", text=["image"])
    frame, schema = typed_rows(load_source(path, "y"), "auto")
    assert list(frame) == ["y"]
    with pytest.raises(UserError, match="takes a table of numbers"):
        build("MLPClassifier", {}, schema, 0)
