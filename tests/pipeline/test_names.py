"""Names are data, wherever they are written or read: columns, classes, experiments, files."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import unicodedata
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from mlflow.utils.validation import _validate_param
from onnx import TensorProto, helper, version_converter
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC

from onnxpress.benchmark.timed_calls import floor_model
from onnxpress.conversion.converting import to_onnx
from onnxpress.errors import UserError
from onnxpress.evaluate.predicted_rows import predictions_csv
from onnxpress.graph.names import rename
from onnxpress.pipeline.console import screen
from onnxpress.pipeline.inputs import predictions_in_pieces
from onnxpress.pipeline.outputs import PICTURES
from onnxpress.pipeline.params import parse_params
from onnxpress.quantize.candidates import Form
from onnxpress.quantize.methods import METHODS
from onnxpress.quantize.options import Options
from onnxpress.report.disagreement import Disagreement
from onnxpress.report.page import SingleRows, Stale, render
from onnxpress.report.pictures import errors
from onnxpress.report.pictures.canvas import png, style
from onnxpress.report.summary import print_summary
from onnxpress.runtime.predictions import Predictions
from onnxpress.tables.cells import cell, text_of_cell
from onnxpress.tables.names import column_name, input_name
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Column, Schema
from onnxpress.text import json_text, visible
from onnxpress.tracking.card import model_card
from onnxpress.tracking.checks import folder_name
from onnxpress.tracking.content import safe_key
from onnxpress.tracking.registry import quoted
from onnxpress.tracking.store import resolve_store
from tests.conftest import ROOT, default_params, numeric_schema
from tests.support.nasty import COLUMNS, WORDS
from tests.support.plot_fixtures import measured, quantization
from tests.support.results import DETAIL, LATENCY, METRICS
from tests.support.single_rows import deciding

ROWS = 120


def session_of(model: onnx.ModelProto) -> ort.InferenceSession:
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def answers(model: onnx.ModelProto, feeds: dict[str, Any]) -> dict[str, Any]:
    session = session_of(model)
    return dict(
        zip((item.name for item in session.get_outputs()), session.run(None, feeds), strict=True)
    )


def mixed(names: list[str], seed: int = 0) -> tuple[pd.DataFrame, Schema]:
    """Numbers and categories in turn, under these names."""
    draw = np.random.default_rng(seed)
    kinds: list[Any] = ["category" if place % 2 else "number" for place in range(len(names))]
    values = [
        draw.choice(np.array(["p", "q", ""], object), ROWS)
        if kind == "category"
        else draw.normal(size=ROWS).astype(np.float32)
        for kind in kinds
    ]
    columns = tuple(
        Column(name, kind, missing=False) for name, kind in zip(names, kinds, strict=True)
    )
    return pd.DataFrame(dict(zip(names, values, strict=True))), Schema(
        "classification", "t", columns
    )


def encoded(frame: pd.DataFrame) -> ColumnTransformer:
    """Numbers scaled, categories one-hot, all chosen by name."""
    numbers = [name for name in frame.columns if frame[name].dtype == np.float32]
    words = [name for name in frame.columns if name not in numbers]
    return ColumnTransformer(
        [("n", StandardScaler(), numbers), ("c", OneHotEncoder(sparse_output=False), words)]
    )


def fed(frame: pd.DataFrame) -> dict[str, Any]:
    return {input_name(name): frame[name].to_numpy().reshape(-1, 1) for name in frame.columns}


def classes(count: int = 3) -> Any:
    return np.random.default_rng(1).integers(0, count, ROWS)


def test_every_name_can_be_that_of_a_column() -> None:
    names = [*COLUMNS, "x\0y"]
    frame, schema = mixed(names)
    model = make_pipeline(encoded(frame), LogisticRegression()).fit(frame, classes())
    converted = to_onnx(model, schema, 12)
    assert [item.name for item in session_of(converted).get_inputs()] == [
        input_name(name) for name in names
    ]
    found = answers(converted, fed(frame))
    np.testing.assert_array_equal(found["label"], model.predict(frame))
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(frame), atol=2e-6)
    onnx.checker.check_model(version_converter.convert_version(converted, 18), full_check=True)


def test_the_fitted_pipeline_still_chooses_by_name_after_a_conversion() -> None:
    frame, schema = mixed(["가 나", "1st"])
    model = make_pipeline(encoded(frame), GaussianNB()).fit(frame, classes())
    before = model[0].transformers_
    to_onnx(model, schema, 12)
    assert model[0].transformers_ is before
    assert [columns for _, _, columns in before] == [["가 나"], ["1st"]]
    assert model.predict(frame[["1st", "가 나"]]).tolist() == model.predict(frame).tolist()


def test_column_transformers_choose_by_name_anywhere_in_an_estimator() -> None:
    frame, schema = mixed(["a b", "c\nd", "label", "é", "e\u0301", "X"])
    inner = ColumnTransformer(
        [("two", StandardScaler(), ["e\u0301", "a b"])], remainder="passthrough"
    )
    nested = ColumnTransformer(
        [
            ("in", inner, ["label", "e\u0301", "a b"]),
            ("c", OneHotEncoder(sparse_output=False), ["X"]),
        ]
    )
    both = [
        ("n", make_pipeline(nested, GaussianNB())),
        ("l", make_pipeline(encoded(frame), LogisticRegression())),
    ]
    model = VotingClassifier(both, voting="soft").fit(frame, classes())
    found = answers(to_onnx(model, schema, 12), fed(frame))
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(frame), atol=2e-6)


@pytest.mark.parametrize("chosen", [["b", "a"], [1, 0], ["b"], slice(1, None), [True, False]])
def test_columns_of_a_matrix_are_taken_in_the_order_that_they_are_named_in(chosen: Any) -> None:
    frame = pd.DataFrame(
        np.random.default_rng(0).normal(size=(ROWS, 2)) * [1, 9], columns=["a", "b"]
    ).astype(np.float32)
    model = make_pipeline(
        ColumnTransformer([("s", StandardScaler(), chosen)]), LogisticRegression()
    ).fit(frame, frame["a"] > 0)
    schema = Schema(
        "classification",
        "target",
        tuple(Column(name, "number", missing=False) for name in ("a", "b")),
    )
    found = answers(to_onnx(model, schema, 12), {"X": frame.to_numpy()})
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(frame), atol=2e-6)


def test_no_two_columns_share_an_input_and_none_has_the_name_of_an_output() -> None:
    names = [
        f"{name}{'_input' * times}"
        for name in ("label", "probabilities", "x", "_input", "")
        for times in range(4)
    ]
    inputs = [input_name(name) for name in names]
    assert len(set(inputs)) == len(set(names))
    assert not {"label", "probabilities", "scores", "prediction"} & set(inputs)
    assert [column_name(name) for name in inputs] == names


def test_a_value_inside_the_graph_gives_way_to_a_column_of_its_name() -> None:
    nodes = [
        helper.make_node("Neg", ["x"], ["y"]),
        helper.make_node("Neg", ["y"], ["y_inner"]),
        helper.make_node("Neg", ["y_inner"], ["z"]),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in ("x", "z")]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:])
    rename(graph, {"x": "y", "z": "y_inner2"})
    assert (graph.input[0].name, graph.output[0].name) == ("y", "y_inner2")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7)
    assert session_of(model).run(None, {"y": np.ones(1, np.float32)})[0].tolist() == [-1.0]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("method", ["dynamic", "static"])
def test_the_quantisers_names_and_those_of_columns_do_not_meet(method: str) -> None:
    plain, schema = mixed(["a", "b"])
    model = make_pipeline(
        encoded(plain), MLPClassifier((300, 300), max_iter=2, early_stopping=True)
    ).fit(plain, classes())
    inner = {
        name
        for node in to_onnx(model, schema, 12).graph.node
        for name in (*node.input, *node.output)
    }
    suffixes = (
        "quantized",
        "scale",
        "zero_point",
        "QuantizeLinear_Output",
        "DequantizeLinear_Output",
        "quant",
        "ReduceMax",
    )
    names = [f"{name}_{suffix}" for name in sorted(inner) for suffix in suffixes if name]
    frame, schema = mixed(names)
    model = make_pipeline(encoded(frame), model[-1].set_params(early_stopping=False)).fit(
        frame, classes()
    )
    feeds = fed(frame)
    candidates = METHODS[method](to_onnx(model, schema, 12), Options())
    assert candidates
    for candidate in candidates:
        if candidate.form == Form.QAT:
            continue  # takes torch, and writes what static writes
        quantised = candidate.apply(to_onnx(model, schema, 12), Rows(feeds, classes()))
        assert [item.name for item in session_of(quantised).get_inputs()] == names
        assert np.mean(answers(quantised, feeds)["label"] == model.predict(frame)) > 0.8


def test_the_floor_of_the_benchmark_takes_any_input_name() -> None:
    feeds = {name: np.ones((2, 1), np.float32) for name in ("same", "a" * 600, "a_same")}
    session = ort.InferenceSession(floor_model(feeds), providers=["CPUExecutionProvider"])
    assert session.run(None, feeds)[0].tolist() == [[1.0], [1.0]]


ESTIMATORS = [
    LogisticRegression(),
    RandomForestClassifier(3, random_state=0),
    HistGradientBoostingClassifier(max_iter=2),
    KNeighborsClassifier(1),
    SVC(),
    LinearSVC(),
    GaussianNB(),
    MLPClassifier((40,), solver="lbfgs", max_iter=60),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_every_word_can_be_a_class(estimator: Any) -> None:
    draw = np.random.default_rng(0)
    x = np.repeat(draw.normal(size=(len(WORDS), 12)), 3, axis=0).astype(np.float32)
    y = np.repeat(np.array(WORDS), 3)
    expected = estimator.fit(x, y).predict(x)
    found = answers(to_onnx(estimator, numeric_schema(12), 12), {"X": x})["label"]
    assert len(set(expected)) > len(WORDS) / 2
    assert np.mean(found.astype(str) == expected) > 0.995


def test_every_word_can_be_a_category() -> None:
    frame = pd.DataFrame({"c": np.repeat(np.array([*WORDS, ""], object), 2)})
    y = np.arange(len(frame)) % 2
    model = make_pipeline(ColumnTransformer([("c", OneHotEncoder(), ["c"])]), LogisticRegression())
    y[::4] = 1
    model.fit(frame, y)
    schema = Schema("classification", "t", (Column("c", "category", missing=True),))
    found = answers(to_onnx(model, schema, 12), fed(frame))["probabilities"]
    np.testing.assert_allclose(found, model.predict_proba(frame), atol=2e-6)


def test_labels_come_back_from_the_predictions_as_they_were(workspace: Path) -> None:
    target = np.array(WORDS)
    schema = Schema("classification", "t", ())
    data = b"".join(predictions_csv(target, [Predictions(target[::-1], None)] * 3, schema))
    (workspace / "outputs" / "predictions.csv").write_bytes(data)
    (back,) = predictions_in_pieces(schema)
    assert back["target"].tolist() == WORDS
    assert back["quantized"].tolist() == WORDS[::-1]
    by_pandas = pd.read_csv(
        workspace / "outputs" / "predictions.csv",
        keep_default_na=False,
        dtype=str,
        lineterminator="\n",
    )
    assert [text_of_cell(text) for text in by_pandas["onnx"]] == WORDS[::-1]


NUMBERS = ["-1", "+1", "-1.5e-07", "1", "0.5", "+", "-"]


def test_no_label_is_a_formula_in_a_spreadsheet_and_numbers_stay_numbers() -> None:
    for word in WORDS:
        (read,) = next(csv.reader(io.StringIO(cell(word), newline="")))
        assert read in NUMBERS or not read.startswith(
            ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
        )
        assert text_of_cell(read) == word
    assert [cell(number) for number in (*NUMBERS, -1, -2.5e-7)] == [*NUMBERS, "-1", "-2.5e-07"]
    marked = ["'" * count + word for count in range(3) for word in ("=1", "-1", "a", "")]
    assert [text_of_cell(cell(word)) for word in marked] == marked
    assert len({cell(word) for word in marked}) == len(marked)


@pytest.mark.parametrize("start", range(0, len(WORDS), 26))
def test_every_class_is_drawn(start: int) -> None:
    target = np.array(WORDS[start : start + 26])
    columns = {"target": target, "original": target, "quantized": target[::-1]}
    with style():
        picture = errors.draw([columns], Schema("classification", WORDS[start], ()))
        written = {text.get_text() for axis in picture.axes for text in axis.get_yticklabels()}
        assert len(png(picture)) > 1000
    assert not any(set(text) & set("\n\r\x1b\u202e") for text in written)


def test_classes_that_are_numbers_are_drawn_in_their_order() -> None:
    target = np.array(["10", "9", "-1", "²", "①", "--5", "1_000"])
    columns = {"target": target, "original": target, "quantized": target}
    with style():
        (axis, _) = errors.draw([columns], Schema("classification", "t", ())).axes
        shown = [text.get_text() for text in axis.get_yticklabels()]
    assert shown == ["-1", "9", "10", *sorted(["²", "①", "--5", "1_000"])]


DECIDING = DETAIL | {
    "deciding": {
        "rows": [{"row": row, "effect": 0.1} for row in range(len(WORDS))],
        "moving": len(WORDS),
        "all_tried": True,
    }
}
ANSWERS = {
    "target": np.array(WORDS),
    "original": np.array(WORDS),
    "quantized": np.array([*reversed(WORDS)]),
}


def rendered(title: str = "forest", worst: Disagreement | None = None, **others: Any) -> str:
    results = {
        "metrics": METRICS,
        "metrics_detail": DETAIL,
        "latency": LATENCY,
        "quantization": quantization(1.0, 3),
        "latency_detail": measured(3),
    }
    found = worst or Disagreement(["test row"], [["0"]], "message")
    return render(
        title,
        "scikit-learn",
        results | others,
        dict.fromkeys(PICTURES, b"\x89PNG"),
        SingleRows(deciding(DECIDING, ANSWERS, "target"), found),
        [],
        Stale([], "dvc repro"),
    )


class Page(HTMLParser):
    """The elements of a page, and the text of each table cell and heading."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.elements.update(name for name, _ in attrs if name.startswith("on"))
        if tag in {"td", "th", "h1"}:
            self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self.texts:
            self.texts[-1] += data


