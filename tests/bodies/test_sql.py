"""Models as SQL expressions, run by SQLite and DuckDB beside onnxruntime."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from bench.edge.random_models import random_model
from onnxpress import compress, convert
from onnxpress.bodies.reading import read_program
from onnxpress.bodies.rows import Answers, answers, probe
from onnxpress.bodies.sql import sql_columns, sql_expression
from onnxpress.bodies.steps import NoBody
from tests.support.databases import ENGINES, duckdb


def check(model: onnx.ModelProto, given: NDArray[Any], engine: Any) -> Answers:
    """Hold an engine against onnxruntime on given rows and probes."""
    program = read_program(model)
    expected = answers(model, program, probe(program, given.astype(np.float32), 400))
    texts = [sql_expression(program)]
    if expected.label is not None:
        texts += sql_columns(program).values()
    found = engine(texts, program.inputs.names, expected.rows)
    if expected.label is not None:
        assert found.pop(0) == [program.classes[number] for number in expected.label]
    result = np.array(found, np.float64).T.astype(np.float32)
    assert (np.abs(result - expected.result) <= expected.apart).all()
    return expected


REFINED: dict[str, tuple[Any, Any]] = {
    "three classes": (RandomForestClassifier(20, random_state=0), load_iris),
    "two classes": (RandomForestClassifier(20, random_state=0), load_breast_cancer),
    "regression": (RandomForestRegressor(20, random_state=0), load_diabetes),
}


@pytest.fixture(scope="module", params=list(REFINED))
def refined(request: pytest.FixtureRequest) -> tuple[onnx.ModelProto, NDArray[Any]]:
    estimator, load = REFINED[request.param]
    x, y = load(return_X_y=True)
    loose = {"score": 0.05, "recall_worst_loss": None}
    made = compress(estimator.fit(x, y), x, y, method="forest", level="refined", budgets=loose)
    return made.model, x


@pytest.mark.parametrize("engine", ENGINES)
def test_refined_forests_answer_exactly(
    refined: tuple[onnx.ModelProto, NDArray[Any]], engine: Any
) -> None:
    expected = check(*refined, engine)
    assert expected.left_out == 0
    assert np.isnan(expected.rows).any()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", [0, 6, 18, 30, 31])
def test_random_refined_forests_answer_exactly(seed: int, engine: Any) -> None:
    _, model, rows = random_model(seed)
    check(model, rows, engine)


def test_several_predictions_and_probabilities_of_many_leaves_are_refused() -> None:
    with pytest.raises(NoBody, match="predicts several"):
        sql_expression(read_program(random_model(1)[1]))
    large = read_program(random_model(7)[1])
    assert sql_expression(large)
    with pytest.raises(NoBody, match=r"129,600 leaves is too long"):
        sql_columns(large)


ODD_NAMES = ["select", 'a"; DROP TABLE data; --', "é b", "v0_0"]
"""A keyword, one that would leave its quotes, and one of the names that the SQL gives itself."""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("classes", [2, 3])
def test_linear_models_answer_within_rounding(classes: int, engine: Any) -> None:
    x, y = load_iris(return_X_y=True)
    labels = np.array(["it's", 'a "b"', "é"])[y]
    chosen = y < classes
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x[chosen], labels[chosen])
    check(convert(model, x), x, engine)
    quantity = LinearRegression().fit(x[:, :3], x[:, 3])
    check(convert(quantity, x[:, :3]), x[:, :3], engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_tree_answers_exactly(engine: Any) -> None:
    x, y = load_iris(return_X_y=True)
    check(convert(DecisionTreeClassifier(max_depth=4, random_state=0).fit(x, y), x), x, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_double_counts_as_the_float32_next_to_it(engine: Any) -> None:
    """Between two float32 numbers the model rounds; at the middle, to the even one."""
    x, y = load_iris(return_X_y=True)
    made = compress(RandomForestClassifier(20, random_state=0).fit(x, y), x, y, level="refined")
    program = read_program(made.model)
    rows = []
    for column, threshold in program.thresholds():
        before = np.nextafter(threshold, np.float32(-np.inf)).astype(np.float64)
        middle = (before + threshold.astype(np.float64)) / 2
        for value in (middle, np.nextafter(middle, np.inf), np.nextafter(middle, -np.inf)):
            made_rows = x[: len(value)].copy()
            made_rows[:, column] = value
            rows.append(made_rows)
    wide = np.concatenate(rows)
    expected = answers(made.model, program, wide.astype(np.float32))
    (found,) = engine([sql_expression(program)], program.inputs.names, wide)
    assert expected.label is not None
    assert found == [program.classes[number] for number in expected.label]


@pytest.mark.parametrize("engine", ENGINES)
def test_names_of_columns_cannot_leave_their_quotes(engine: Any) -> None:
    x, y = load_iris(return_X_y=True)
    model = convert(DecisionTreeClassifier(max_depth=3, random_state=0).fit(x, y), x)
    (entry,) = (each for each in model.metadata_props if each.key == "feature_names")
    entry.value = json.dumps(ODD_NAMES)
    check(model, x, engine)


def test_names_that_sql_cannot_tell_apart_or_write_are_refused() -> None:
    x, y = load_iris(return_X_y=True)
    model = convert(DecisionTreeClassifier(max_depth=3, random_state=0).fit(x, y), x)
    (entry,) = (each for each in model.metadata_props if each.key == "feature_names")
    for names, reason in (
        (["a", "b", "c", "C"], "two columns are called 'C'"),
        (["a", "b", "c", ""], "without zero bytes, got ''"),
        (["a", "b", "c", "d\0"], "without zero bytes"),
    ):
        entry.value = json.dumps(names)
        with pytest.raises(NoBody, match=reason):
            sql_expression(read_program(model))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_deep_tree_needs_no_deep_parser(engine: Any) -> None:
    """A CASE in a CASE for each level overflows the stack of SQLite's parser from 19 levels on."""
    x = np.arange(70, dtype=np.float32)[:, None]
    target = 3.0 ** np.arange(70)
    for y in (target, target[::-1]):
        chain = DecisionTreeRegressor(random_state=0).fit(x, y)
        assert chain.get_depth() > 19
        check(convert(chain, x), x, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_tree_of_thousands_of_columns_needs_those_that_it_reads(engine: Any) -> None:
    x = np.random.default_rng(0).standard_normal((100, 3000)).astype(np.float32)
    model = convert(DecisionTreeClassifier(max_depth=2).fit(x, x[:, 2999] > 0), x)
    program = read_program(model)
    used = [column for column, _ in program.thresholds()]
    expected, names = answers(model, program, x), [program.inputs.names[at] for at in used]
    (found,) = engine([sql_expression(program)], names, x[:, used])
    assert expected.label is not None
    assert found == [program.classes[number] for number in expected.label]
    linear = read_program(convert(LogisticRegression().fit(x, x[:, 0] > 0), x))
    with pytest.raises(NoBody, match="refuses the SQL: too many columns"):
        sql_expression(linear)


@pytest.mark.parametrize("engine", ENGINES)
def test_odd_labels_and_tiny_numbers_are_kept(engine: Any) -> None:
    x, y = load_iris(return_X_y=True)
    for labels in (np.array(["", "it's", "a\nb"]), np.array([-(2**63), 2**53 + 1, 2**63 - 1])):
        check(convert(DecisionTreeClassifier(max_depth=3).fit(x, labels[y]), x), x, engine)
    check(convert(DecisionTreeRegressor(max_depth=3).fit(x, y * 1e-40), x), x, engine)


def test_a_float_of_duckdb_counts_as_itself() -> None:
    x, y = load_iris(return_X_y=True)
    model = convert(DecisionTreeClassifier(random_state=0).fit(x, y), x)
    program = read_program(model)
    expected = answers(model, program, probe(program, x.astype(np.float32), 100))
    (found,) = duckdb([sql_expression(program)], program.inputs.names, expected.rows, kind="FLOAT")
    assert expected.label is not None
    assert found == [program.classes[number] for number in expected.label]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_missing_number_goes_where_the_model_sends_it(engine: Any) -> None:
    """Also at a split that has no number on one of its sides."""
    x = np.array([[0.0], [1.0], [np.nan], [2.0]] * 20)
    for y in ([0, 0, 1, 0] * 20, [0, 1, 1, 2] * 20, [0, 1, 0, 1] * 20):
        tree = DecisionTreeClassifier(random_state=0).fit(x, y)
        expected = check(convert(tree, x.astype(np.float32)), x, engine)
        assert np.isnan(expected.rows).any()


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (RandomForestRegressor(7, random_state=0), "sums of its leaves are rounded in float32"),
        (make_pipeline(StandardScaler(), DecisionTreeClassifier()), "computed in float32"),
        (MLPRegressor(hidden_layer_sizes=(3,), tol=10, random_state=0), "no form in SQL"),
    ],
    ids=["forest", "scaled tree", "net"],
)
def test_what_sql_cannot_hold_is_refused(estimator: Any, reason: str) -> None:
    x, y = load_iris(return_X_y=True)
    model = convert(estimator.fit(x, y), x)
    with pytest.raises(NoBody, match=reason):
        sql_expression(read_program(model))
