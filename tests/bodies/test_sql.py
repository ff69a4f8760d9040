"""Models as SQL expressions, run by SQLite and DuckDB beside onnxruntime.

DuckDB is one of the bench's peers, so its half runs in ``.venv-bench``, as CI does.
"""

from __future__ import annotations

import sqlite3
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
from sklearn.tree import DecisionTreeClassifier

from bench.edge.random_models import random_model
from onnxpress import compress, convert
from onnxpress.bodies.reading import read_program
from onnxpress.bodies.rows import Answers, answers, probe
from onnxpress.bodies.sql import quoted, sql_expression
from onnxpress.bodies.steps import NoBody


def sqlite(sql: str, names: tuple[str, ...], rows: NDArray[Any]) -> list[Any]:
    """What SQLite makes of rows; it stores a NaN as NULL."""
    store = sqlite3.connect(":memory:")
    columns = ", ".join(f"{quoted(name)} REAL" for name in names)
    store.execute(f"CREATE TABLE data (id INTEGER, {columns})")
    marks = ", ".join("?" * (len(names) + 1))
    numbered = [(place, *row) for place, row in enumerate(rows.astype(np.float64).tolist())]
    store.executemany(f"INSERT INTO data VALUES ({marks})", numbered)  # noqa: S608 - question marks
    found = store.execute(f"SELECT {sql} FROM data ORDER BY id").fetchall()  # noqa: S608 - under test
    return [value for (value,) in found]


def duckdb(sql: str, names: tuple[str, ...], rows: NDArray[Any]) -> list[Any]:
    """What DuckDB makes of rows, NaN as NULL."""
    engine = pytest.importorskip("duckdb", reason="duckdb is one of the peers, in .venv-bench")
    import pyarrow as pa

    arrays = [pa.array(column.astype(np.float64), from_pandas=True) for column in rows.T]
    data = pa.table([pa.array(range(len(rows))), *arrays], names=["id", *names])
    store = engine.connect()
    store.register("data", data)
    found = store.execute(f"SELECT {sql} FROM data ORDER BY id").fetchall()  # noqa: S608 - under test
    return [value for (value,) in found]


ENGINES = [sqlite, duckdb]


def check(model: onnx.ModelProto, given: NDArray[Any], engine: Any) -> Answers:
    """Hold an engine against onnxruntime on given rows and probes."""
    program = read_program(model)
    expected = answers(model, program, probe(program, given.astype(np.float32), 400))
    found = engine(sql_expression(program), program.inputs.names, expected.rows)
    if expected.label is not None:
        assert found == [program.classes[number] for number in expected.label]
    else:
        result = np.array(found, np.float64)[:, None].astype(np.float32)
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
@pytest.mark.parametrize("seed", [1, 7, 12, 13, 18, 19])
def test_random_refined_forests_answer_exactly(seed: int, engine: Any) -> None:
    _, model, rows = random_model(seed)
    program = read_program(model)
    if program.chosen is None and program.result.size > 1:
        with pytest.raises(NoBody, match="predicts several"):
            sql_expression(program)
        return
    check(model, rows, engine)


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
    found = engine(sql_expression(program), program.inputs.names, wide)
    assert expected.label is not None
    assert found == [program.classes[number] for number in expected.label]


@pytest.mark.parametrize("engine", ENGINES)
def test_names_of_columns_cannot_leave_their_quotes(engine: Any) -> None:
    x, y = load_iris(return_X_y=True)
    model = convert(DecisionTreeClassifier(max_depth=3, random_state=0).fit(x, y), x)
    (entry,) = (each for each in model.metadata_props if each.key == "feature_names")
    entry.value = '["a\\"; DROP TABLE data; --", "select", "é b", "x\'y"]'
    check(model, x, engine)


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