def test_the_page_shows_names_of_columns_classes_and_experiments_and_runs_none_of_them() -> None:
    harmless = Page(rendered())
    worst = Disagreement(["test row", *WORDS], [["0", *reversed(WORDS)]], "message")
    for word in WORDS[::9]:
        run = {"run_id": "abc", "experiment": word, "tracking_uri": "sqlite:////x"}
        page = Page(rendered(title=f"forest on {word}", worst=worst, mlflow_run=run))
        assert page.elements <= harmless.elements
        assert page.texts[0].split("\n")[0] == f"forest on {visible(word)}"
        assert {visible(name) for name in WORDS} <= {text.strip("\n") for text in page.texts}


def test_the_summary_shows_titles_and_experiments_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    results: dict[str, Any] = {
        "metrics": METRICS,
        "metrics_detail": DETAIL,
        "latency": LATENCY,
        "quantization": {"summary": "so", "min_onnxruntime": "1.3"},
    }
    for word in WORDS:
        run = {"run_id": "abc", "experiment": word, "tracking_uri": "sqlite:////x"}
        print_summary(screen(), word, {**results, "mlflow_run": run})
        shown = capsys.readouterr().out
        assert f"in experiment {visible(word)} at" in shown
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)


def test_the_card_shows_any_title_as_it_is() -> None:
    harmless = {
        token.type
        for token in MarkdownIt("gfm-like", {"linkify": False}).parse(
            model_card("forest", METRICS, "so", "accuracy")
        )
    }
    for word in WORDS:
        tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(
            model_card(f"forest on {word}", METRICS, "so", "accuracy")
        )
        (title,) = [
            tokens[place + 1] for place, token in enumerate(tokens) if token.type == "heading_open"
        ]
        (shown,) = title.children or []
        assert {token.type for token in tokens} == harmless
        assert (shown.type, shown.content.split()) == (
            shown.type,
            f"forest on {visible(word)}".split(),
        )
        assert shown.type == "code_inline" or re.fullmatch(r"[\w -]+", shown.content)
    assert model_card("RandomForestClassifier on iris", METRICS, "so", "accuracy").startswith(
        "# RandomForestClassifier on iris\n"
    )


