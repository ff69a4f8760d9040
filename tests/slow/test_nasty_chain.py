"""Nasty names of columns, classes, categories, files and experiments.

Through the whole chain and a served model, unharmed.
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import joblib
import numpy as np
import onnx
import onnxruntime as ort
import pandas as pd
import pytest
import yaml
from markdown_it import MarkdownIt
from pyarrow import parquet

from onnxpress.commands.report import main as report
from onnxpress.tables.cells import text_of_cell
from onnxpress.text import visible
from tests.conftest import default_params, write_params
from tests.support.nasty import COLUMNS, WORDS
from tests.support.programs import program
from tests.support.project import CHAIN, QUICK

PER_TABLE, LABELS, ROWS_OF_A_LABEL, VALUES = 24, 19, 12, 5
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2066-\u2069]")
OFF = {
    f"gate__{name}": dict.fromkeys(limit) if isinstance(limit, dict) else None
    for name, limit in default_params()["gate"].items()
}
OF_OUTPUTS = ("label", "label_input", "label_input_input", "probabilities", "scores", "prediction")

KINDS: list[tuple[str, dict[str, Any], str, str]] = [
    ("RandomForestClassifier", {"n_estimators": 3}, "x y.csv", ".."),
    ("LogisticRegression", {}, "한글 %20.parquet", "[/b] [red]x"),
    ("KNeighborsClassifier", {"n_neighbors": 1}, "a#b?c=d&e.csv", "a/../../b"),
    ("SVC", {"C": 100.0}, "[b] $(id).parquet", "'; drop table x; --\x1b[31m"),
    ("HistGradientBoostingClassifier", {"max_iter": 1}, "-rf.csv", "한글 🍣 é"),
    (
        "MLPClassifier",
        {"hidden_layer_sizes": [80], "max_iter": 60},
        "two\nlines.parquet",
        "x" * 500,
    ),
    ("DecisionTreeClassifier", {}, "=1+1.csv", "<script>alert(1)</script>"),
]
"""Estimator and its arguments, file under data/, experiment; a table for each."""
WEIGHTED = {"LogisticRegression"}
"""Estimators whose params name the classes.

Scikit-learn does not find some texts of digits there in others.
"""


@dataclass(frozen=True)
class Table:
    """A table of nasty names: ``labels`` are the classes, in the column ``target``."""

    frame: pd.DataFrame
    target: str
    labels: list[str]


def made(number: int) -> Table:
    """Numbers and categories in turn, all of which tell something of the class."""
    draw = np.random.default_rng(number)
    names = COLUMNS[number * PER_TABLE : (number + 1) * PER_TABLE]
    labels = WORDS[number * LABELS : (number + 1) * LABELS]
    if len(labels) < LABELS:
        labels = WORDS[-LABELS:]
    classes = np.repeat(np.arange(LABELS), ROWS_OF_A_LABEL)
    columns: dict[str, Any] = {}
    for place, name in enumerate(names):
        values = WORDS[(number * 31 + place * 7) % len(WORDS) :][:VALUES] + WORDS[:VALUES]
        noisy = np.where(
            draw.random(len(classes)) < 0.1, draw.integers(0, LABELS, len(classes)), classes
        )
        number_column = (noisy * draw.normal() + draw.normal(0, 0.1, len(classes))).astype(
            np.float32
        )
        columns[name] = (
            number_column if place % 2 else np.array(values, object)[(noisy + place) % VALUES]
        )
    target = f"target {WORDS[number * 5]}"
    columns[target] = np.array(labels, object)[classes]
    return Table(
        pd.DataFrame(columns).sample(frac=1, random_state=number, ignore_index=True), target, labels
    )


def write(frame: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".parquet":
        frame.to_parquet(path)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(frame.columns)
        writer.writerows(frame.astype(object).to_numpy().tolist())


def input_of(column: str) -> str:
    """The ONNX input of a column, as docs/outputs.md says it."""
    return f"{column}_input" if column in OF_OUTPUTS else column


def fed(frame: pd.DataFrame) -> dict[str, Any]:
    return {input_of(name): frame[name].to_numpy().reshape(-1, 1) for name in frame.columns}


def asked(path: str, feeds: dict[str, Any]) -> dict[str, Any]:
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    return dict(
        zip((item.name for item in session.get_outputs()), session.run(None, feeds), strict=True)
    )


ODD_FOLDER = "a#b &;'\"[x] 한 글 100% $(id) `x` =+,@~!"


@pytest.fixture
def odd_workspace(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same in a folder whose own name is nasty."""
    folder = workspace / ODD_FOLDER
    for part in ("data", "outputs"):
        (folder / part).mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.filterwarnings("ignore")  # MLflow's and its libraries'
