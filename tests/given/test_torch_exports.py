"""Nets as PyTorch's exporters leave them answer as PyTorch does; see support/torch_exports."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import onnxpress
from onnxpress.commands.given_model import start_sandbox
from onnxpress.commands.inspect.inspecting import described
from onnxpress.conversion.converting import to_onnx
from onnxpress.errors import UserError
from onnxpress.given.exports.weights import LARGEST, check_size, size_on_disk, with_weights
from onnxpress.given.onnx_models import load_onnx
from onnxpress.given.sandbox import GivenFile, try_model
from onnxpress.runtime.predictions import Predictions
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Rows
from stages import train
from tests.conftest import default_params, numeric_schema, write_params

EXPORTS = Path(__file__).parents[1] / "support" / "torch_exports"
ANSWERS = json.loads((EXPORTS / "answers.json").read_text())
TEXTS = np.array(["bird", "cat", "dog"])
LOGITS = [
    *("as_it_comes", "of_seven_rows", "any_rows", "log_softmax", "images", "images_legacy"),
    *("words", "doubles", "two_heads"),
]
"""Nets of three classes."""


def rows_of(name: str) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The rows, and what PyTorch answers for them."""
    found = ANSWERS[name]
    return np.array(found["rows"], np.float32), np.array(found["values"])


def taken(path: Path, rows: Rows, task: str = "classification") -> tuple[Predictions, list[str]]:
    """What train makes of the file, converted and run on the rows; and the lines that it says."""
    lines: list[str] = []
    schema = numeric_schema(rows.feeds["X"].shape[1], task)
    model = load_onnx(path, rows, schema, lines.append)
    converted = to_onnx(model, schema, 12).SerializeToString()
    return predict_onnx(open_session(converted), rows.feeds), lines


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("labels", [np.arange(3), TEXTS], ids=["numbers", "texts"])
@pytest.mark.parametrize("name", LOGITS)
def test_logits_become_the_label_and_the_probabilities_of_pytorch(
    name: str, labels: NDArray[Any]
) -> None:
    x, logits = rows_of(name)
    target = labels[np.resize([0, 1, 2], len(x))]  # every class: the model need not be right
    found, lines = taken(EXPORTS / f"{name}.onnx", Rows({"X": x}, target))
    assert found.values.tolist() == labels[logits.argmax(axis=1)].tolist()
    assert found.scores is not None
    np.testing.assert_allclose(found.scores, softmax(logits), atol=2e-6)
    assert any("gives no label" in line for line in lines)


@pytest.mark.parametrize("name", ["sigmoid", "one_logit"])
def test_one_column_is_the_second_of_two_classes(name: str) -> None:
    x, values = rows_of(name)
    second = values[:, 0] if name == "sigmoid" else 1 / (1 + np.exp(-values[:, 0]))
    target = np.resize(["no", "yes"], len(x))
    found, lines = taken(EXPORTS / f"{name}.onnx", Rows({"X": x}, target))
    assert found.values.tolist() == np.where(second > 1 / 2, "yes", "no").tolist()
    assert found.scores is not None
    np.testing.assert_allclose(found.scores, np.c_[1 - second, second], atol=2e-6)
    what = "probability" if name == "sigmoid" else "logit"
    assert any(f"taken for the {what} of 'yes'" in line for line in lines)


def test_one_number_is_a_prediction() -> None:
    x, values = rows_of("number")
    found, lines = taken(EXPORTS / "number.onnx", Rows({"X": x}, values[:, 0]), "regression")
    np.testing.assert_allclose(found.values, values[:, 0], rtol=1e-5, atol=1e-6)
    assert lines == [f"{EXPORTS / 'number.onnx'} takes 1 row a call: made any number"]


def test_every_change_is_said() -> None:
    x, _ = rows_of("images_legacy")
    target = np.resize(np.arange(3), len(x))
    _, lines = taken(EXPORTS / "images_legacy.onnx", Rows({"X": x}, target))
    assert [line.split(".onnx ")[1] for line in lines] == [
        "takes 1 x 4 x 4 numbers for 'x': the columns in their order",
        "takes 3 rows a call: made any number",
        "gives no label: 'y' is taken for the logits of the classes 0, 1, 2, in this order",
    ]
    x, _ = rows_of("two_heads")
    _, lines = taken(EXPORTS / "two_heads.onnx", Rows({"X": x}, target))
    assert "gives 'features', which is left out" in lines[1]