def test_an_experiment_of_any_name_has_a_folder_in_the_store() -> None:
    names = [*WORDS, "..", ".", "a" * 499, "한" * 500]
    folders = [folder_name(name) for name in names]
    assert not [
        name
        for name in folders
        if re.match(r"(?i)(con|aux|nul|com1)(\.|$)", name) or name.endswith(".")
    ]
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", folder) for folder in folders)
    assert [folder_name(name) for name in ("onnxpress", "v1.2", "my lab")] == [
        "onnxpress",
        "v1.2",
        "my_lab",
    ]
    assert folder_name("가") != folder_name("나")


@pytest.mark.parametrize("name", ["a?b", "a%20b"])
def test_a_place_that_mlflow_cannot_address_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UserError, match=r"a path has no \?, no line breaks and nothing like %20"):
        resolve_store(None, tmp_path / name)
    other = tmp_path / "한 글#& 100%"
    assert (
        resolve_store(None, other).database
        == resolve_store(f"sqlite:///{other}/mlflow.db", tmp_path).database
    )


def test_a_registered_model_of_any_name_is_found_by_it() -> None:
    from mlflow.utils.search_utils import SearchModelVersionUtils

    parse: Any = SearchModelVersionUtils.parse_search_filter
    for word in WORDS:
        if not allowed_as_registered(word):
            continue
        (parsed,) = parse(f"name = {quoted(word)}")
        assert (parsed["key"], parsed["value"]) == ("name", word)


