"""Matrices in blocks of 4 bits: what is stored, and what is computed from it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from onnxpress.certify.evidence import min_onnxruntime
from onnxpress.evaluate.row_dependence import row_dependence
from onnxpress.graph.canonical import to_bytes
from onnxpress.graph.writer import GraphWriter
from onnxpress.onnx_file import judge
from onnxpress.quantize.candidates import Form, NotApplicable
from onnxpress.quantize.dense.block_products import block_products
from onnxpress.quantize.dense.blocks import in_blocks, write_blocks
from onnxpress.quantize.dense.stored import dense_candidates
from onnxpress.quantize.options import Options
from onnxpress.runtime.sessions import open_session, predict_onnx
from tests.conftest import digits_rows
from tests.support.nets import digits_cnn, torch_probabilities

TRAIN, OTHERS = digits_rows(0, 1000), digits_rows(1000)


def matrix(inputs: int, outputs: int, scale: float = 1) -> NDArray[np.float32]:
    random = np.random.default_rng(inputs)
    return (random.standard_t(4, (inputs, outputs)) * scale).astype(np.float32)


def as_operators(weights: NDArray[np.float32], opset: int) -> onnx.ModelProto:
    """A model that gives the stored matrix."""
    graph = onnx.GraphProto(name="g")
    writer = GraphWriter(graph, opset, {"W"})
    value = write_blocks(in_blocks(weights), "w", writer)
    writer.add("Identity", value, output="W")
    graph.output.append(helper.make_tensor_value_info("W", TensorProto.FLOAT, weights.shape))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (63, 4), (64, 1), (65, 2), (130, 7), (640, 30)])
@pytest.mark.parametrize("scale", [1, 1e-7, 1e6])
def test_operators_of_onnx_give_the_stored_matrix_again(
    shape: tuple[int, int], scale: float
) -> None:
    weights = matrix(*shape, scale)
    model = as_operators(weights, 12)
    onnx.checker.check_model(model, full_check=True)
    stored = in_blocks(weights).matrix()
    referred: Any = ReferenceEvaluator(model).run(None, {})
    np.testing.assert_array_equal(referred[0], stored)
    np.testing.assert_array_equal(open_session(to_bytes(model)).run(None, {})[0], stored)


def test_no_weight_moves_further_than_half_a_step_of_its_block_or_what_was_cut() -> None:
    weights = matrix(640, 30)
    blocks = in_blocks(weights)
    moved = np.abs(blocks.matrix() - weights).reshape(10, 64, 30)
    ends = (blocks.numbers == 0) | (blocks.numbers == 15)
    assert (moved <= np.abs(blocks.steps) / 2 * 1.001)[~ends].all()
    plain = np.abs(weights).reshape(10, 64, 30).max(axis=1, keepdims=True) / 8
    rounded = np.clip(np.rint(weights.reshape(10, 64, 30) / plain), -8, 8) * plain
    assert np.square(moved).sum() < 0.95 * np.square(rounded - weights.reshape(10, 64, 30)).sum()


def test_a_matrix_takes_an_eighth_and_a_sixteenth_of_a_byte_more() -> None:
    weights = matrix(640, 300)
    assert len(to_bytes(as_operators(weights, 12))) < weights.size * 4.25 / 8 + 1200


def test_zeros_stay_zeros() -> None:
    weights = matrix(128, 4)
    weights[:64, 1] = 0
    weights[::3] = 0
    stored = in_blocks(weights).matrix()
    assert (stored[weights == 0] == 0).all()


def candidate(model: onnx.ModelProto, form: Form) -> onnx.ModelProto:
    candidates = dense_candidates(model, Options(objective="latency"))
    (found,) = [one for one in candidates if one.form == form and one.rung is None]
    return found.apply(model, TRAIN)


@pytest.mark.parametrize("form", [Form.INT4, Form.INT4_PRODUCT])
def test_an_mlp_in_blocks_keeps_its_labels_in_a_seventh_of_the_bytes(
    form: Form, digits_mlp_onnx: onnx.ModelProto
) -> None:
    small = candidate(digits_mlp_onnx, form)
    judge(small)
    onnx.checker.check_model(small, full_check=form == Form.INT4)
    assert len(to_bytes(small)) < len(to_bytes(digits_mlp_onnx)) / (6.5 if "_" in form else 6.8)
    before = predict_onnx(open_session(to_bytes(digits_mlp_onnx)), OTHERS.feeds)
    session = open_session(to_bytes(small))
    after = predict_onnx(session, OTHERS.feeds)
    assert (before.values == after.values).mean() > 0.97
    assert row_dependence(partial(predict_onnx, session), OTHERS.feeds).difference <= 1e-5


def test_both_forms_of_the_same_blocks_give_the_same_scores(
    digits_mlp_onnx: onnx.ModelProto,
) -> None:
    pair = [
        predict_onnx(open_session(to_bytes(candidate(digits_mlp_onnx, form))), OTHERS.feeds).scores
        for form in (Form.INT4, Form.INT4_PRODUCT)
    ]
    assert pair[0] is not None
    assert pair[1] is not None
    # steps of the operator are float32, and those of the other form float16 where they fit
    np.testing.assert_allclose(pair[0], pair[1], atol=1e-4)


def test_the_operator_of_onnxruntime_is_tried_only_where_it_may_be_faster(
    digits_mlp_onnx: onnx.ModelProto,
) -> None:
    assert Form.INT4_PRODUCT not in {
        one.form for one in dense_candidates(digits_mlp_onnx, Options())
    }
    with pytest.raises(NotApplicable):
        block_products(digits_cnn())


def test_it_needs_the_onnxruntime_that_has_the_operator(digits_mlp_onnx: onnx.ModelProto) -> None:
    assert min_onnxruntime(candidate(digits_mlp_onnx, Form.INT4_PRODUCT)) == "1.17"
    assert min_onnxruntime(candidate(digits_mlp_onnx, Form.INT4)) == "1.3"


@pytest.mark.parametrize("form", [Form.INT4, Form.INT8])
def test_weights_of_convolutions_are_stored_in_int8(form: Form) -> None:
    small = candidate(digits_cnn(), form)
    whole = {
        tuple(tensor.dims): numpy_helper.to_array(tensor)
        for tensor in small.graph.initializer
        if tensor.data_type == TensorProto.INT8
    }
    assert {(32, 16, 3, 3), (48, 32, 3, 3)} <= whole.keys()
    assert all((np.abs(whole[48, 32, 3, 3]).reshape(48, -1).max(axis=1) == 127).tolist())
    found = predict_onnx(open_session(to_bytes(small)), OTHERS.feeds).scores
    assert found is not None
    assert np.abs(found - torch_probabilities()).mean() < 0.005
