"""Nets get tensors as PyTorch got them, and answer as it does; see support/torch_exports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

import onnxpress
from onnxpress.conversion.converting import to_onnx
from onnxpress.errors import UserError
from onnxpress.given.onnx_models import load_onnx
from onnxpress.given.sandbox import GivenFile, try_model
from onnxpress.runtime.predictions import Predictions
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.names import input_name
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema
from onnxpress.tables.tensors import as_tensor, tensor_columns

EXPORTS = Path(__file__).parents[1] / "support" / "torch_exports"
ANSWERS = json.loads((EXPORTS / "answers.json").read_text())
SHAPES = {
    "images": (1, 4, 4),
    "images_legacy": (1, 4, 4),
    "sequences": (6, 3),
    "words": (5,),
    "doubles": (4,),
}


def arrays_of(name: str, kind: Any) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The rows in the shape that PyTorch took, and the logits that it gave."""
    found = ANSWERS[name]
    rows = np.array(found["rows"])
    return rows.reshape(len(rows), *SHAPES[name]).astype(kind), np.array(found["values"])


def schema_and_rows(arrays: dict[str, NDArray[Any]], target: Any) -> tuple[Schema, Rows]:
    columns = tensor_columns(arrays, len(target))
    feeds = {input_name(name): as_tensor(values) for name, values in arrays.items()}
    return Schema("classification", "y", columns), Rows(feeds, target)


def taken(path: Path, schema: Schema, rows: Rows) -> tuple[onnx.ModelProto, Predictions, list[str]]:
    """What train makes of the file, converted and run on the rows; and the lines that it says."""
    lines: list[str] = []
    converted = to_onnx(load_onnx(path, rows, schema, lines.append), schema, 12)
    answers = predict_onnx(open_session(converted.SerializeToString()), rows.feeds)
    return converted, answers, lines


@pytest.mark.parametrize("call", ["image", "X", "label"])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("images", np.float32),
        ("images_legacy", np.float64),
        ("images", np.float16),
        ("sequences", np.float32),
        ("words", np.int64),
        ("words", np.uint8),
        ("words", np.float32),
        ("doubles", np.float64),
    ],
)
def test_the_label_is_that_of_pytorch(name: str, kind: Any, call: str) -> None:
    x, logits = arrays_of(name, kind)
    schema, rows = schema_and_rows({call: x}, np.resize(np.arange(3), len(x)))
    model, found, _ = taken(EXPORTS / f"{name}.onnx", schema, rows)
    assert found.values.tolist() == logits.argmax(axis=1).tolist()
    (given,) = model.graph.input
    wanted = {"f": TensorProto.FLOAT, "i": TensorProto.INT64, "u": TensorProto.UINT8}
    assert given.name == input_name(call)
    assert given.type.tensor_type.elem_type == wanted[np.dtype(kind).kind]
    sizes = [size.dim_value for size in given.type.tensor_type.shape.dim]
    assert sizes == [0, *SHAPES[name]]


def test_words_and_their_mask_are_answered_as_by_pytorch() -> None:
    given = ANSWERS["attention"]
    words, mask = np.array(given["words"]), np.array(given["mask"], bool)
    logits, target = np.array(given["values"]), np.resize(np.arange(3), len(words))
    schema, rows = schema_and_rows({"mask": mask, "words": words}, target)
    _, found, lines = taken(EXPORTS / "attention.onnx", schema, rows)
    assert found.values.tolist() == logits.argmax(axis=1).tolist()
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert found.scores is not None
    expected = shifted / shifted.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.scores, expected, atol=1e-5)
    assert lines[0].endswith("takes int64 for 'mask', and the data are uint8: cast")
    assert not any("warning" in line for line in lines)
    result = onnxpress.compress(
        *(EXPORTS / "attention.onnx", {"mask": mask, "words": words}, target),
        budgets={"recall_worst_loss": None},
    )
    compared = onnxpress.compare(
        EXPORTS / "attention.onnx", result, {"words": words, "mask": mask}, target
    )
    assert compared.agreement == 1.0