def allowed_as_registered(name: str) -> bool:
    try:
        parse_params(default_params(publish__register=name))
    except UserError:
        return False
    return True


@pytest.mark.parametrize("name", ["a/b", "../x", "a:b", "..", ".", " ", "a'\"", "x" * 251, ""])
def test_a_registered_model_that_mlflow_refuses_is_refused_by_the_first_stage(name: str) -> None:
    with pytest.raises(UserError, match="publish.register should"):
        parse_params(default_params(publish__register=name))


def test_every_key_of_the_params_has_a_name_of_its_own_in_mlflow() -> None:
    keys = [
        f"train.params.class_weight.{word}"
        for word in (*WORDS, "a/../b", "a//b", "b/", "a" * 700, "a" * 701)
    ]
    names = [safe_key(key) for key in keys]
    assert len(set(names)) == len(set(keys))
    accepted: Any = _validate_param  # it has no types
    for name in names:
        accepted(name, "1")
    assert safe_key("train.params.n_estimators") == "train.params.n_estimators"


def test_what_nobody_sees_is_shown_as_its_escape() -> None:
    unseen = [
        chr(code)
        for code in range(0x110000)
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    ]
    prepended = {
        "\u0600",
        "\u0601",
        "\u0602",
        "\u0603",
        "\u0604",
        "\u0605",
        "\u06dd",
        "\u070f",
        "\u0890",
        "\u0891",
        "\u08e2",
    }
    shown = {letter for letter in unseen if visible(letter) == letter} - prepended
    assert {
        letter for letter in shown if not "\U000110bd" <= letter <= "\U0001343f"
    } == set()  # signs of old scripts, which are seen
    for seen in (
        "\U0001f469\u200d\U0001f4bb",
        "\u2764\ufe0f",
        "1\ufe0f\u20e3",
        "\u0645\u06cc\u200c\u062e",
        "가",
        "e\u0301",
    ):
        assert visible(seen) == seen


