"""Nets trained on the plain net's answers: what is read, learned and written."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor

from onnxpress.conversion.converting import to_onnx
from onnxpress.evaluate.row_dependence import row_dependence
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.candidates import NotApplicable, Share
from onnxpress.quantize.dense import training
from onnxpress.quantize.dense.chain import Chain, Weights, read_chain, with_layers
from onnxpress.quantize.dense.stored import dense_candidates, products_of
from onnxpress.quantize.dense.trained import trained_candidates, trained_net
from onnxpress.quantize.dense.training import Lesson, forward, lesson_of, narrowed
from onnxpress.quantize.methods import list_candidates
from onnxpress.quantize.options import Level, Options
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Rows
from tests.conftest import digits_rows, numeric_schema
from tests.support.nets import digits_cnn, torch_probabilities

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # no need to converge

TRAIN, OTHERS = digits_rows(0, 1000), digits_rows(1000)
X = TRAIN.feeds["X"]


def chain_of(model: onnx.ModelProto) -> Chain:
    return read_chain(products_of(model))


def mlp(activation: str = "relu", classes: int = 10) -> Any:
    net = MLPClassifier((48, 32), activation=activation, max_iter=15, random_state=0)
    return net.fit(X, TRAIN.target % classes)


@pytest.mark.parametrize(
    ("activation", "operator"), [("relu", "Relu"), ("tanh", "Tanh"), ("logistic", "Sigmoid")]
)
@pytest.mark.parametrize(("classes", "link"), [(10, "Softmax"), (2, "Sigmoid")])
def test_the_layers_of_scikit_learn_are_found_with_what_is_between(
    activation: str, operator: str, classes: int, link: str
) -> None:
    net = mlp(activation, classes)
    chain = chain_of(to_onnx(net, numeric_schema(64), 12))
    assert (chain.activations, chain.link) == ((operator, operator), link)
    for layer, matrix, bias in zip(chain.layers, net.coefs_, net.intercepts_, strict=True):
        np.testing.assert_array_equal(layer.matrix, matrix.astype(np.float32))
        np.testing.assert_array_equal(layer.bias, bias.astype(np.float32))
    sums = forward(chain.layers, chain.activations, OTHERS.feeds["X"])[-1].astype(np.float64)
    found = np.exp(sums) / np.exp(sums).sum(axis=1, keepdims=True) if classes > 2 else None
    found = 1 / (1 + np.exp(-sums)) if found is None else found
    expected = net.predict_proba(OTHERS.feeds["X"])
    np.testing.assert_allclose(found, expected[:, -found.shape[1] :], atol=1e-4)


def test_only_what_alone_reads_a_layer_belongs_to_the_chain() -> None:
    chain = chain_of(digits_cnn())
    assert [layer.matrix.shape for layer in chain.layers] == [(192, 10)]
    model = to_onnx(mlp(), numeric_schema(64), 12)
    first = next(node for node in model.graph.node if node.op_type == "Relu")
    info = onnx.helper.make_tensor_value_info(first.output[0], 1, [None, 48])
    model.graph.output.append(info)
    chain = chain_of(model)  # the values of the first layer are needed; it is the largest
    assert [layer.matrix.shape for layer in chain.layers] == [(64, 48)]
    assert chain.link == ""


@pytest.mark.parametrize("activation", ["Relu", "Tanh", "Sigmoid"])
@pytest.mark.parametrize("link", ["Softmax", "Sigmoid", ""])
def test_gradients_are_those_of_differences(activation: str, link: str) -> None:
    random = np.random.default_rng(0)

    def layer(inputs: int, outputs: int) -> Weights:
        pair = random.normal(size=(inputs, outputs)), random.normal(size=outputs)
        return Weights(*(values.astype(np.float32) for values in pair))

    teacher, student = ((layer(5, 7), layer(7, 4), layer(4, 3)) for _ in range(2))
    rows = random.normal(size=(20, 5)).astype(np.float32)
    answers = forward(teacher, (activation, activation), rows)[-1]
    both = np.concatenate([rows, rows]), np.concatenate([answers, answers])
    lesson = Lesson(*both, teacher, (activation, activation), link, 0)
    state = training._Training(lesson, student, [False] * 3)

    def loss(matrix: NDArray[np.float64]) -> float:
        values = rows.astype(np.float64)
        for place, one in enumerate(student):
            values = values @ (matrix if place == 1 else one.matrix) + one.bias
            if place < 2:
                values = {"Relu": np.maximum(values, 0), "Tanh": np.tanh(values)}.get(
                    activation, 1 / (1 + np.exp(-values))
                )
        taught = answers.astype(np.float64)
        if link == "Softmax":
            taught = np.exp(taught) / np.exp(taught).sum(axis=1, keepdims=True)
            logs = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
            return float(-(taught * logs).sum() / len(rows))
        if link == "Sigmoid":
            taught = 1 / (1 + np.exp(-taught))
            return float((np.log1p(np.exp(values)) - taught * values).sum() / len(rows))
        return float((np.square((values - taught) / answers.std(axis=0)) / 2).sum() / len(rows))

    found = state._gradients(rows, answers)[1]
    start, step = student[1].matrix.astype(np.float64), 1e-6
    for cell in np.ndindex(7, 4):
        aside = np.zeros((7, 4))
        aside[cell] = step
        expected = (loss(start + aside) - loss(start - aside)) / (2 * step)
        np.testing.assert_allclose(found[cell], expected, atol=2e-4, rtol=2e-3)


def test_dead_and_doubled_neurons_are_cut_with_the_same_answers() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(500, 12)).astype(np.float32)
    half = random.normal(size=(12, 20)).astype(np.float32)
    dead = np.full(20, -1e3, np.float32)  # never above zero
    first = Weights(np.hstack([half, half]), np.r_[np.zeros(20, np.float32), dead])
    last = Weights(random.normal(size=(40, 3)).astype(np.float32), np.ones(3, np.float32))
    lesson = lesson_of(rows, (first, last), ("Relu",), "", 0)
    small = narrowed(lesson, 2)
    assert [layer.matrix.shape for layer in small] == [(12, 20), (20, 3)]
    before, after = (forward(layers, ("Relu",), rows)[-1] for layers in (lesson.teacher, small))
    np.testing.assert_allclose(after, before, atol=0.05)


@pytest.mark.parametrize("share", [1, 2])
def test_a_trained_net_computes_its_stored_weights(share: int) -> None:
    model = to_onnx(mlp(), numeric_schema(64), 12)
    small = trained_net(model, TRAIN, share=Share(share), seed=0)
    onnx.checker.check_model(small, full_check=True)
    assert [item.name for item in small.graph.output] == [item.name for item in model.graph.output]
    session = open_session(to_bytes(small))
    found = predict_onnx(session, OTHERS.feeds)
    teacher = predict_onnx(open_session(to_bytes(model)), OTHERS.feeds)
    assert (found.values == teacher.values).mean() > (0.95 if share == 1 else 0.85)
    assert row_dependence(partial(predict_onnx, session), OTHERS.feeds).difference <= 1e-5
    packed = [t for t in small.graph.initializer if t.data_type == onnx.TensorProto.UINT8]
    widths = sorted(numpy_helper.to_array(tensor).shape for tensor in packed)
    assert widths == ([(24, 32), (32, 48)] if share == 1 else [(32, 24)])


def test_the_same_rows_make_the_same_bytes() -> None:
    model = to_onnx(mlp(), numeric_schema(64), 12)
    pair = [to_bytes(trained_net(model, TRAIN, share=Share(2), seed=3)) for _ in range(2)]
    assert pair[0] == pair[1]
    assert pair[0] != to_bytes(trained_net(model, TRAIN, share=Share(2), seed=4))


def test_a_regressor_learns_numbers() -> None:
    target = X @ np.linspace(-1, 1, 64) + np.maximum(X[:, 20], X[:, 40])
    scaled = (target - target.mean()) / target.std()
    net = MLPRegressor(hidden_layer_sizes=(64, 32), max_iter=60, random_state=0).fit(X, scaled)
    model = to_onnx(net, numeric_schema(64, "regression"), 12)
    rows = Rows(TRAIN.feeds, scaled)
    (rounded,) = [one for one in dense_candidates(model, Options()) if one.form == "int4"]
    expected = net.predict(OTHERS.feeds["X"])

    def error(quantized: onnx.ModelProto) -> float:
        found = predict_onnx(open_session(to_bytes(quantized)), OTHERS.feeds).values.ravel()
        return float(np.square(found - expected).mean() / expected.var())

    trained = error(trained_net(model, rows, share=Share(1), seed=0))
    assert trained < 0.05
    assert trained < error(rounded.apply(model, rows)) / 3


def test_convolutions_before_a_trained_net_are_stored_in_int8() -> None:
    small = trained_net(digits_cnn(), TRAIN, share=Share(1), seed=0)
    whole = {tuple(t.dims) for t in small.graph.initializer if t.data_type == onnx.TensorProto.INT8}
    assert {(32, 16, 3, 3), (48, 32, 3, 3)} <= whole
    found = predict_onnx(open_session(to_bytes(small)), OTHERS.feeds)
    assert (found.values == torch_probabilities().argmax(axis=1)).mean() > 0.985


def test_the_layers_of_pytorch_are_written_back() -> None:
    products = products_of(digits_cnn())
    chain = read_chain(products)
    same, names = with_layers(products, chain, chain.layers)
    assert len(names) == 1
    pair = [predict_onnx(open_session(to_bytes(one)), OTHERS.feeds) for one in (products, same)]
    assert pair[0].scores is not None
    assert pair[1].scores is not None
    np.testing.assert_array_equal(pair[0].scores, pair[1].scores)


@pytest.mark.parametrize(
    ("level", "tried"),
    [("auto", True), ("refined", True), ("faithful", False), ("lossless", False)],
)
def test_nets_are_trained_only_where_answers_may_differ(
    level: Level, tried: bool, digits_mlp_onnx: onnx.ModelProto
) -> None:
    candidates = list_candidates(digits_mlp_onnx, Options("dense", level=level))
    assert any(one.form == "int4_trained" for one in candidates) == tried


def test_a_rung_leaves_sixteen_neurons(digits_mlp_onnx: onnx.ModelProto) -> None:
    names = [one.name for one in trained_candidates(digits_mlp_onnx, Options())]
    assert names[0] == "dense/int4_trained-1of16"
    small = to_onnx(mlp(), numeric_schema(64), 12)
    names = [one.name for one in trained_candidates(small, Options())]
    assert names == [f"dense/int4_trained-1of{share}" for share in (3, 2, 1)]


def test_what_has_no_large_layer_is_not_trained(digits_forest_onnx: onnx.ModelProto) -> None:
    linear = LogisticRegression(max_iter=2000).fit(X[:, 20:28], TRAIN.target)
    for model in (digits_forest_onnx, to_onnx(linear, numeric_schema(8), 12)):
        assert trained_candidates(model, Options()) == []


def test_missing_numbers_are_no_lesson(digits_mlp_onnx: onnx.ModelProto) -> None:
    x = X.copy()
    x[7, 7] = np.nan
    with pytest.raises(NotApplicable, match="missing numbers"):
        trained_net(digits_mlp_onnx, Rows({"X": x}, TRAIN.target), share=Share(2), seed=0)
