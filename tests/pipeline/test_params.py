from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from onnxpress.errors import UserError
from onnxpress.pipeline.params import load_params, parse_params
from tests.conftest import ROOT, default_params, write_params


def test_the_committed_params_file_is_valid() -> None:
    assert parse_params(default_params()).convert.target_opset == 12


def test_every_key_of_the_committed_params_file_has_a_comment() -> None:
    lines = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()
    keys = [line for line in lines if line.startswith(("  ", "seed"))]
    assert [line for line in keys if "#" not in line and "experiment" not in line] == []


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"quantize__methd": "auto"}, "unknown key 'quantize.methd'; did you mean 'method'?"),
        ({"quantise": {}}, "unknown key 'quantise'; did you mean 'quantize'?"),
        ({"gate__colour": 1}, "valid keys: min_onnx_agreement"),
        ({"quantize__method": "int4"}, "quantize.method should be 'auto', 'none', 'dynamic'"),
        ({"data__test_size": 1.5}, "data.test_size should be less than 1, got 1.5"),
        (
            {"convert__target_opset": 99},
            "convert.target_opset should be less than or equal to 22, got 99",
        ),
        ({"seed": "forty-two"}, "seed should be a valid integer, got 'forty-two'"),
        ({"benchmark__batch_sizes": []}, "benchmark.batch_sizes should have at least 1 item"),
        (
            {"benchmark__n_iterations": True},
            "benchmark.n_iterations should be a valid integer, got True",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected_and_what_came(
    overrides: dict[str, Any], expected: str
) -> None:
    with pytest.raises(UserError, match="params.yaml") as error:
        parse_params(default_params(**overrides))
    assert expected in str(error.value)


def test_a_missing_key_is_named() -> None:
    content = default_params()
    del content["benchmark"]["threads"]
    with pytest.raises(UserError, match=r"key 'benchmark\.threads' is missing"):
        parse_params(content)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "an empty file"),
        ("- a\n- b", "list"),
        ("seed: [1", "not valid YAML"),
        ("seed: 42", "key 'data' is missing"),
    ],
)
def test_a_file_that_is_not_a_params_file_is_refused(
    workspace: Path, text: str, expected: str
) -> None:
    (workspace / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=expected):
        load_params()


def test_a_missing_file_is_named(workspace: Path) -> None:
    (workspace / "params.yaml").unlink()
    with pytest.raises(UserError, match=r"cannot read params\.yaml"):
        load_params()


def test_exponents_without_a_point_are_numbers_as_in_dvc(workspace: Path) -> None:
    text = yaml.safe_dump(default_params(evaluate__tolerance=0.5)).replace(
        "tolerance: 0.5", "tolerance: 1e-3"
    )
    (workspace / "params.yaml").write_text(text, encoding="utf-8")
    assert load_params().evaluate.tolerance == 0.001


@pytest.mark.parametrize("name", ["a%20b", "a?b", "a{b}", "${HOME}", "a\nb"])
def test_a_repository_where_the_chain_cannot_end_is_refused_by_its_first_stage(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    write_params(tmp_path / name, default_params())
    with pytest.raises(UserError, match="the store .* cannot be opened|the repository's path"):
        load_params()


def test_a_repository_may_have_any_other_name_and_more_where_the_store_is_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name, uri in (("a#b &;'\"[x] 한 글 100% $(id)", None), ("a%20b?", "http://127.0.0.1:5000")):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        write_params(tmp_path / name, default_params(publish__tracking_uri=uri))
        assert load_params().publish.tracking_uri == uri