def test_json_holds_no_letter_that_nobody_sees_and_loses_none() -> None:
    content = {word: [word, {"k": word}] for word in (*WORDS, "\ud800", "\x00")}
    text = json_text(content)
    assert json.loads(text) == content
    assert visible(text.replace("\n", "")) == text.replace("\n", "")


def test_what_commands_a_terminal_is_shown_as_its_escape() -> None:
    assert visible("\x1b[31m한글 🍣\n\u202e\x07\ud800") == "\\x1b[31m한글 🍣\\n\\u202e\\x07\\ud800"


@pytest.mark.parametrize("encoding", ["ascii", "euc-kr", "utf-8"])
def test_no_name_is_too_much_for_the_encoding_of_a_terminal(encoding: str) -> None:
    message = "한글 🍣 \x1b[31m \udc80"
    code = (
        "from onnxpress.pipeline.console import answering, say\n"
        "from onnxpress.pipeline.running import UserError, run_stage\n"
        f"def main():\n say({message!r})\n"
        f" with answering(in_json=True) as answer:\n  answer({{'name': {message[:-1]!r}}})\n"
        f" raise UserError({message!r})\nrun_stage('x', main)"
    )
    variables = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, env=variables
    )
    assert (done.returncode, b"\x1b" in done.stdout + done.stderr, b"Traceback" in done.stderr) == (
        2,
        False,
        False,
    )
    shown = visible(message).encode(encoding, "backslashreplace")
    assert done.stdout.startswith(b"  " + shown + b"\n")
    assert done.stderr == b"x: " + shown + b"\n"
    assert json.loads(done.stdout.decode(encoding).split("\n", 1)[1]) == {"name": message[:-1]}
