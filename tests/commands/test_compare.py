"""`onnxpress compare` on files, without any repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import get_scorer, ndcg_score
from sklearn.tree import DecisionTreeRegressor

from onnxpress.cli import main
from onnxpress.commands.compare import Pair
from onnxpress.commands.compare import main as compare
from onnxpress.commands.given_table import TableFile
from onnxpress.errors import UserError
from tests.support.ranking import queries


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two forests for the same classes, one for a quantity, and their rows."""
    made = tmp_path_factory.mktemp("compare")
    rows, target = load_wine(return_X_y=True, as_frame=True)
    rows.assign(kind=target).to_csv(made / "wine.csv", index=False)
    for name, seed in {"one": 0, "other": 1}.items():
        forest = RandomForestClassifier(10, random_state=seed).fit(rows[::2], target[::2])
        joblib.dump(forest, made / f"{name}.joblib")
    rows, target = load_diabetes(return_X_y=True, as_frame=True)
    rows.assign(y=target).to_parquet(made / "diabetes.parquet")
    joblib.dump(
        RandomForestRegressor(5, random_state=0).fit(rows, target), made / "quantity.joblib"
    )
    return made


def compared(
    folder: Path, capsys: pytest.CaptureFixture[str], *models: str, data: str, **words: Any
) -> dict[str, Any]:
    original, model = (folder / f"{name}.joblib" for name in models)
    compare(Pair(original, model, TableFile(folder / data), **words), in_json=True)
    printed = capsys.readouterr()
    return dict(json.loads(printed.out))


def test_scores_are_those_of_scikit_learn(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = compared(folder, capsys, "one", "other", data="wine.csv", target="kind")
    table = pd.read_csv(folder / "wine.csv")
    rows, target = table.drop(columns="kind"), table["kind"]
    one, other = (joblib.load(folder / f"{name}.joblib") for name in ("one", "other"))
    assert found["scores"] == [one.score(rows, target), other.score(rows, target)]
    assert found["agreement"] == (one.predict(rows) == other.predict(rows)).mean()


def test_scores_by_name_are_those_of_scikit_learn(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {"score": "f1_macro", "also": ("roc_auc_ovr",)}
    found = compared(folder, capsys, "one", "other", data="wine.csv", target="kind", **words)
    table = pd.read_csv(folder / "wine.csv")
    rows, target = table.drop(columns="kind"), table["kind"]
    models = [joblib.load(folder / f"{name}.joblib") for name in ("one", "other")]
    expected = [get_scorer("f1_macro")(each, rows, target) for each in models]
    assert found["scores"] == pytest.approx(expected)
    assert found["score"] == "f1_macro"
    expected = [get_scorer("roc_auc_ovr")(each, rows, target) for each in models]
    assert found["also"]["roc_auc_ovr"] == pytest.approx(expected, abs=1e-3)  # rows in float32
    assert found["also"]["accuracy"] == [each.score(rows, target) for each in models]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"score": "r2"}, "--score 'r2' is for regression"),
        ({"also": ("f1",)}, "--also 'f1' is for two classes"),
        ({"positive": "1"}, "--positive should be null, got '1'"),
        ({"score": "f1_macro", "target": None}, "--score takes the true classes or values"),
    ],
)
def test_a_score_that_does_not_fit_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: dict[str, Any], expected: str
) -> None:
    with pytest.raises(UserError) as error:
        compared(folder, capsys, "one", "other", data="wine.csv", **{"target": "kind", **words})
    assert str(error.value).startswith(expected)
    assert "\n" not in str(error.value)


def test_without_a_target_there_is_no_score(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = compared(folder, capsys, "one", "one", data="wine.csv")
    assert (found["agreement"], found["scores"], found["score_drop"]) == (1.0, None, None)


def test_the_model_says_what_the_target_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = compared(folder, capsys, "quantity", "quantity", data="diabetes.parquet", target="y")
    assert (found["task"], found["score_drop"]) == ("regression", 0.0)


def test_people_read_lines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(folder / "one.joblib"), str(folder / "one.joblib")]
    main(["compare", *words, "--data", str(folder / "wine.csv"), "--target", "kind"])
    printed = capsys.readouterr().out
    assert "same prediction on 178 of 178 rows" in printed
    assert "accuracy " in printed


@pytest.mark.parametrize(
    ("models", "data", "target", "expected"),
    [
        (("one", "quantity"), "wine.csv", "kind", "is for classification, model for regression"),
        (("one", "one"), "wine.csv", "sort", "--target 'sort' is not a column of"),
        (("one", "one"), "missing.csv", "kind", "which is not a file; correct the path"),
        (("one", "one"), "one.joblib", "kind", "--data should be a .csv or .parquet file"),
        (("one", "one"), "diabetes.parquet", "y", "--target holds the class 25, which original"),
        (("quantity", "quantity"), "wine.csv", "kind", "pass --data with the columns of its fit"),
        (("one", "none"), "wine.csv", "kind", "cannot read"),
    ],
)
def test_what_does_not_fit_is_one_line(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    models: tuple[str, str],
    data: str,
    target: str,
    expected: str,
) -> None:
    with pytest.raises(UserError) as error:
        compared(folder, capsys, *models, data=data, target=target)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_groups_are_no_feature_and_give_ndcg(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = queries(40, categories=False).fillna(0)
    table.to_csv(tmp_path / "queries.csv", index=False)
    rows, relevance = table[["price", "fit"]].astype("float32"), table["relevance"]
    for name, depth in {"one": 5, "other": 2}.items():
        tree = DecisionTreeRegressor(max_depth=depth).fit(rows.to_numpy(), relevance)
        joblib.dump(tree, tmp_path / f"{name}.joblib")
    paths = [str(tmp_path / name) for name in ("one.joblib", "other.joblib", "queries.csv")]
    options = ["--target", "relevance", "--group", "query", "--score", "ndcg_at_3", "--json"]
    main(["compare", *paths[:2], "--data", paths[2], *options])
    found = json.loads(capsys.readouterr().out)
    for path, score in zip(paths[:2], found["scores"], strict=True):
        predicted = joblib.load(path).predict(rows.to_numpy())
        of_queries = [
            ndcg_score([relevance[own]], [predicted[own]], k=3)
            for own in table.groupby("query").groups.values()
            if relevance[own].any()
        ]
        assert score == pytest.approx(np.mean(of_queries), abs=1e-9)
