"""`onnxpress export-c` and `export-sql` on files, without any repository."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from onnxpress import convert
from onnxpress.cli import main
from tests.support.compilers import compiled, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A forest and another model as ONNX, and rows with the target among them."""
    made = tmp_path_factory.mktemp("export")
    rows, target = load_wine(return_X_y=True, as_frame=True)
    rows.assign(kind=target)[["kind", *rows.columns[::-1]]].to_csv(made / "wine.csv", index=False)
    forest = RandomForestClassifier(5, random_state=0).fit(rows, target)
    (made / "my forest.onnx").write_bytes(convert(forest, rows).SerializeToString())
    (made / "svc.onnx").write_bytes(convert(SVC().fit(rows, target), rows).SerializeToString())
    return made


def exported(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    model = str(folder / "my forest.onnx")
    main(["export-c", model, "--json", *words])
    return json.loads(capsys.readouterr().out)


def test_the_test_program_has_rows_of_the_file_by_the_names_of_columns(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    output = tmp_path / "new" / "folder"
    words = ("--output", str(output), "--data", str(folder / "wine.csv"))
    found = exported(folder, capsys, *words)
    names = ["my_forest.h", "my_forest.c", "my_forest_test.c"]
    assert found["files"] == [str(output / name) for name in names]
    assert found["exact"]
    assert found["left_out"] == 0
    assert "0x4163ae14u" in (output / names[2]).read_text()  # 14.23, the alcohol of the first wine
    done = run(compiled(output, "my_forest", "gcc"))
    assert done.stdout == f"0 of {found['test_rows']} rows differ from onnxruntime\n"


def test_the_same_model_gives_the_same_bytes(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("one", "other"):
        exported(folder, capsys, "--output", str(tmp_path / name))
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "other" / file.name).read_bytes()


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as left:
        main(list(words))
    assert left.value.code == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


def test_what_is_there_is_replaced_only_by_force(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ("--output", str(tmp_path))
    exported(folder, capsys, *words)
    before = (tmp_path / "my_forest.c").read_bytes()
    (tmp_path / "my_forest.c").write_text("mine")
    line = refused(capsys, "export-c", str(folder / "my forest.onnx"), *words)
    assert "is there already; choose another --output, or pass --force" in line
    assert (tmp_path / "my_forest.c").read_text() == "mine"
    exported(folder, capsys, *words, "--force")
    assert (tmp_path / "my_forest.c").read_bytes() == before


def test_a_model_without_a_form_in_c_leaves_no_file(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    line = refused(capsys, "export-c", str(folder / "svc.onnx"), "-o", str(tmp_path / "out"))
    assert "has no form in C or SQL" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("wine.csv",), "MODEL should be an .onnx file"),
        (("svc.onnx", "--data", "none.csv"), "has no form in C or SQL"),
        (("my forest.onnx", "--data", "none.csv"), "which is not a file"),
        (("my forest.onnx", "--data", "few.csv"), "should have the columns alcohol, malic_acid"),
        (("my forest.onnx", "--output", "wine.csv"), "--output should be a folder"),
        (("my forest.onnx", "--output", "wine.csv/a"), "--output wine.csv/a cannot be made: Not a"),
    ],
)
def test_what_is_wrong_is_one_line(
    words: tuple[str, ...],
    line: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    (folder / "few.csv").write_text("a,b\n1,2\n")
    assert line in refused(capsys, "export-c", *words)


def test_an_expression_labels_the_rows_of_a_table(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, target = load_wine(return_X_y=True, as_frame=True)
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(rows, target)
    monkeypatch.chdir(tmp_path)
    Path("tree.onnx").write_bytes(convert(tree, rows).SerializeToString())
    main(["export-sql", "tree.onnx", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["columns"] == list(rows.columns)
    with sqlite3.connect(":memory:") as store:
        rows.to_sql("wine", store)
        sql = f"SELECT {Path('tree.sql').read_text()} FROM wine"  # noqa: S608 - under test
        assert [label for (label,) in store.execute(sql)] == tree.predict(rows).tolist()
    main(["export-sql", "tree.onnx", "-o", "shares.sql", "--probabilities", "--json"])
    found = json.loads(capsys.readouterr().out)
    with sqlite3.connect(":memory:") as store:
        rows.to_sql("wine", store)
        shares = pd.read_sql(f"SELECT {Path('shares.sql').read_text()} FROM wine", store)  # noqa: S608 - under test
    assert list(shares.columns) == found["gives"] == [f"probability_{kind}" for kind in range(3)]
    np.testing.assert_allclose(shares, tree.predict_proba(rows), rtol=0, atol=1e-7)
    line = refused(capsys, "export-sql", "tree.onnx")
    assert "tree.sql is there already; choose another --output, or pass --force" in line
    line = refused(capsys, "export-sql", str(folder / "my forest.onnx"), "-o", "no/where.sql")
    assert line.count("--level refined") == 1