def two_inputs(path: Path) -> Path:
    """A net of an image and a number: the logits are the sums of two halves of the image, times the
    number."""
    halves = np.eye(2, dtype=np.float32).repeat(2, axis=0)
    graph = helper.make_graph(
        [
            helper.make_node("Reshape", ["image", "flat"], ["row"]),
            helper.make_node("MatMul", ["row", "halves"], ["sums"]),
            helper.make_node("Cast", ["times"], ["factor"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["sums", "factor"], ["logits"]),
        ],
        "two",
        [
            helper.make_tensor_value_info("times", TensorProto.INT32, ["n", 1]),
            helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 2, 2]),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2])],
        [
            onnx.numpy_helper.from_array(np.array([-1, 4]), "flat"),
            onnx.numpy_helper.from_array(halves, "halves"),
        ],
    )
    opsets = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def test_several_inputs_go_by_their_names(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    image, times = generator.normal(size=(40, 2, 2)), generator.choice([-1, 1], (40, 1))
    sums = image.astype(np.float32).sum(axis=2) * times
    schema, rows = schema_and_rows({"image": image, "times": times}, np.arange(40) % 2)
    model, found, lines = taken(two_inputs(tmp_path / "two.onnx"), schema, rows)
    assert found.values.tolist() == sums.argmax(axis=1).tolist()
    assert [value.name for value in model.graph.input] == ["image", "times"]
    assert "takes int32 for 'times', and the data are int64: cast" in lines[0]
    with pytest.raises(UserError, match="takes times: .*, image: .*; the data have 'image' 2 x 2"):
        taken(tmp_path / "two.onnx", *schema_and_rows({"image": image}, rows.target))


@pytest.mark.parametrize(
    ("name", "kind", "change", "words"),
    [
        ("words", np.float32, 1.5, "takes int64 numbers for 'words', and the array 'x' holds 1.5"),
        ("images", np.int64, 2**24 + 1, "takes float32 numbers for 'input', and the array 'x' "),
    ],
)
def test_values_that_an_input_cannot_hold_are_refused(
    name: str, kind: Any, change: float, words: str
) -> None:
    x, _ = arrays_of(name, kind)
    x.reshape(len(x), -1)[3, 2] = change
    schema, rows = schema_and_rows({"x": x}, np.resize(np.arange(3), len(x)))
    with pytest.raises(UserError) as error:
        taken(EXPORTS / f"{name}.onnx", schema, rows)
    assert words in str(error.value)
    assert "in row 4;" in str(error.value)


@pytest.mark.parametrize(("largest", "refused"), [(1, False), (2, True)])
def test_an_input_of_booleans_takes_zeros_and_ones(
    tmp_path: Path, largest: int, refused: bool
) -> None:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Cast", ["mask"], ["logits"], to=TensorProto.FLOAT)],
        "mask",
        [value("mask", TensorProto.BOOL, ["n", 3])],
        [value("logits", TensorProto.FLOAT, ["n", 3])],
    )
    opsets, path = [helper.make_opsetid("", 13)], tmp_path / "mask.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    mask = np.eye(3, dtype=np.uint8)[np.resize(np.arange(3), 30)] * np.uint8(largest)
    schema, rows = schema_and_rows({"mask": mask}, np.resize(np.arange(3), 30))
    if refused:
        with pytest.raises(UserError, match="takes bool numbers for 'mask', .* holds 2 in row 1"):
            taken(path, schema, rows)
    else:
        assert taken(path, schema, rows)[1].values.tolist() == rows.target.tolist()


def test_another_shape_is_refused() -> None:
    x, _ = arrays_of("images", np.float32)
    schema, rows = schema_and_rows({"x": x[..., :3]}, np.resize(np.arange(3), len(x)))
    with pytest.raises(UserError, match="the data have 'x' 1 x 4 x 3 float32 for a row"):
        taken(EXPORTS / "images.onnx", schema, rows)


def test_the_sandbox_takes_tensors() -> None:
    x, logits = arrays_of("images_legacy", np.float32)
    schema, rows = schema_and_rows({"image": x}, np.resize(np.arange(3), len(x)))
    file = GivenFile(EXPORTS / "images_legacy.onnx")
    outcome = try_model(file, rows, rows, schema).outcome
    assert outcome.refused is None
    assert outcome.values is not None
    assert outcome.values.tolist() == logits.argmax(axis=1).tolist()


@pytest.mark.parametrize("name", ["images", "sequences", "words"])
def test_the_library_takes_tensors(name: str) -> None:
    x, _ = arrays_of(name, np.int64 if name == "words" else np.float32)
    target = np.resize(np.arange(3), len(x))
    rows = {"words": x} if name == "words" else x
    result = onnxpress.compress(
        *(EXPORTS / f"{name}.onnx", rows, target), budgets={"recall_worst_loss": None}
    )
    found = onnxpress.compare(EXPORTS / f"{name}.onnx", result, rows, target)
    assert (found.agreement, found.score_drop) == (1.0, 0.0)
    assert found.probes is not None
    timed = onnxpress.measure({"plain": result.plain, "ours": result}, rows, seconds=0.2)
    assert set(timed.batches) == {1, 32, 1024}


def test_the_library_refuses_what_is_no_tensor() -> None:
    x, _ = arrays_of("images", np.float32)
    path, target = EXPORTS / "images.onnx", np.resize(np.arange(3), len(x))
    for rows, words in (
        ({}, "X should map names of inputs to arrays"),
        ({1: x}, "X should map names of inputs to arrays, got [1]"),
        ({"x": x * np.nan}, "X: array 'x' has nan in row 1"),
        ({"x": x, "other": x[:5]}, "X: array 'other' has 5 rows, and the first array has 24"),
        (x[:, :, :3], "the data have 'X' 1 x 3 x 4 float32 for a row"),
    ):
        with pytest.raises(UserError) as error:
            onnxpress.compress(path, rows, target)
        assert words in str(error.value)


def test_estimators_of_tables_refuse_tensors() -> None:
    from sklearn.linear_model import LogisticRegression

    x, _ = arrays_of("images", np.float32)
    target = np.resize(np.arange(3), len(x))
    flat = LogisticRegression().fit(x.reshape(len(x), -1), target)
    with pytest.raises(UserError, match=r"X.reshape\(len\(X\), -1\)"):
        onnxpress.compress(flat, x, target)
    with pytest.raises(UserError, match=r"X.reshape\(len\(X\), -1\)"):
        onnxpress.convert(flat, x)