@pytest.mark.parametrize(
    ("cell", "shown"), [(1.5, "1.5"), (np.nan, "nan"), (1e30, "1e+30"), (-np.inf, "-inf")]
)
def test_a_net_of_whole_numbers_refuses_others(cell: float, shown: str) -> None:
    x, _ = rows_of("words")
    x[3, 2] = cell
    with pytest.raises(UserError) as error:
        taken(EXPORTS / "words.onnx", Rows({"X": x}, np.resize(np.arange(3), len(x))))
    assert f"takes int64 numbers for 'words', and the column 'f2' holds {shown};" in str(
        error.value
    )


def test_a_number_of_rows_that_decides_the_answer_is_not_freed(tmp_path: Path) -> None:
    # the mean of the batch is taken from each row: with one row a call, every answer is 0
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["x", "mean"], ["y"]),
    ]
    shape = [1, 3]
    graph = helper.make_graph(
        nodes,
        "g",
        [value("x", TensorProto.FLOAT, shape)],
        [value("y", TensorProto.FLOAT, shape)],
    )
    path = tmp_path / "centred.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path
    )
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    with pytest.raises(UserError, match="other answers, or none, with another number of rows"):
        taken(path, Rows({"X": x}, np.resize(np.arange(3), 20)))


def test_sigmoids_of_each_class_are_scores_and_not_probabilities(tmp_path: Path) -> None:
    x, logits = rows_of("any_rows")
    model = onnx.load(EXPORTS / "any_rows.onnx")
    last = model.graph.output[0].name
    model.graph.node.add(op_type="Sigmoid", input=[last], output=["each"])
    model.graph.output[0].name = "each"
    path = tmp_path / "each.onnx"
    onnx.save(model, path)
    found, _ = taken(path, Rows({"X": x}, np.resize(np.arange(3), len(x))))
    assert found.values.tolist() == logits.argmax(axis=1).tolist()
    assert not found.proper
    assert found.scores is not None
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(-logits)), atol=2e-6)


@pytest.mark.parametrize("classes", [[1, 2, 3], [0, 1, 2]])
def test_a_label_that_numbers_the_classes_is_not_taken_for_them(
    classes: list[int], tmp_path: Path
) -> None:
    # the net gives the places 1 and 2 alone, which are classes of the table, too
    model = onnx.load(EXPORTS / "any_rows.onnx")
    (logits,) = (output.name for output in model.graph.output)
    model.graph.node.add(op_type="ArgMax", input=[logits], output=["place"]).attribute.extend(
        [helper.make_attribute("axis", 1), helper.make_attribute("keepdims", 0)]
    )
    model.graph.output.append(helper.make_tensor_value_info("place", TensorProto.INT64, ["rows"]))
    path = tmp_path / "places.onnx"
    onnx.save(model, path)
    x, values = rows_of("any_rows")
    places = values.argmax(axis=1)
    x, places = x[places > 0], places[places > 0]
    assert set(places) == {1, 2}
    known = np.array(classes)
    found, _ = taken(path, Rows({"X": x}, np.resize(known, len(x))))
    assert found.values.tolist() == known[places].tolist()


def test_halves_with_a_fixed_number_of_rows_are_freed(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 4)).astype(np.float32)
    weights = random.normal(size=(4, 3)).astype(np.float16)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [value("x", TensorProto.FLOAT16, [8, 4])],
        [value("y", TensorProto.FLOAT16, [8, 3])],
        [numpy_helper.from_array(weights, "w")],
    )
    path = tmp_path / "halves.onnx"
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    found, _ = taken(path, Rows({"X": x}, np.resize(np.arange(3), 60)))
    expected = x.astype(np.float16).astype(np.float64) @ weights.astype(np.float64)
    assert found.scores is not None
    np.testing.assert_allclose(found.scores, softmax(expected), atol=5e-3)


# Weights beside the file


def beside(folder: Path) -> Path:
    """A copy of the export with its weights beside it."""
    for file in EXPORTS.glob("as_it_comes.onnx*"):
        shutil.copy(file, folder)
    return folder / "as_it_comes.onnx"


def moved(path: Path, **entries: str) -> None:
    """Change where the file says that its weights are."""
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            entry.value = entries.get(entry.key, entry.value)
    path.write_bytes(model.SerializeToString())


def test_the_held_process_gets_the_weights_beside_the_file(tmp_path: Path) -> None:
    path = beside(tmp_path)
    x, logits = rows_of("as_it_comes")
    rows = Rows({"X": x}, np.resize(np.arange(3), len(x)))
    tried = try_model(GivenFile(path), rows, rows, numeric_schema(4, "classification"))
    assert tried.accepted()
    assert tried.outcome.values is not None
    assert tried.outcome.values.tolist() == logits.argmax(axis=1).tolist()