@pytest.mark.parametrize("number", range(len(KINDS)))
def test_names_come_through_the_chain_and_a_served_model_as_they_went_in(
    number: int,
    odd_workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    estimator, arguments, file, experiment = KINDS[number]
    workspace, table = odd_workspace, made(number)
    write(table.frame, workspace / "data" / file)
    content = {
        **QUICK,
        **OFF,
        "data__source": f"data/{file}",
        "data__target": table.target,
        "train__estimator": estimator,
        "train__params": arguments,
        "publish__experiment": experiment,
        "publish__register": re.sub('[/:"]', "_", experiment)[:250].replace("..", "x.."),
    }
    if estimator in WEIGHTED:
        more = [
            f"no class {number}" for number in range(80)
        ]  # a server takes 100 parameters at once
        content["train__params"] = {
            **arguments,
            "class_weight": dict.fromkeys([*table.labels, *more], 1.0),
        }
    write_params(workspace, default_params(**content))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for stage in CHAIN:
        import_module(program(stage)).main()
    with pytest.MonkeyPatch.context() as patch:
        report()
        patch.setattr(
            "onnxpress.commands.report_page.stale_stages", list
        )  # this folder is no repository of DVC's
        report(html=True)
        report(in_json=True)
    said, warned = capfd.readouterr()
    assert not CONTROLS.search(said + warned)
    assert visible(said.replace("\n", "")) == said.replace("\n", "")
    check_files(workspace, table, file)

    features = table.frame.drop(columns=table.target)
    model = joblib.load("outputs/model.joblib")
    expected = model.predict(features)
    assert set(expected) <= set(table.labels)
    assert len(set(expected)) > LABELS * 0.6
    check_rows(table, expected)
    check_models(table, features, model, expected)
    try:
        check_served(features, experiment)
    finally:
        import mlflow

        forget: Any = mlflow.set_tracking_uri  # its type knows no None
        forget(None)  # the next run's is another


def check_rows(table: Table, expected: Any) -> None:
    """Row by row, what the test rows are and what is said of them.

    Rows are known by a column of numbers.
    """
    test = parquet.read_table("outputs/test.parquet").to_pandas()
    assert list(test.columns) == list(table.frame.columns)
    key = next(name for name in table.frame.columns if table.frame[name].dtype == np.float32)
    place = {value: row for row, value in enumerate(table.frame[key].tolist())}
    rows = [place[value] for value in test[key].tolist()]
    pd.testing.assert_frame_equal(
        test, table.frame.iloc[rows].reset_index(drop=True), check_dtype=False
    )
    with Path("outputs/predictions.csv").open(encoding="utf-8", newline="") as lines:
        said = list(csv.DictReader(lines))
    assert [text_of_cell(row["target"]) for row in said] == table.frame[table.target].iloc[
        rows
    ].tolist()
    assert [text_of_cell(row["original"]) for row in said] == expected[rows].tolist()
    assert not [text for row in said for text in row.values() if is_formula(text)]


def is_formula(text: str) -> bool:
    return text[:1] in {*"=+-@\t\r\n"} and not re.fullmatch(r"[+-]|[+-]?[\d.]+(e[+-]?\d+)?", text)


class Page(HTMLParser):
    """The elements, attributes and addresses of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.addresses.update(
            (value or "").partition(",")[0] for name, value in attrs if name in {"href", "src"}
        )


ELEMENTS = {
    "html",
    "head",
    "meta",
    "title",
    "link",
    "style",
    "body",
    "h1",
    "h2",
    "p",
    "div",
    "table",
    "caption",
    "thead",
}
ELEMENTS |= {"tbody", "tr", "th", "td", "figure", "img", "figcaption", "code"}
ATTRIBUTES = {
    "alt",
    "charset",
    "class",
    "content",
    "href",
    "http-equiv",
    "id",
    "lang",
    "name",
    "rel",
    "src",
}


def check_files(folder: Path, table: Table, file: str) -> None:
    """The report, every JSON file, and which files there are at all.

    None has a name of the table.
    """
    page = Page(Path("outputs/report.html").read_text(encoding="utf-8"))
    assert page.elements <= ELEMENTS
    assert page.attributes <= ATTRIBUTES
    assert page.addresses == {"data:", "data:image/png;base64"}
    for path in folder.rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        json.loads(text)
        assert "mlartifacts" in path.parts or not CONTROLS.search(text)
    assert {path.name for path in folder.parent.iterdir()} == {
        "data",
        "outputs",
        "params.yaml",
        ODD_FOLDER,
    }
    assert {path.name for path in folder.iterdir()} <= {
        *("data", "outputs", "params.yaml", "mlflow.db", "mlflow.db.lock", "mlartifacts")
    }
    assert [path.name for path in (folder / "data").iterdir()] == [file]
    names = {path.name for path in (folder / "outputs").rglob("*")}
    assert all(re.fullmatch(r"[\w.-]+", name) for name in names)
    assert not names & {*table.labels, *table.frame.columns}


def check_models(table: Table, features: pd.DataFrame, model: Any, expected: Any) -> None:
    """Both ONNX files on all rows, against scikit-learn."""
    schema = json.loads(Path("outputs/schema.json").read_text(encoding="utf-8"))
    assert [column["name"] for column in schema["columns"]] == list(features.columns)
    plain = onnx.load("outputs/model.onnx")
    told = {item.key: item.value for item in plain.metadata_props}
    assert json.loads(told["feature_names"]) == list(features.columns)
    answers = [
        asked(f"outputs/{name}.onnx", fed(features)) for name in ("model", "model_quantized")
    ]
    assert np.mean(answers[0]["label"] == expected) > 0.995
    assert np.mean(answers[1]["label"] == expected) > 0.9
    assert {*answers[0]["label"], *answers[1]["label"]} <= set(table.labels)
    if "probabilities" in answers[0]:
        np.testing.assert_allclose(
            answers[0]["probabilities"], model.predict_proba(features), atol=2e-5
        )


def check_served(features: pd.DataFrame, experiment: str) -> None:
    """Check that the run's model predicts like the file, from a frame with the original names."""
    import mlflow

    receipt = json.loads(Path("outputs/mlflow_run.json").read_text(encoding="utf-8"))
    mlflow.set_tracking_uri(receipt["tracking_uri"])
    (found,) = [
        item for item in mlflow.MlflowClient().search_experiments() if item.name != "Default"
    ]
    assert found.name == receipt["experiment"] == experiment
    folder = Path(unquote(found.artifact_location.removeprefix("file://")))
    assert folder.parent == Path.cwd() / "mlartifacts"
    assert folder.is_dir()
    run = mlflow.MlflowClient().get_run(receipt["run_id"])
    given = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["train"]["params"]
    logged = [key for key in run.data.params if key.startswith("train.params.class_weight.")]
    assert len(logged) == len(given.get("class_weight", []))
    card = MarkdownIt("gfm-like", {"linkify": False}).parse(run.data.tags["mlflow.note.content"])
    inside = {child.type for token in card for child in token.children or []}
    assert inside <= {"text", "code_inline", "softbreak"}
    assert not {token.type for token in card} & {
        "html_block",
        "link_open",
        "image",
        "fence",
        "code_block",
    }
    served = mlflow.pyfunc.load_model(f"runs:/{receipt['run_id']}/model")
    named = (
        features
        if served.metadata.get_input_schema() is None
        else features.rename(columns=input_of)
    )
    answer = served.predict(named)
    label = answer["label"] if isinstance(answer, dict) else answer["label"].to_numpy()
    assert label.tolist() == asked("outputs/model_quantized.onnx", fed(features))["label"].tolist()
