"""Tensors through a request: the served model, the server's configuration, the log, the checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from onnx import TensorProto, helper

from onnxpress.commands.drift.rows_of_log import rows_of_log
from onnxpress.commands.drift.rows_of_table import TableRows
from onnxpress.commands.open_inference import binary_request, infer_request
from onnxpress.conversion.contract import contract_inputs, contract_outputs
from onnxpress.drift.profiling import drift_profile
from onnxpress.errors import UserError
from onnxpress.serving.answering import _load_pyfunc
from onnxpress.serving.triton import Batching, model_config
from onnxpress.tables.csv_types import PLAIN
from onnxpress.tables.parquet_file import parquet_bytes
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Column, Schema
from onnxpress.tracking.card import test_data as described_rows
from onnxpress.tracking.served_model import columns_of, example_of, signature_of

SCHEMA = Schema(
    "regression",
    "y",
    (
        Column("image", "tensor", missing=False, shape=(2, 2), dtype="float32"),
        Column("label", "tensor", missing=False, shape=(3,), dtype="int64"),
    ),
)
INPUTS = ["image", "label_input"]
IMAGE = np.arange(20, dtype=np.float32).reshape(5, 2, 2)
LABEL = np.arange(15).reshape(5, 3)
FEEDS: Feeds = {"image": IMAGE, "label_input": LABEL}
SUMS = IMAGE.sum(axis=(1, 2)) + LABEL.sum(axis=1)
"""What the model below predicts."""


def model() -> onnx.ModelProto:
    """The sum of all values of a row, of both inputs."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceSum", ["image", "axes"], ["image_sum"], keepdims=0),
            helper.make_node("Cast", ["label_input"], ["numbers"], to=TensorProto.FLOAT),
            helper.make_node("ReduceSum", ["numbers", "axis"], ["label_sum"], keepdims=0),
            helper.make_node("Add", ["image_sum", "label_sum"], ["sum"]),
            helper.make_node("Unsqueeze", ["sum", "axis"], ["prediction"]),
        ],
        "sums",
        contract_inputs(SCHEMA, INPUTS),
        contract_outputs(None, proper=False, width=1),
        [
            onnx.numpy_helper.from_array(np.array([1, 2]), "axes"),
            onnx.numpy_helper.from_array(np.array([1]), "axis"),
        ],
    )
    opsets = [helper.make_opsetid("", 13)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.fixture
def loaded(tmp_path: Path) -> Any:
    """The model as MLflow loads it."""
    path = tmp_path / "model.onnx"
    onnx.save(model(), path)
    (tmp_path / "columns.json").write_text(json.dumps(columns_of(INPUTS, SCHEMA)))
    return _load_pyfunc(str(path))


@pytest.mark.parametrize("kind", [np.float16, np.float64, np.int32])
def test_arrays_are_matched_by_name(loaded: Any, kind: Any) -> None:
    rows = {"label": LABEL.astype(np.int16), "image": IMAGE.astype(kind)}
    np.testing.assert_array_equal(loaded.predict(rows)["prediction"][:, 0], SUMS)
    lists = {"image": IMAGE.tolist(), "label": LABEL.tolist()}
    np.testing.assert_array_equal(loaded.predict(lists)["prediction"][:, 0], SUMS)


WRONG: dict[str, tuple[Any, str]] = {
    "an array": (IMAGE, "expected a mapping of 'image', 'label' to arrays; got ndarray"),
    "no label": ({"image": IMAGE}, "the input lacks 'label'"),
    "another": ({"image": IMAGE, "label": LABEL, "x": LABEL}, "has unknown 'x'"),
    "flat": (
        {"image": IMAGE.reshape(5, 4), "label": LABEL},
        "array 'image' should be float32 numbers of the shape (rows, 2, 2); got (5, 4)",
    ),
    "no rows": ({"image": IMAGE[:0], "label": LABEL[:0]}, "got (0, 2, 2)"),
    "other rows": ({"image": IMAGE[:4], "label": LABEL}, "should have as many rows each"),
    "a gap": ({"image": IMAGE * np.nan, "label": LABEL}, "got nan in row 1"),
    "fractions": ({"image": IMAGE, "label": LABEL + 0.5}, "int64 numbers of the shape (rows, 3)"),
    "text": ({"image": IMAGE.astype(str), "label": [["a"] * 3] * 5}, "array 'label' should be"),
}


@pytest.mark.parametrize(("rows", "words"), WRONG.values(), ids=WRONG)
def test_other_arrays_end_with_a_line(loaded: Any, rows: Any, words: str) -> None:
    with pytest.raises(MlflowException) as error:
        loaded.predict(rows)
    assert words in error.value.message
    assert "\n" not in error.value.message


def test_mlflow_knows_types_and_shapes() -> None:
    from mlflow.data.schema import TensorDatasetSchema

    found = [(each.name, each.type, each.shape) for each in signature_of(model(), SCHEMA).inputs]
    assert found == [
        ("image", np.float32, (-1, 2, 2)),
        ("label", np.int64, (-1, 3)),
    ]
    rows = described_rows("data/rows.npz", SCHEMA, 5, "0" * 64)
    read = TensorDatasetSchema.from_dict(json.loads(rows["schema"])).features
    assert [(each.name, each.type, each.shape) for each in read] == found
    example = example_of(FEEDS, SCHEMA)
    np.testing.assert_array_equal(example["label"], LABEL[:3])


def test_a_server_is_told_types_and_shapes() -> None:
    lines = model_config(model(), "sums", Batching()).splitlines()
    assert 'input { name: "image" data_type: TYPE_FP32 dims: [ 2, 2 ] }' in lines
    assert 'input { name: "label_input" data_type: TYPE_INT64 dims: [ 3 ] }' in lines


def test_requests_keep_types_and_shapes(tmp_path: Path) -> None:
    feeds: Feeds = {"image": IMAGE, "label_input": LABEL + 2**60}
    request = infer_request(feeds)
    kinds = [(each["datatype"], each["shape"]) for each in request["inputs"]]
    assert kinds == [("FP32", [5, 2, 2]), ("INT64", [5, 3])]
    body, _ = binary_request(feeds)
    assert body.endswith(IMAGE.tobytes() + (LABEL + 2**60).astype("<i8").tobytes())
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(json.dumps(infer_request(part)) for part in (feeds, feeds)))
    (found,) = rows_of_log(log, SCHEMA)
    for name, values in feeds.items():
        np.testing.assert_array_equal(found[name], np.concatenate([values, values]))
        assert found[name].dtype == values.dtype


