"""What a pipeline's arguments may be, and the line that refuses what they may not be."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kubeflow.run_chain import file_name, table_in
from kubeflow.settings import SETTINGS, write_settings
from kubeflow.source_address import file_name as name_at
from kubeflow.source_address import refuse_login
from kubeflow.tracking_server import tracking_server
from onnxpress.errors import UserError
from tests.conftest import default_params

GIVEN = {"data.source": "data/birds.csv", "data.target": "species"}


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")


def written(workspace: Path) -> dict[str, dict[str, object]]:
    content: dict[str, dict[str, object]] = yaml.safe_load((workspace / "params.yaml").read_text())
    return content


def test_settings_change_the_keys_that_they_name_and_no_other(workspace: Path) -> None:
    write_settings("{train.params: {n_estimators: 7}, quantize.level: lossless}", GIVEN)
    expected = default_params(
        train__params={"n_estimators": 7},
        quantize__level="lossless",
        data__source="data/birds.csv",
        data__target="species",
    )
    assert written(workspace) == expected
    assert not SETTINGS.exists()


def test_without_settings_only_the_table_changes(workspace: Path) -> None:
    write_settings(" ", GIVEN)
    expected = default_params(data__source="data/birds.csv", data__target="species")
    assert written(workspace) == expected


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("{train.estimatr: SVC}", "did you mean 'estimator'"),
        ("{seed: many}", "seed"),
        ("{data.target: other}", "comes from the step's other arguments"),
        ("[1, 2]", "should hold keys of params.yaml"),
        ("{a: 1", "not valid YAML"),
        ("{publish.tracking_uri: 'http://me:secret1234@host'}", "should hold no password"),
    ],
)
def test_wrong_settings_are_refused_and_change_nothing(
    settings: str, words: str, workspace: Path
) -> None:
    with pytest.raises(UserError, match=words) as refused:
        write_settings(settings, GIVEN)
    assert "secret1234" not in str(refused.value)
    assert written(workspace) == default_params()
    assert not SETTINGS.exists()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("s3://bucket/a/birds.csv", "birds.csv"),
        ("https://example.org/rows.parquet?versionId=1", "rows.parquet"),
        ("/mnt/rows.csv", "rows.csv"),
    ],
)
def test_a_table_keeps_its_name(source: str, name: str) -> None:
    assert name_at(source) == name


@pytest.mark.parametrize("source", ["s3://bucket/folder", "irsi", "s3://bucket/rows.xlsx"])
def test_what_is_no_table_is_refused(source: str) -> None:
    with pytest.raises(UserError, match="source should be one of iris, .* got "):
        name_at(source)


@pytest.mark.parametrize("address", ["s3://me:password9@bucket/a.csv", "https://me:pa/ss@host/a"])
def test_an_address_with_a_login_is_refused_unseen(address: str) -> None:
    with pytest.raises(UserError, match="cache should") as refused:
        refuse_login("cache", address)
    assert "pass" not in str(refused.value)
    assert "me" not in str(refused.value).split()


def test_rows_are_a_file_or_a_folder_with_one(tmp_path: Path) -> None:
    table = tmp_path / "folder" / "birds.csv"
    table.parent.mkdir()
    with pytest.raises(UserError, match="an empty folder"):
        table_in(table.parent)
    table.write_text("a\n1\n")
    assert table_in(table.parent) == table_in(table) == table
    (table.parent / "more.csv").write_text("a\n1\n")
    with pytest.raises(UserError, match=r"got birds.csv, more.csv"):
        table_in(table.parent)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("birds.csv", b"a\n", "birds.csv"),
        ("rows", b"a\n", "rows.csv"),
        ("rows", b"PAR1....", "rows.parquet"),
    ],
)
def test_an_artefact_without_a_suffix_is_known_by_its_bytes(
    name: str, data: bytes, expected: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    assert file_name(tmp_path / name) == expected


def test_the_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert tracking_server("").uri == "http://127.0.0.1:1"
    assert tracking_server("http://127.0.0.1:2").uri == "http://127.0.0.1:2"


@pytest.mark.parametrize("address", ["", "sqlite:///mlflow.db"])
def test_a_store_that_would_end_with_the_step_is_refused(address: str) -> None:
    with pytest.raises(UserError, match="should be the address of an MLflow server"):
        tracking_server(address)
