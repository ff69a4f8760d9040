"""Layers in int8 with fixed ranges: a convolutional net of PyTorch and nets of scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.dense.int8_layers import in_int8, prepared, sources
from onnxpress.quantize.dense.layers import layers_of
from onnxpress.quantize.dense.ranges import Calibration, calibration_feeds, channel_peaks, ranges
from onnxpress.quantize.dense.smoothing import pairs_of, smoothed
from onnxpress.quantize.dense.static import static, static_candidates
from onnxpress.quantize.options import Options
from onnxpress.quantize.verdicts import Outcome
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Rows, take
from tests.conftest import digits_rows
from tests.support.choosing import chosen, outcomes
from tests.support.nets import digits_cnn, torch_probabilities

TRAIN, OTHERS = digits_rows(0, 1000), digits_rows(1000)


def probabilities(model: onnx.ModelProto, rows: Rows) -> NDArray[np.float64]:
    scores = predict_onnx(open_session(to_bytes(model)), rows.feeds).scores
    assert scores is not None
    return scores


def compute_as(model: onnx.ModelProto, folder: Path) -> list[str]:
    """The operators that onnxruntime runs once it has optimised a model."""
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(to_bytes(model), options, providers=["CPUExecutionProvider"])
    return [node.op_type for node in onnx.load(folder / "optimised.onnx").graph.node]


def referred(model: onnx.ModelProto, rows: Rows) -> NDArray[np.float64]:
    """What the specification's evaluator answers, which has these operators from version 21 on."""
    newer = onnx.ModelProto()
    newer.CopyFrom(model)
    for entry in newer.opset_import:
        if not entry.domain:
            entry.version = 21
    found: Any = ReferenceEvaluator(newer).run(["probabilities"], rows.feeds)
    return np.asarray(found[0], np.float64)


