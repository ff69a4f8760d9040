"""`onnxpress score s3://...`: objects are scored as files are, one copy at a time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyarrow import parquet

from onnxpress.commands.score.scoring import Job, main
from onnxpress.errors import ServerError, UserError
from onnxpress.pipeline.bucket import Bucket, StoredObject
from tests.support.scored import CLASSIFIER, OUT, QUANTIZED, contents, put, raw, store
from tests.support.servers import S3, s3_server

FRAME = raw()
FILES = {
    "rows/day=1/a.parquet": FRAME[:200],
    "rows/day=1/b.csv": FRAME[200:300],
    "rows/day=2/a.parquet": FRAME[300:],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with s3_server(tmp_path_factory.mktemp("store")) as s3:
        yield s3


@pytest.fixture(autouse=True)
def s3(server: S3, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> S3:
    """The rows in S3 and in a folder here, a model, and whose credentials the environment has."""
    assert workspace == Path.cwd()
    put(CLASSIFIER)
    for name, value in server.variables().items():
        monkeypatch.setenv(name, value)
    for key, frame in FILES.items():
        uploaded(server, key, frame)
    server.client().put_object(Bucket=server.bucket, Key="rows/_SUCCESS", Body=b"")
    return server


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The keys of the objects that are copied, and how many bytes of others lie there then."""
    found, fetch = [], Bucket.fetch

    def noting(self: Bucket, stored: StoredObject, path: Path) -> None:
        there = [each.stat().st_size for each in Path("outputs").glob(".unfinished*/**/*.*")]
        found.append((stored.key, sum(there)))
        fetch(self, stored, path)

    monkeypatch.setattr(Bucket, "fetch", noting)
    return found


def uploaded(s3: S3, key: str, frame: pd.DataFrame) -> None:
    path = store(frame, Path(key))
    s3.client().put_object(Bucket=s3.bucket, Key=key, Body=path.read_bytes())


def score(table: str, output: Path = OUT) -> None:
    main(Job(QUANTIZED, table, output, ("key",)))
    assert not list(Path("outputs").glob(".unfinished*"))


def refusal(table: str, output: Path = OUT) -> str:
    with pytest.raises(UserError) as caught:
        score(table, output)
    assert not list(Path("outputs").glob(".unfinished*"))
    return str(caught.value)


def tables(folder: Path = OUT) -> dict[str, Any]:
    """What was written, without what it was made from."""
    return {name: parquet.read_table(folder / name) for name in contents(folder)}


@pytest.mark.parametrize("pattern", ["rows", "rows/*/*", "rows/day=1/b.csv"])
def test_objects_are_scored_as_the_same_files_are(
    pattern: str, s3: S3, fetched: list[tuple[str, int]]
) -> None:
    score(pattern, Path("here"))
    assert not fetched
    score(f"s3://{s3.bucket}/{pattern}")
    assert tables() == tables(Path("here"))
    named = [key for key in FILES if pattern in key or pattern == "rows/*/*"]
    assert fetched == [(key, 0) for key in named]


def test_after_a_stop_only_what_is_left_is_fetched(
    s3: S3, fetched: list[tuple[str, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    score(f"s3://{s3.bucket}/rows")
    whole = contents()
    (OUT / "day=1/b.parquet").unlink()
    del fetched[:]
    score(f"s3://{s3.bucket}/rows")
    assert contents() == whole
    assert fetched == [("rows/day=1/b.csv", 0)]
    assert "2 of 3 files were scored before" in capsys.readouterr().out


def test_an_object_that_has_changed_is_not_mixed_with_what_it_was(
    s3: S3, fetched: list[tuple[str, int]]
) -> None:
    score(f"s3://{s3.bucket}/rows")
    whole = contents()
    (OUT / "day=2/a.parquet").unlink()
    uploaded(s3, "rows/day=1/a.parquet", FRAME[:199])
    del fetched[:]
    line = refusal(f"s3://{s3.bucket}/rows")
    assert line.startswith("scored/day=1/a.parquet was made from other rows than the object in S3")
    assert contents() == {name: whole[name] for name in list(whole)[:2]}
    assert not fetched


def test_an_object_that_changes_before_its_turn_ends_the_run_and_keeps_those_before(
    s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = Bucket.fetch

    def changing(self: Bucket, stored: StoredObject, path: Path) -> None:
        if stored.key == "rows/day=1/b.csv":
            uploaded(s3, stored.key, FRAME[:5])
        fetch(self, stored, path)

    monkeypatch.setattr(Bucket, "fetch", changing)
    with pytest.raises(ServerError, match=r"rows/day=1/b\.csv: the object changed or was removed"):
        score(f"s3://{s3.bucket}/rows")
    assert not list(Path("outputs").glob(".unfinished*"))
    before = contents()
    assert [*before] == ["day=1/a.parquet"]
    monkeypatch.setattr(Bucket, "fetch", fetch)
    score(f"s3://{s3.bucket}/rows")
    assert contents().items() > before.items()
    assert parquet.read_metadata(OUT / "day=1/b.parquet").num_rows == 5


def test_predictions_for_files_here_are_not_those_for_objects(s3: S3) -> None:
    score("rows")
    assert "other rows than the object in S3 has" in refusal(f"s3://{s3.bucket}/rows")
    shutil.rmtree(OUT)
    score(f"s3://{s3.bucket}/rows")
    assert "was made from other rows than it would be now" in refusal("rows")


def test_wrong_rows_are_named_with_its_address(s3: S3) -> None:
    uploaded(s3, "wrong/a.parquet", FRAME.drop(columns=CLASSIFIER.schema.columns[0].name))
    line = refusal(f"s3://{s3.bucket}/wrong")
    assert line.startswith(f"s3://{s3.bucket}/wrong/a.parquet lacks the column")
    number = next(each.name for each in CLASSIFIER.schema.columns if each.kind == "number")
    uploaded(s3, "wrong/a.parquet", FRAME.assign(**{number: "many"}))
    line = refusal(f"s3://{s3.bucket}/wrong")
    assert f"s3://{s3.bucket}/wrong/a.parquet" in line
    assert ".unfinished" not in line


@pytest.mark.parametrize(
    ("table", "output", "line"),
    [
        ("s3://artefacts/nothing", "scored", "s3://artefacts/nothing names no object"),
        ("s3://artefacts/rows/*.txt", "scored", "should be a .csv or .parquet file, or a folder"),
        ("s3://artefacts/rows/_SUCCESS", "scored", "should be a .csv or .parquet file, or a fol"),
        ("s3://me:secret-word@artefacts/rows", "scored", "without a login or a query"),
        ("rows", "s3://artefacts/scored", "--output should be a folder of this machine"),
    ],
)
def test_a_wrong_address_is_one_line(table: str, output: str, line: str) -> None:
    found = refusal(table, Path(output))
    assert line in found
    assert "secret-word" not in found
    assert ".unfinished" not in found
    assert "\n" not in found
    assert not contents()
