"""The configuration of a Triton model says what the ONNX graph says."""

from __future__ import annotations

import pytest
from onnx import TensorProto, helper

from onnxpress.errors import UserError
from onnxpress.serving.signature import example_request, inputs_of, outputs_of
from onnxpress.serving.triton import Batching, model_config
from tests.support.served_graphs import FOREST, MIXED, Shape, model_of


def test_a_matrix_of_numbers() -> None:
    assert model_config(FOREST, "iris", Batching(2, 256, 100)).splitlines() == [
        'name: "iris"',
        'backend: "onnxruntime"',
        "max_batch_size: 256",
        'input { name: "X" data_type: TYPE_FP32 dims: [ 4 ] }',
        'output { name: "label" data_type: TYPE_INT64 dims: [ 1 ] reshape { shape: [ ] } }',
        'output { name: "probabilities" data_type: TYPE_FP32 dims: [ 3 ] }',
        "instance_group [ { kind: KIND_CPU count: 2 } ]",
        "dynamic_batching { max_queue_delay_microseconds: 100 }",
        'parameters { key: "intra_op_thread_count" value { string_value: "1" } }',
        "model_warmup {",
        '  name: "one row"',
        "  batch_size: 1",
        '  inputs { key: "X" value { data_type: TYPE_FP32 dims: [ 4 ] zero_data: true } }',
        "}",
    ]


def test_columns_of_text_are_strings_and_names_are_escaped() -> None:
    config = model_config(MIXED, "m", Batching())
    assert r'input { name: "the \"isle\"\n" data_type: TYPE_STRING dims: [ 1 ] }' in config
    assert 'output { name: "label" data_type: TYPE_STRING dims: [ 1 ] reshape' in config
    warmed = r'key: "the \"isle\"\n" value { data_type: TYPE_STRING dims: [ 1 ] zero_data: true }'
    assert warmed in config


def test_a_size_that_the_graph_leaves_open_stays_open() -> None:
    assert 'name: "scores" data_type: TYPE_FP32 dims: [ -1 ]' in model_config(
        MIXED, "m", Batching()
    )


def test_a_warm_up_is_left_out_where_its_size_is_not_known() -> None:
    model = model_of(
        {"X": (TensorProto.FLOAT, [None, None])}, {"prediction": (TensorProto.FLOAT, [None, 1])}
    )
    assert "model_warmup" not in model_config(model, "m", Batching())


@pytest.mark.parametrize("shape", [[1, 4], []])
def test_a_graph_for_one_row_only_is_refused(shape: Shape) -> None:
    model = model_of({"X": (TensorProto.FLOAT, shape)}, {"label": (TensorProto.INT64, [None])})
    with pytest.raises(UserError, match="'X' .* should take any number of rows, got the shape"):
        model_config(model, "m", Batching())


def test_constants_of_old_graphs_are_no_inputs() -> None:
    model = model_of(
        {"X": (TensorProto.FLOAT, [None, 4]), "weights": (TensorProto.FLOAT, [4, 1])},
        {"prediction": (TensorProto.FLOAT, [None, 1])},
    )
    model.graph.initializer.append(
        helper.make_tensor("weights", TensorProto.FLOAT, [4, 1], [0] * 4)
    )
    assert [tensor.name for tensor in inputs_of(model)] == ["X"]


def test_a_request_of_one_row_needs_no_data() -> None:
    assert example_request(inputs_of(MIXED)) == {
        "inputs": [
            {"name": "length", "shape": [1, 1], "datatype": "FP32", "data": [0.0]},
            {"name": 'the "isle"\n', "shape": [1, 1], "datatype": "BYTES", "data": [""]},
        ]
    }
    assert example_request(inputs_of(FOREST))["inputs"][0]["data"] == [0.0] * 4


def test_outputs_are_described_as_the_graph_has_them() -> None:
    assert [(each.name, each.datatype, each.row) for each in outputs_of(FOREST)] == [
        ("label", "INT64", ()),
        ("probabilities", "FP32", (3,)),
    ]