def in_float(model: onnx.ModelProto) -> list[int]:
    """Which of the layers have weights in float32, by their order."""
    weights = {tensor.name for tensor in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    return [place for place, node in enumerate(products) if node.input[1] in weights]


def test_a_convolutional_net_answers_as_pytorch_does_in_a_third_of_the_bytes() -> None:
    small = static(digits_cnn(), TRAIN)
    found, expected = probabilities(small, OTHERS), torch_probabilities()
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.995
    assert np.abs(found - expected).mean() < 0.002
    assert len(to_bytes(small)) < len(to_bytes(digits_cnn())) * 0.38
    whole = [tensor for tensor in small.graph.initializer if tensor.data_type == 3 and tensor.dims]
    weights = [numpy_helper.to_array(tensor) for tensor in whole if len(tensor.dims) > 1]
    assert sorted(values.shape[0] for values in weights) == [16, 32, 48]
    assert all(np.abs(values).max() == 63 for values in weights)  # 7 bits: no sum of two overflows


def test_onnxruntime_computes_it_in_whole_numbers(
    tmp_path: Path, digits_mlp_onnx: onnx.ModelProto
) -> None:
    net = compute_as(static(digits_cnn(), TRAIN), tmp_path)
    assert net.count("QLinearConv") == 3
    assert not {"Conv", "FusedConv"}.intersection(net)
    mlp = compute_as(static(digits_mlp_onnx, TRAIN), tmp_path)
    assert mlp.count("QGemm") == 2
    assert mlp.count("QuantizeLinear") == 1


@pytest.mark.parametrize("name", ["images", "mlp"])
def test_the_specification_gives_the_same_answers(
    name: str, digits_mlp_onnx: onnx.ModelProto
) -> None:
    small = static(digits_cnn() if name == "images" else digits_mlp_onnx, TRAIN)
    rows = OTHERS.take(np.arange(60))
    found, expected = probabilities(small, rows), referred(small, rows)
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert np.abs(found - expected).mean() < 1e-4


@pytest.mark.parametrize("name", ["images", "mlp"])
@pytest.mark.parametrize("floats", [0, 1])
def test_each_answer_is_that_of_its_row_alone_to_the_last_bit_of_float32(
    name: str, floats: int, digits_mlp_onnx: onnx.ModelProto
) -> None:
    small = static(digits_cnn() if name == "images" else digits_mlp_onnx, TRAIN, floats=floats)
    together = probabilities(small, OTHERS)
    alone = [probabilities(small, OTHERS.take(np.array([row]))) for row in range(len(OTHERS))]
    np.testing.assert_allclose(np.concatenate(alone), together, atol=1e-6)


def test_the_layer_that_costs_most_is_the_first_in_float32_again() -> None:
    model = prepared(digits_cnn())
    layers = layers_of(model)[:3]
    feeds = calibration_feeds(TRAIN)
    names = sorted(set(sources(model, layers).values()))
    rows = Rows(feeds, TRAIN.target)
    before = referred(model, rows)
    cost: dict[int, dict[Calibration, float]] = {}
    for place, layer in enumerate(layers):
        cost[place] = {}
        for way, kept in ranges(model, names, feeds).items():
            moved = referred(in_int8(model, kept, [layer]), rows) - before
            cost[place][way] = float(np.square(moved / before.std(axis=0)).mean())
    (first,) = in_float(static(digits_cnn(), TRAIN, floats=1))[:1]
    assert any(max(cost, key=lambda place: cost[place][way]) == first for way in Calibration)
    assert len(in_float(static(digits_cnn(), TRAIN, floats=2))) == 3  # and the last, a small one


def test_a_matrix_product_in_float32_keeps_those_behind_it_there(
    digits_mlp_onnx: onnx.ModelProto,
) -> None:
    assert in_float(static(digits_mlp_onnx, TRAIN)) == [2]  # the last is small
    assert in_float(static(digits_mlp_onnx, TRAIN, floats=1)) == [1, 2]


def with_wide_channels(model: onnx.ModelProto, *, hidden: bool) -> onnx.ModelProto:
    """The same answers, but channels of the first convolution differ 4,096 times in size.

    ``hidden`` puts an Abs behind its Relu, which changes no value.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    if hidden:
        place = next(i for i, node in enumerate(result.graph.node) if node.op_type == "Relu")
        relu = result.graph.node[place]
        absolute = onnx.helper.make_node("Abs", ["relu"], [relu.output[0]])
        relu.output[0] = "relu"
        result.graph.node.insert(place + 1, absolute)
    tensors = {tensor.name: tensor for tensor in result.graph.initializer}
    first, second, *_ = [node for node in result.graph.node if node.op_type == "Conv"]
    sizes = np.ones(16, np.float32)
    sizes[::2] = 2.0**12
    for name, factor in (
        (first.input[1], sizes.reshape(-1, 1, 1, 1)),
        (first.input[2], sizes),
        (second.input[1], 1 / sizes.reshape(1, -1, 1, 1)),
    ):
        values = numpy_helper.to_array(tensors[name]) * factor
        tensors[name].CopyFrom(numpy_helper.from_array(values.astype(np.float32), name))
    return result


def test_where_int8_is_over_budget_the_layers_that_it_breaks_stay_in_float32() -> None:
    broken = with_wide_channels(digits_cnn(), hidden=True)
    choice = chosen(broken, static_candidates(broken, Options()), max_drop=0.005)
    assert outcomes(choice)["static"] == Outcome.OVER_BUDGET
    assert choice.candidate == "static/mixed-2float"
    assert in_float(onnx.load_from_string(choice.model)) == [0, 1, 3]
    drops = {verdict.name: verdict.score_drop for verdict in choice.verdicts}
    assert (drops["static"] or 0) > 0.05
    assert abs(drops["static/mixed-2float"] or 0) <= 0.005


def test_channels_of_very_different_sizes_are_smoothed_first() -> None:
    wide = with_wide_channels(digits_cnn(), hidden=False)
    found, expected = probabilities(static(wide, TRAIN), OTHERS), torch_probabilities()
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.995
    assert np.abs(found - expected).mean() < 0.002


def test_smoothing_keeps_every_answer_of_the_float_net() -> None:
    model = prepared(with_wide_channels(digits_cnn(), hidden=False))
    pairs = pairs_of(model, layers_of(model))
    assert [(pair.first.shape[0], pair.second.shape[0]) for pair in pairs] == [(16, 32), (32, 48)]
    peaks = channel_peaks(model, [pair.value for pair in pairs], calibration_feeds(TRAIN))
    assert peaks[pairs[0].value].shape == (16,)
    same = smoothed(model, pairs, peaks)
    np.testing.assert_array_equal(probabilities(same, OTHERS), probabilities(model, OTHERS))
    again = channel_peaks(same, [pair.value for pair in pairs], calibration_feeds(TRAIN))
    spread = [np.ptp(np.log2(found[pairs[0].value] + 1e-30)) for found in (peaks, again)]
    assert spread[1] < spread[0] - 6


def test_ranges_are_those_of_the_values() -> None:
    random = np.random.default_rng(0)
    feeds = {"X": random.standard_t(3, (1000, 64)).astype(np.float32)}
    found = ranges(digits_cnn(), ["X"], feeds)
    low, high = found[Calibration.MIN_MAX]["X"]
    assert feeds["X"].min() * (1 + 2**-9) <= low <= feeds["X"].min()
    assert feeds["X"].max() <= high <= feeds["X"].max() * (1 + 2**-9)
    low, high = found[Calibration.PERCENTILE]["X"]
    ends = [-np.percentile(-feeds["X"], 99.99, method="inverted_cdf")]
    ends.append(np.percentile(feeds["X"], 99.99, method="inverted_cdf"))
    bin_width = np.abs(feeds["X"]).max() / 1024
    np.testing.assert_allclose([low, high], ends, atol=1.5 * bin_width)
    narrow, wide = found[Calibration.ENTROPY]["X"], found[Calibration.PERCENTILE]["X"]
    assert 4 < narrow[1] < wide[1]  # four standard deviations and more


def test_the_ranges_come_from_the_whole_table() -> None:
    x = np.zeros((5000, 64), np.float32)
    x[-1] = 16
    assert calibration_feeds(Rows({"X": x}, np.zeros(5000)))["X"].max() == 16


def test_a_graph_without_a_large_layer_is_left_as_it_is(
    digits_forest_onnx: onnx.ModelProto,
) -> None:
    with pytest.raises(NotApplicable, match="no layer that int8 would make faster"):
        static(digits_forest_onnx, TRAIN)


def test_columns_may_have_any_name(digits_mlp_onnx: onnx.ModelProto) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(digits_mlp_onnx)
    first: Any = model.graph
    first.input[0].name = "v"
    model.graph.node[0].input[0] = "v"
    named = Rows({"v": TRAIN.feeds["X"]}, TRAIN.target)
    found = probabilities(static(model, named), named)
    np.testing.assert_array_equal(found, probabilities(static(digits_mlp_onnx, TRAIN), TRAIN))
    assert take(named.feeds, np.arange(1))["v"].shape == (1, 64)
