"""A column of free text beside numbers and categories, through the stages of the chain."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from onnxpress.errors import UserError
from onnxpress.estimators.loading import load_original
from onnxpress.estimators.predicting import predict_original
from onnxpress.pipeline.files import read_json
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.runtime.sessions import load_session, predict_onnx
from onnxpress.tables.rows import Rows, sklearn_input
from stages import convert, evaluate, prepare, quantize, train
from tests.conftest import default_params, write_params

ODD = ("Café", "naïve", "Straße", "don't", "x1", "I", "a", "日本", "semi-colon;", "UPPER")
"""Words that tokenizers split or fold in different ways."""


def reviews(path: Path, words: int = 1500, rows: int = 1200) -> None:
    """A CSV file of generated reviews; each class prefers a third of the words.

    A few rows have no text.
    """
    rng = np.random.default_rng(0)
    vocabulary = [
        *("".join(rng.choice(list("abcdefghij"), rng.integers(2, 8))) for _ in range(words)),
        *ODD,
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["stars", "shop", "review", "topic"])
        for row in range(rows):
            topic = row % 3
            weights = np.ones(len(vocabulary))
            weights[topic * 500 : topic * 500 + 500] = 3
            text = (
                " ".join(
                    rng.choice(vocabulary, rng.integers(5, 40), p=weights / weights.sum())
                ).capitalize()
                + "!"
            )
            writer.writerow(
                [
                    rng.integers(1, 6),
                    rng.choice(["north", "south"]),
                    text if row % 50 else "",
                    f"topic {topic}",
                ]
            )


def chain(*stages: Any, **changes: Any) -> None:
    params = {
        "data__source": "data/reviews.csv",
        "data__target": "topic",
        "data__text": ["review"],
        "train__estimator": "LogisticRegression",
        "train__params": {},
        "evaluate__probe_rows": 500,
    }
    write_params(Path(), default_params(**{**params, **changes}))
    for stage in stages:
        stage.main()


@pytest.fixture
def shop(workspace: Path) -> Path:
    """A folder with reviews in data/."""
    reviews(workspace / "data" / "reviews.csv")
    return workspace


@pytest.mark.parametrize("ngrams", [[1, 1], [1, 2]], ids=["words", "pairs"])
def test_a_linear_model_of_text_gives_scikit_learns_answers_as_onnx_and_gets_smaller(
    shop: Path, ngrams: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    chain(prepare, train, convert, train__text={"max_features": 3000, "ngram_range": ngrams})
    schema = read_schema()
    assert [column.kind for column in schema.columns] == ["number", "category", "text"]
    rows = read_rows(shop / "outputs" / "test.parquet", schema)
    original = predict_original(
        load_original(shop / "outputs" / "model.joblib"), rows.feeds, schema
    )
    answer = predict_onnx(load_session(shop / "outputs" / "model.onnx"), rows.feeds)
    assert np.array_equal(answer.values, original.values)
    assert answer.scores == pytest.approx(original.scores, abs=1e-6)
    capfd.readouterr()
    ort.InferenceSession(shop / "outputs" / "model.onnx")
    assert capfd.readouterr().err == ""  # onnxruntime says so where it has to tidy a model up
    if ngrams == [1, 2]:
        return
    chain(quantize, evaluate)
    assert read_json(shop / "outputs" / "quantization.json")["candidate"] in {
        "dense/int8",
        "float16",
    }
    metrics = read_json(shop / "outputs" / "metrics.json")
    assert metrics["quantized_size_kb"] < metrics["onnx_size_kb"]
    assert (metrics["onnx_agreement"], metrics["onnx_probe_agreement"]) == (1, 1)


def give_counts(shop: Path, rows: Rows) -> None:
    """Store a fitted pipeline that counts words and refuses a shop that it has not seen."""
    columns = [
        ("words", CountVectorizer(max_features=500), "review"),
        ("shop", OneHotEncoder(), ["shop"]),
    ]
    model = make_pipeline(ColumnTransformer(columns), LogisticRegression(max_iter=1000))
    (shop / "models").mkdir()
    joblib.dump(
        model.fit(sklearn_input(rows.feeds), rows.target), shop / "models" / "counts.joblib"
    )


def test_counts_of_words_in_a_given_pipeline_give_the_same_answers(shop: Path) -> None:
    chain(prepare, data__calibration_size=0.2)
    rows = read_rows(shop / "outputs" / "train.parquet", read_schema())
    give_counts(shop, rows)
    given = {"data__calibration_size": 0.2, "train__model_path": "models/counts.joblib"}
    chain(train, convert, quantize, evaluate, **given)
    metrics = read_json(shop / "outputs" / "metrics.json")
    assert (metrics["onnx_agreement"], metrics["onnx_probe_agreement"]) == (1, 1)
    assert read_json(shop / "outputs" / "quantization.json")["candidate"] != "none"
    assert metrics["quantized_size_kb"] < metrics["onnx_size_kb"]


def test_a_given_model_that_refuses_a_category_of_the_calibration_rows_is_one_line(
    shop: Path,
) -> None:
    chain(prepare, data__calibration_size=0.2)
    rows = read_rows(shop / "outputs" / "train.parquet", read_schema())
    give_counts(shop, rows.take(np.flatnonzero(rows.feeds["shop"][:, 0] == "north")))
    with pytest.raises(
        UserError,
        match=r"counts.joblib refuses the calibration rows: .*unknown categories",
    ):
        chain(train, data__calibration_size=0.2, train__model_path="models/counts.joblib")


def test_no_locale_has_to_be_installed_where_the_model_runs(shop: Path) -> None:
    chain(prepare, train, convert)
    nodes = onnx.load(shop / "outputs" / "model.onnx").graph.node
    locales = [
        item.s
        for node in nodes
        if node.op_type == "StringNormalizer"
        for item in node.attribute
        if item.name == "locale"
    ]
    assert locales == [b"C.UTF-8"]  # words in other letters than ASCII


def test_text_that_is_no_column_is_named(shop: Path) -> None:
    with pytest.raises(
        UserError,
        match=r"data.text 'reviews' is not a feature column; they are 'stars', 'shop', 'review'",
    ):
        chain(prepare, data__text=["reviews"])
    assert shop