def new_rows(path: Path) -> list[Feeds]:
    return list(TableRows(str(path), PLAIN, SCHEMA).pieces())


def test_new_rows_are_read_as_the_model_takes_them(tmp_path: Path) -> None:
    path = tmp_path / "new.npz"
    np.savez(path, label=LABEL.astype(np.uint8), image=IMAGE.astype(float), other=[1])
    (found,) = new_rows(path)
    np.testing.assert_array_equal(found["image"], IMAGE)
    np.testing.assert_array_equal(found["label_input"], LABEL)
    assert [values.dtype for values in found.values()] == [np.float32, np.int64]
    parts = tmp_path / "test.parquet"
    frame = pd.DataFrame({"y": SUMS})
    parts.write_bytes(parquet_bytes(frame, {"image": IMAGE, "label": LABEL}))
    (found,) = new_rows(parts)
    for name, values in found.items():
        np.testing.assert_array_equal(values, FEEDS[name])
    frame.to_parquet(parts)
    with pytest.raises(UserError, match="should hold arrays as the prepare stage writes them"):
        new_rows(parts)
    np.savez(path, image=IMAGE)
    with pytest.raises(UserError, match="should have an array 'label' of the shape"):
        new_rows(path)
    np.savez(path, image=IMAGE, label=LABEL + 0.5)
    with pytest.raises(UserError, match="array 'label' should hold int64 numbers, got float64"):
        new_rows(path)


def test_the_profile_has_predictions_alone() -> None:
    profile = drift_profile(model().SerializeToString(), SCHEMA, FEEDS, FEEDS)
    assert profile["features"] == []
    assert [entry["name"] for entry in profile["predictions"]] == ["prediction"]
