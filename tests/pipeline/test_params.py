from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from onnxpress.errors import UserError
from onnxpress.pipeline.params import load_asked, load_params, parse_params
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
        ({"package__name": "Iris"}, "package.name should be at most 40 lower-case letters"),
        ({"package__name": "a" * 41}, "package.name should be at most 40 lower-case letters"),
        ({"package__cpu": "2 cores"}, 'package.cpu should be cores, such as "1" or "0.5"'),
        ({"package__cpu": "0.0"}, "package.cpu should be cores"),
        ({"package__memory": "512MB"}, "package.memory should be an amount of memory, such as"),
        ({"package__instances": 0}, "package.instances should be greater than or equal to 1"),
        (
            {"package__canary_percent": 101},
            "package.canary_percent should be less than or equal to 100, got 101",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected_and_what_came(
    overrides: dict[str, Any], expected: str
) -> None:
    with pytest.raises(UserError, match="params.yaml") as error:
        parse_params(default_params(**overrides))
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            {"quantize__max_drop": {"scor": 0.1}},
            "params.yaml: unknown key 'quantize.max_drop.scor'; did you mean 'score'?",
        ),
        (
            {"gate__max_drop": {"average_precison": 0.1}},
            "unknown key 'gate.max_drop.average_precison'; did you mean 'average_precision'?",
        ),
        ({"gate__max_drop": {"zzz": 0.1}}, "unknown key 'gate.max_drop.zzz'; valid keys: score"),
        (
            {"quantize__max_drop": {"score": -0.1}},
            "quantize.max_drop.score should be greater than or equal to 0, got -0.1",
        ),
        (
            {"quantize__max_drop": {"max_abs_error_p0": 1}},
            "unknown key 'quantize.max_drop.max_abs_error_p0'; did you mean 'max_abs_error'?",
        ),
        (
            {"quantize__max_drop": {"score": float("inf")}},
            "quantize.max_drop.score should be a finite number, got inf",
        ),
        (
            {"quantize__max_drop": {"score": True}},
            "quantize.max_drop.score should be a valid number, got True",
        ),
        (
            {"quantize__max_drop": {1: 0.5}},
            "quantize.max_drop.1 should be a valid string, got 1",
        ),
        (
            {"gate__max_drop": 0.01},
            "gate.max_drop should be a mapping of limits, as {score: 0.01}, got 0.01",
        ),
        (
            {"gate__max_accuracy_drop": 0.02},
            (
                "gate.max_accuracy_drop is now gate.max_drop.score; run `onnxpress migrate`, "
                "or write `max_drop: {score: 0.02}`"
            ),
        ),
        (
            {"quantize__max_accuracy_drop": None},
            (
                "quantize.max_accuracy_drop is now quantize.max_drop.score; "
                "run `onnxpress migrate`, or write `max_drop: {score: null}`"
            ),
        ),
        (
            {"evaluate__score": "mean_absolute_error"},
            (
                "evaluate.score should name a scorer of scikit-learn "
                "(did you mean 'neg_mean_absolute_error'?), got 'mean_absolute_error'"
            ),
        ),
        (
            {"evaluate__also": ["auc"]},
            "evaluate.also.0 should name a scorer of scikit-learn (did you mean 'roc_auc'?)",
        ),
        ({"evaluate__score": 1}, "evaluate.score should be a valid string, got 1"),
        ({"evaluate__positive": 0.5}, "evaluate.positive"),
        (
            {"gate__max_drop": {"f1": 0.1}},
            "gate.max_drop limits 'f1', which is not measured; add it to evaluate.also",
        ),
        (
            {"gate__max_drop": {"max_abs_error_p90": 0.1}},
            "limits 'max_abs_error_p90', which is not measured on test rows; choose one of max_abs",
        ),
        *(
            (
                {f"{section}__{key}": value},
                (
                    f"params.yaml: {section}.{key} has '{name}', which compares rows of one group; "
                    "name the column that says which rows belong together in data.group"
                ),
            )
            for section, key, name, value in (
                ("evaluate", "score", "ndcg", "ndcg"),
                ("evaluate", "also", "ndcg_at_10", ["f1", "ndcg_at_10"]),
                ("quantize", "max_drop", "ndcg_at_3", {"ndcg_at_3": 0.1}),
            )
        ),
        ({"evaluate__score": "ndcg@10"}, "(did you mean 'ndcg_at_10'?), got 'ndcg@10'"),
        ({"data__group": ["a", "b"]}, "data.group should be a valid string"),
    ],
)
def test_a_wrong_score_or_limit_is_named(overrides: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError, match=re.escape(expected)) as error:
        parse_params(default_params(**overrides))
    assert "\n" not in str(error.value)


