"""The code that travels with a published model: rows in, ONNX inputs by name out, or one line."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
import scipy.sparse
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxpress.serving.answering import _load_pyfunc
from onnxpress.tables.schema import Column, Schema
from onnxpress.tracking.served_model import columns_of

NASTY = [
    *(
        "bill length (mm)",
        "1",
        "0",
        "a.b",
        "a b",
        " a",
        "a ",
        "a\tb",
        "a\nb",
        "label",
        "X",
        "probabilities",
        "variable",
    ),
    *(
        "부리 길이",
        "①",
        "²",
        "é",
        "e\u0301",
        "🐧",
        "🏳️‍🌈",
        "ß",
        "İ",
        "İ".lower(),
        "\u202eabc",
        "\ufeffa",
        "a\u200bb",
    ),
    *(
        "index",
        "columns",
        "data",
        "name",
        "self",
        "None",
        "nan",
        "NaN",
        "null",
        "true",
        "inf",
        "-1",
        "1e5",
        "0x10",
        "01",
    ),
    *(
        "'",
        '"',
        "`",
        "\\",
        "/",
        "//",
        "..",
        "../x",
        "a,b",
        "a;b",
        "a:b",
        "a=b",
        "=1+1",
        "@x",
        "+1",
        "#",
        "%20",
        "?",
        "&",
    ),
    *(
        "<b>",
        "</script>",
        "${x}",
        "{x}",
        "{{x}}",
        "[0]",
        "[red]",
        "(",
        ")",
        "*",
        "|",
        "||",
        "~",
        "^",
        "!",
        "$",
        "€",
        "_",
        "__",
    ),
    *(
        "a" * 300,
        "A",
        "b",
        "B",
        "Unnamed: 0",
        "a.1",
        "a.2",
        "level_0",
        "0.0",
        "1.0",
        "1 ",
        "一",
        "ب",
        "ก",
        "\x1b[31m",
        "&amp;",
    ),
    *(
        "input",
        "output",
        "Concat",
        "class",
        "def",
        "import",
        "lambda",
        "__class__",
        "__init__",
        "inputs",
        "instances",
    ),
]


def saved(folder: Path, schema: Schema) -> Any:
    """A model that returns its input: ``numbers`` (rows, columns), or ``texts``, of ``schema``."""
    names = [column.name for column in schema.columns]
    text = all(column.kind != "number" for column in schema.columns)
    kind = TensorProto.STRING if text else TensorProto.FLOAT
    if schema.all_numeric:
        inputs = [helper.make_tensor_value_info("X", kind, [None, len(names)])]
        node = helper.make_node("Identity", ["X"], ["same"])
    else:
        inputs = [helper.make_tensor_value_info(name, kind, [None, 1]) for name in names]
        node = helper.make_node("Concat", names, ["same"], axis=1)
    graph = helper.make_graph(
        [node], "same", inputs, [helper.make_tensor_value_info("same", kind, [None, len(names)])]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    folder.mkdir(exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    (folder / "columns.json").write_text(
        json.dumps(columns_of([value.name for value in model.graph.input], schema)),
        encoding="utf-8",
    )
    return _load_pyfunc(str(folder / "model.onnx"))


def schema_of(names: list[str], kind: Any, *, missing: bool = True) -> Schema:
    return Schema("classification", "target", tuple(Column(name, kind, missing) for name in names))


def same(model: Any, data: Any) -> NDArray[Any]:
    return np.asarray(model.predict(data)["same"])


def refusal(model: Any, data: Any) -> str:
    with pytest.raises(MlflowException) as caught:
        model.predict(data)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"  # 400 over HTTP
    (line,) = caught.value.message.splitlines()
    return str(line)


@pytest.mark.parametrize("kind", ["number", "category"])
def test_columns_of_any_name_are_matched_by_it(tmp_path: Path, kind: str) -> None:
    assert len(NASTY) == len(set(NASTY)) >= 100
    model = saved(tmp_path, schema_of(NASTY, kind))
    values = np.arange(2.0 * len(NASTY)).reshape(2, -1)
    rows = pd.DataFrame(values, columns=NASTY)
    if kind == "category":
        rows = rows.astype(str).astype(object)
    for seed in range(3):
        mixed = rows.sample(frac=1, axis=1, random_state=seed)
        for data in (
            mixed,
            mixed.to_dict("list"),
            mixed.to_dict("records"),
            json.loads(mixed.to_json(orient="records")),
        ):
            assert np.array_equal(same(model, data), rows.to_numpy())
    for name in NASTY:
        line = refusal(model, rows.rename(columns={name: "other"}))
        assert line.startswith(
            f"the input lacks {' '.join(repr(name).split())} and has unknown 'other'; "
        )


@pytest.fixture
def numbers(tmp_path: Path) -> Any:
    return saved(tmp_path / "numbers", schema_of(["a", "b"], "number"))


@pytest.fixture
def texts(tmp_path: Path) -> Any:
    return saved(tmp_path / "texts", schema_of(["a", "b"], "category"))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([True, False], [1, 0]),
        ([1, 2**40], [1, 2**40]),
        ([Decimal("1.5"), None], [1.5, np.nan]),
        ([Decimal("NaN"), Decimal("sNaN")], [np.nan, np.nan]),
        (pd.array([1, None], "Int64"), [1, np.nan]),
        (pd.array([True, None], "boolean"), [1, np.nan]),
        (pd.array([1.5, None], "double[pyarrow]"), [1.5, np.nan]),
        (pd.Categorical([2, None]), [2, np.nan]),
        (np.array([1, 2], np.uint64), [1, 2]),
        (np.array([1.5, np.nan], np.float16), [1.5, np.nan]),
        (np.ma.masked_array([1.5, 7], mask=[False, True]), [1.5, np.nan]),
        ([pd.NaT, pd.NA], [np.nan, np.nan]),
    ],
)
def test_every_kind_of_number_is_one(numbers: Any, values: Any, expected: list[float]) -> None:
    for data in (pd.DataFrame({"b": values, "a": [0, 0]}), {"b": values, "a": [0, 0]}):
        assert np.array_equal(
            same(numbers, data)[:, 1], np.array(expected, np.float32), equal_nan=True
        )


@pytest.mark.parametrize(
    "values",
    [
        ["x", 1],
        ["1", "2"],
        [b"1", 1],
        [1j, 1],
        [[1], [2, 3]],
        pd.DatetimeIndex(["2020-01-01", pd.NaT]),
        [np.inf, 1],
        [10**400, 1],
        [1e39, 1],
    ],
)
def test_a_value_that_is_not_a_number_is_refused_with_its_column(numbers: Any, values: Any) -> None:
    for data in (pd.DataFrame({"b": values, "a": [0, 0]}), {"b": values, "a": [0, 0]}):
        assert refusal(numbers, data).startswith("column 'b' should be ")


@pytest.mark.parametrize("blank", [None, np.nan, pd.NA, pd.NaT, ""])
def test_missing_text_is_empty(texts: Any, blank: Any) -> None:
    for data in (
        pd.DataFrame({"b": ["x", blank], "a": ["y", "z"]}, dtype=object),
        {"b": ["x", blank], "a": ["y", "z"]},
    ):
        assert same(texts, data).tolist() == [["y", "x"], ["z", ""]]


@pytest.mark.parametrize("word", ["None", "nan", "NA", "null", "<NA>", " ", "0"])
def test_words_for_missing_are_words(texts: Any, word: str) -> None:
    for data in (
        pd.DataFrame({"b": ["x", word], "a": ["y", "z"]}),
        {"b": ["x", word], "a": ["y", "z"]},
    ):
        assert same(texts, data).tolist() == [["y", "x"], ["z", word]]


def test_a_missing_value_that_numpy_has_made_text_of_is_refused(texts: Any) -> None:
    assert "may be a missing value" in refusal(
        texts, {"a": np.array(["x", np.nan]), "b": np.array(["x", "y"])}
    )


@pytest.mark.parametrize(
    "values",
    [
        [1, 2],
        [1.0, np.nan],
        [True, False],
        [Decimal(1), "x"],
        [b"x", "x"],
        pd.DatetimeIndex(["2020-01-01", pd.NaT]),
    ],
)
def test_a_value_that_is_not_text_is_refused_with_its_column(texts: Any, values: Any) -> None:
    for data in (pd.DataFrame({"b": values, "a": ["x", "y"]}), {"b": values, "a": ["x", "y"]}):
        assert refusal(texts, data).startswith("column 'b' should be text, got ")


def test_arrays_and_frames_without_names_are_in_the_order_of_training(numbers: Any) -> None:
    rows = np.array([[1.0, 2.0], [3.0, np.nan]])
    masked = np.ma.masked_array([[1.0, 2.0], [3.0, 9.0]], mask=[[False, False], [False, True]])
    frames = pd.DataFrame(rows), scipy.sparse.csr_matrix(rows)
    for data in (
        rows,
        rows.tolist(),
        *frames,
        {"X": rows},
        {"X": masked},
        masked,
        rows.astype(object),
    ):
        assert np.array_equal(same(numbers, data), rows.astype(np.float32), equal_nan=True)


def test_an_array_that_mixes_text_and_numbers_is_read_back(tmp_path: Path) -> None:
    columns = (Column("t", "category", missing=True), Column("n", "number", missing=True))
    inputs = [helper.make_tensor_value_info("t", TensorProto.STRING, [None, 1])]
    inputs.append(helper.make_tensor_value_info("n", TensorProto.FLOAT, [None, 1]))
    nodes = [helper.make_node("Identity", [name], [f"same_{name}"]) for name in ("t", "n")]
    outputs = [helper.make_tensor_value_info("same_t", TensorProto.STRING, [None, 1])]
    outputs.append(helper.make_tensor_value_info("same_n", TensorProto.FLOAT, [None, 1]))
    model = helper.make_model(
        helper.make_graph(nodes, "g", inputs, outputs),
        opset_imports=[helper.make_opsetid("", 15)],
        ir_version=8,
    )
    onnx.save(model, tmp_path / "model.onnx")
    description = columns_of(["t", "n"], Schema("classification", "y", columns))
    (tmp_path / "columns.json").write_text(json.dumps(description), encoding="utf-8")
    loaded = _load_pyfunc(str(tmp_path / "model.onnx"))
    for data in (np.array([["x", 0.1], ["y", 1e-7]]), [["x", 0.1], ["y", 1e-7]]):
        said = loaded.predict(data)
        assert said["same_t"].tolist() == [["x"], ["y"]]
        assert said["same_n"].ravel().tolist() == np.array([0.1, 1e-7], np.float32).tolist()
    assert "'n' should be numbers, got 'b' in row 1" in refusal(
        loaded, np.array([["x", "b"], ["y", 1.0]])
    )


@pytest.mark.parametrize(
    "data",
    [
        None,
        3,
        "text",
        np.zeros((2, 3)),
        np.zeros((2, 2, 2)),
        [1, 2],
        [[1, 2], [3]],
        [{"a": 1, "b": 2}, {"a": 1}],
        {"a": [1, 2], "b": [1]},
        {"a": [[1, 2]], "b": [1]},
        {"a": [1], "b": [1], "c": [1]},
        pd.DataFrame([[1, 2, 3]], columns=["a", "b", "b"]),
        pd.DataFrame([[1, 2, 3]]),
        pd.Series([1, 2], name="a"),
        pd.DataFrame({"a": [], "b": []}),
        np.zeros((0, 2)),
        [],
        {},
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(numbers: Any, data: Any) -> None:
    assert len(refusal(numbers, data)) < 300


def test_a_gap_is_refused_where_training_had_none(tmp_path: Path) -> None:
    model = saved(tmp_path, schema_of(["a", "b"], "number", missing=False))
    assert refusal(model, {"a": [1, None], "b": [1, 1]}).startswith(
        "column 'a' had no missing value in training"
    )


def test_a_long_name_does_not_fill_the_answer(numbers: Any) -> None:
    assert len(refusal(numbers, {"x" * 10**6: [1], "a": [1]})) < 1000


def test_a_model_that_cannot_be_run_is_one_line(tmp_path: Path) -> None:
    saved(tmp_path, schema_of(["a", "b"], "number"))
    broken = onnx.load(tmp_path / "model.onnx")
    shape = onnx.helper.make_tensor("shape", TensorProto.INT64, [2], [7, -1])
    broken.graph.initializer.append(shape)
    broken.graph.node[0].CopyFrom(helper.make_node("Reshape", ["X", "shape"], ["same"]))
    onnx.save(broken, tmp_path / "model.onnx")
    model = _load_pyfunc(str(tmp_path / "model.onnx"))
    with pytest.raises(MlflowException, match="cannot be run on these rows: .*Reshape") as caught:
        model.predict({"a": [1], "b": [2]})
    assert len(caught.value.message.splitlines()) == 1
