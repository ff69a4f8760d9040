"""Quantisation-aware training: what is listed, learned and refused; that it works needs torch.

``tests/slow/test_torch_programs.py`` trains.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from scipy.special import expit, softmax
from sklearn.neural_network import MLPClassifier, MLPRegressor

from onnxpress.conversion.converting import to_onnx
from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.dense.blocks import BLOCK
from onnxpress.quantize.dense.layers import layers_of
from onnxpress.quantize.dense.qat import (
    int4_qat,
    qat_candidates,
    static_qat,
    static_qat_candidates,
)
from onnxpress.quantize.dense.qat_lesson import Stored, lesson_of
from onnxpress.quantize.dense.stored import in_int4, products_of
from onnxpress.quantize.methods import list_candidates
from onnxpress.quantize.options import Level, Options
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Rows
from tests.conftest import digits_rows, numeric_schema
from tests.support.choosing import chosen
from tests.support.nets import digits_cnn

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # no need to converge

TRAIN = digits_rows(0, 1000)
X = TRAIN.feeds["X"]
TRAINED = {"static/qat", "dense/int4_qat"}


def test_convolutions_in_four_bits_are_near_the_plain_ones() -> None:
    products = products_of(digits_cnn())
    weights = {item.name: numpy_helper.to_array(item) for item in products.graph.initializer}
    convolutions = [layer for layer in layers_of(products) if layer.is_convolution]
    made = in_int4(products)
    reads = [node.input[1] for node in made.graph.node if node.op_type == "Conv"]
    copy = onnx.ModelProto()
    copy.CopyFrom(made)
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in reads[1:])
    found = ReferenceEvaluator(copy).run(reads[1:], {"X": X[:1]})
    for layer, stored in zip(convolutions[1:], found, strict=True):
        plain = weights[layer.weights].reshape(len(stored), -1)
        rows = np.asarray(stored).reshape(plain.shape)
        for start in range(0, plain.shape[1], BLOCK):
            block, rounded = (each[:, start : start + BLOCK] for each in (plain, rows))
            steps = np.abs(block).max(axis=1, keepdims=True) / 8
            assert max(len(np.unique(row)) for row in rounded) <= 16
            assert np.square(rounded - block).mean() <= np.square(steps / 2).mean()


def test_it_is_listed_for_nets_that_are_more_than_a_chain_of_layers() -> None:
    mlp = MLPClassifier((48, 32), max_iter=3, random_state=0).fit(X, TRAIN.target)
    chain = to_onnx(mlp, numeric_schema(64), 12)
    assert [each.name for each in qat_candidates(digits_cnn(), Options())] == ["dense/int4_qat"]
    assert [each.name for each in static_qat_candidates(digits_cnn(), Options())] == ["static/qat"]
    assert qat_candidates(chain, Options()) == []  # dense/int4_trained-1of1 is the same
    assert static_qat_candidates(chain, Options()) == []  # int8 makes no layer faster


@pytest.mark.parametrize("level", ["lossless", "faithful", "refined", "auto"])
def test_it_is_listed_where_answers_may_differ(level: Level) -> None:
    names = {each.name for each in list_candidates(digits_cnn(), Options(level=level))}
    assert names & TRAINED == (set() if level in ("lossless", "faithful") else TRAINED)


def test_it_is_not_tried_where_the_same_form_is_within_the_budget_without() -> None:
    names = {"static", "dense/int4_all", *TRAINED}
    found = [each for each in list_candidates(digits_cnn(), Options()) if each.name in names]
    reasons = {each.name: each.reason for each in chosen(digits_cnn(), found, 0.5).verdicts}
    assert reasons["static/qat"] == "static is no larger and within the budget"
    assert reasons["dense/int4_qat"] == "dense/int4_all is no larger and within the budget"


@pytest.mark.parametrize("train", [int4_qat, static_qat])
def test_where_torch_is_missing_the_reason_says_what_to_install(train: Any) -> None:
    with pytest.raises(NotApplicable, match=r"not installed: pip install 'onnxpress\[torch\]'"):
        train(digits_cnn(), TRAIN, seed=0)


def test_it_is_another_model_that_few_rows_may_flatter() -> None:
    found = {each.name: each for each in list_candidates(digits_cnn(), Options())}
    assert all(found[name].is_distilled for name in TRAINED)
    assert not found["dense/int4_all"].is_distilled


@pytest.mark.parametrize("classes", [10, 2])
def test_the_sums_before_probabilities_are_learned(classes: int) -> None:
    mlp = MLPClassifier((16,), max_iter=3, random_state=0).fit(X, TRAIN.target % classes)
    model = to_onnx(mlp, numeric_schema(64), 12)
    lesson = lesson_of(model, Rows({"X": X[:50]}, TRAIN.target[:50]), Stored(), 0)
    scores = predict_onnx(open_session(model.SerializeToString()), lesson.feeds).scores
    assert scores is not None
    if classes == 2:
        assert lesson.link == "Sigmoid"
        np.testing.assert_allclose(expit(lesson.answers[:, 0]), scores[:, 1], atol=1e-5)
    else:
        assert lesson.link == "Softmax"
        np.testing.assert_allclose(softmax(lesson.answers, axis=1), scores, atol=1e-5)
    assert {len(rows) for rows in (lesson.feeds["X"], lesson.answers)} == {8000}
    assert len(lesson.names) == 4


def test_numbers_of_a_regressor_are_learned_as_they_are() -> None:
    mlp = MLPRegressor(hidden_layer_sizes=(16,), max_iter=3, random_state=0).fit(
        X, TRAIN.target.astype(float)
    )
    model = to_onnx(mlp, numeric_schema(64, task="regression"), 12)
    lesson = lesson_of(model, Rows({"X": X[:50]}, TRAIN.target[:50]), Stored(), 0)
    values = predict_onnx(open_session(model.SerializeToString()), lesson.feeds).values
    assert lesson.link == ""
    np.testing.assert_allclose(lesson.answers.ravel(), values.ravel(), rtol=1e-6)