def test_a_limit_that_is_left_out_has_its_default_and_null_switches_it_off() -> None:
    params = parse_params(
        default_params(quantize__max_drop={"recall_worst_loss": None}, gate__max_drop={})
    )
    assert params.quantize.max_drop == {"score": 0.0, "recall_worst_loss": None}
    assert params.gate.max_drop == {"score": 0.01, "recall_worst_loss": 0.05}


def test_params_of_an_earlier_edition_without_limits_and_scores_have_the_defaults() -> None:
    content = default_params()
    for section, key in (("quantize", "max_drop"), ("gate", "max_drop"), ("evaluate", "score")):
        del content[section][key]
    assert parse_params(content).model_dump() == parse_params(default_params()).model_dump()


def test_a_scorer_that_is_recorded_may_be_limited() -> None:
    for overrides in ({"evaluate__score": "f1"}, {"evaluate__also": ["f1"]}):
        limits = {"f1": 0.1, "max_abs_error_p95": 2, "log_loss": None}
        given = default_params(gate__max_drop=limits, **overrides)
        assert parse_params(given).gate.max_drop["f1"] == 0.1


def test_a_score_of_groups_is_taken_with_groups() -> None:
    content = default_params(data__group="query", evaluate__score="ndcg")
    content["gate"]["max_drop"] = {"ndcg": 0.1}
    assert parse_params(content).evaluate.score == "ndcg"


def test_the_keys_of_a_section_that_are_read_are_told_to_the_audit() -> None:
    params = parse_params(default_params())
    told: list[str] = []
    sys.addaudithook(
        lambda event, values: told.append(values[0]) if event == "onnxpress.params" else None
    )
    told.clear()
    assert params.evaluate.score is None
    assert params.train.trusted == ()
    assert set(told) == {"evaluate", "evaluate.score", "train", "train.trust", "train.estimator"}
    told.clear()
    params.convert.model_dump()
    assert told == ["convert", "convert.target_opset"]


def test_what_train_checks_beside_its_own_keys_is_no_reading(workspace: Path) -> None:
    write_params(workspace, default_params(evaluate__score="f1", evaluate__positive=1))
    told: list[str] = []
    sys.addaudithook(
        lambda event, values: told.append(values[0]) if event == "onnxpress.params" else None
    )
    asked = load_asked()
    assert (asked.score, asked.positive, asked.calibration["score"]) == ("f1", 1, 0.0)
    assert told == []


def test_where_work_is_done_is_no_dependency_and_may_be_left_out() -> None:
    content = default_params(engine__scheduler="tcp://[::1]:8786")
    params = parse_params(content)
    told: list[str] = []
    sys.addaudithook(
        lambda event, values: told.append(values[0]) if event == "onnxpress.params" else None
    )
    assert params.engine.scheduler == "tcp://[::1]:8786"
    assert told == []
    del content["engine"]
    assert parse_params(content).engine.scheduler is None


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:8786", "tcp://127.0.0.1", "tcp://host:0", "tls://host:65536", "inproc://x:1", "",
     "tcp://host:8786/x", "ws://host:80", "tcp://a b:1"],
)  # fmt: skip
def test_what_is_no_address_of_a_scheduler_is_refused(address: str) -> None:
    with pytest.raises(UserError, match="^params.yaml: engine.scheduler should be tcp://host:port"):
        parse_params(default_params(engine__scheduler=address))


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


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("s3://bucket/models/", "s3://bucket/models"),
        ("s3://bucket", "s3://bucket"),
        ("gs://bucket/a/b", "gs://bucket/a/b"),
        ("/srv/models", "file:///srv/models"),
        ("file:///srv/models", "file:///srv/models"),
    ],
)
def test_the_place_of_served_models_is_an_address_without_a_last_slash(
    written: str, meant: str
) -> None:
    assert parse_params(default_params(package__storage_uri=written)).package.storage_uri == meant


@pytest.mark.parametrize("place", ["s3://me:hunter22@bucket/x", "s3://bucket/x?token=hunter22"])
def test_a_login_in_the_place_of_served_models_is_not_repeated(place: str) -> None:
    with pytest.raises(UserError, match=r"package\.storage_uri should") as error:
        parse_params(default_params(package__storage_uri=place))
    assert "hunter22" not in str(error.value)


@pytest.mark.parametrize(
    "place", ["models", "../models", "/srv/../etc", "ftp://host/x", "s3://", "/srv/a b"]
)
def test_another_place_of_served_models_is_refused(place: str) -> None:
    with pytest.raises(UserError) as error:
        parse_params(default_params(package__storage_uri=place))
    assert str(error.value) == (
        "params.yaml: package.storage_uri should be s3://bucket/folder, gs://bucket/folder or the "
        f"whole path of a folder, of plain letters and without a login, got {place!r}"
    )