def test_the_library_reads_them_too(tmp_path: Path) -> None:
    path = str(beside(tmp_path))
    x, logits = rows_of("as_it_comes")
    labels = TEXTS[logits.argmax(axis=1)]
    assert set(labels) == set(TEXTS)  # so that their order is that of the classes
    found = onnxpress.compare(path, path, x, labels, probe_rows=0)
    assert found.scores == (1, 1)
    assert described(Path(path))["bytes"] > 3000


@pytest.mark.parametrize(
    "place",
    [
        *("../weights.data", "/etc/hostname", "below/weights.data", "", ".", "..", ".env"),
        *("params.yaml", "models.joblib", "a\\b.data", "a\0b"),
    ],
)
def test_weights_elsewhere_are_refused(place: str, tmp_path: Path) -> None:
    path = beside(tmp_path)
    moved(path, location=place)
    with pytest.raises(UserError, match="expected a file of weights beside it"):
        with_weights(path.read_bytes(), path)


def test_weights_that_are_missing_or_not_whole_are_refused(tmp_path: Path) -> None:
    path = beside(tmp_path)
    data = path.with_suffix(".onnx.data")
    whole = data.read_bytes()
    data.write_bytes(whole[:100])
    with pytest.raises(UserError, match="of a file that has 100; it is not whole"):
        with_weights(path.read_bytes(), path)
    data.unlink()
    with pytest.raises(UserError, match="keeps weights in 'as_it_comes.onnx.data', which is not b"):
        with_weights(path.read_bytes(), path)
    data.write_bytes(whole)
    for entries in ({"offset": "-1"}, {"offset": "x"}, {"length": str(2**40)}):
        moved(path, **entries)
        with pytest.raises(UserError, match="weights"):
            with_weights(path.read_bytes(), path)


def test_more_than_an_onnx_file_can_hold_is_refused_unread(tmp_path: Path) -> None:
    path = beside(tmp_path)
    with path.with_suffix(".onnx.data").open("r+b") as file:
        file.truncate(LARGEST)  # a sparse file: it takes no room
    with pytest.raises(UserError, match=r"takes 2\.0 GiB with its weights"):
        with_weights(path.read_bytes(), path)


def test_a_file_per_tensor_is_read_and_counted(tmp_path: Path) -> None:
    whole = onnx.load(EXPORTS / "any_rows.onnx")
    path = tmp_path / "model.onnx"
    onnx.save(
        onnx.load(EXPORTS / "any_rows.onnx"),
        path,
        save_as_external_data=True,
        all_tensors_to_one_file=False,
        size_threshold=0,
    )
    files = list(tmp_path.iterdir())
    assert len(files) > 2
    assert size_on_disk(path) == sum(file.stat().st_size for file in files)
    read = onnx.load_from_string(with_weights(path.read_bytes(), path))
    for tensor, expected in zip(read.graph.initializer, whole.graph.initializer, strict=True):
        np.testing.assert_array_equal(
            numpy_helper.to_array(tensor), numpy_helper.to_array(expected)
        )


@pytest.mark.parametrize("place", ["inside", "beside"])
def test_what_is_too_large_is_refused_before_any_work(workspace: Path, place: str) -> None:
    (workspace / "models").mkdir()
    path = beside(workspace / "models")
    path = path.rename(path.with_name("large.onnx"))
    large = path if place == "inside" else path.with_name("as_it_comes.onnx.data")
    with large.open("r+b") as file:
        file.truncate(3 * 2**30)  # sparse files: they take no room
    write_params(workspace, default_params(train__model_path="models/large.onnx"))
    said = (
        r"models/large\.onnx takes 3\.0 GiB with its weights, and an ONNX model holds less than 2"
    )
    with pytest.raises(UserError, match=rf"^params.yaml: train.model_path {said}"):
        train.main()  # before it looks for tables, which are not there
    with pytest.raises(UserError, match=f"^{said}"):
        start_sandbox(GivenFile(Path("models/large.onnx")))
    with pytest.raises(UserError, match=f"^{said}"):
        onnxpress.compress("models/large.onnx", [[0.0]], [0])


def test_a_program_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.pt2"
    with path.open("wb") as file:
        file.truncate(3 * 2**30)
    with pytest.raises(UserError, match=r"^it takes 3\.0 GiB with its weights"):
        check_size(path, "it")


def test_weights_inside_stay_as_they_are() -> None:
    model = (EXPORTS / "any_rows.onnx").read_bytes()
    assert with_weights(model, EXPORTS / "any_rows.onnx") is model
    text = numpy_helper.from_array(np.array(["location"], object), "location").SerializeToString()
    assert with_weights(text, EXPORTS / "none.onnx") is text
