"""A refined forest as operators computes what its questions and its table say, row by row.

The right sums come from a walk through each tree for each row, in whole numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx.reference import ReferenceEvaluator

from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.forest.refined.answers import Answers
from onnxpress.quantize.forest.refined.as_tree_ensemble import as_tree_ensemble
from onnxpress.quantize.forest.refined.oblivious import ObliviousForest, Questions, quantised
from onnxpress.quantize.forest.refined.subgraphs import Subgraphs
from tests.support.forest_models import outputs
from tests.support.oblivious_forests import (
    FEATURES,
    WIDE,
    classifier,
    hard_rows,
    random_forest,
    regressor,
    shell,
    walked,
)


@pytest.mark.parametrize("opset", [9, 10, 11, 12, 13, 21])
@pytest.mark.parametrize("columns", [1, 2, 4, 5, 11])
@pytest.mark.parametrize("width", [FEATURES, WIDE])
def test_sums_are_exact(width: int, columns: int, opset: int) -> None:
    forest = random_forest(9, 4, columns, width=width)
    x = hard_rows(forest, width)
    (found,) = outputs(regressor(forest, width=width, opset=opset), x)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, walked(forest, x))


@pytest.mark.parametrize(("trees", "depth"), [(1, 1), (1, 8), (3, 7), (40, 8), (5, 9)])
@pytest.mark.parametrize("columns", [1, 3, 6])
def test_sums_are_exact_for_every_shape_of_trees(trees: int, depth: int, columns: int) -> None:
    forest = random_forest(trees, depth, columns)
    x = hard_rows(forest)
    (found,) = outputs(regressor(forest), x)
    np.testing.assert_array_equal(found, walked(forest, x))


@pytest.mark.parametrize("opset", [9, 12, 21])
@pytest.mark.parametrize("columns", [1, 3, 6])
@pytest.mark.parametrize("width", [FEATURES, WIDE])
def test_the_reference_evaluator_finds_the_same_sums(width: int, columns: int, opset: int) -> None:
    forest = random_forest(9, 4, columns, width=width)
    x = hard_rows(forest, width)
    model = regressor(forest, width=width, opset=opset)
    onnx.checker.check_model(model, full_check=True)
    (found,) = ReferenceEvaluator(model).run(None, {"X": x})
    np.testing.assert_array_equal(np.asarray(found), walked(forest, x))


@pytest.mark.parametrize("opset", [9, 12, 21])
@pytest.mark.parametrize("columns", [1, 2, 3, 6])
def test_probabilities_are_the_softmax_of_the_sums(columns: int, opset: int) -> None:
    from scipy.special import expit, softmax

    forest = random_forest(9, 4, columns)
    x = hard_rows(forest)
    label, probabilities = outputs(classifier(forest, opset=opset), x)
    scores = walked(forest, x)
    expected = softmax(scores, axis=1)
    if columns == 1:  # the score of the second class
        expected = np.hstack([expit(-scores), expit(scores)])
    np.testing.assert_allclose(probabilities, expected, rtol=1e-5, atol=1e-7)
    best = expected.max(axis=1)
    np.testing.assert_allclose(expected[np.arange(len(x)), label], best, rtol=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("columns", [1, 3, 6])
@pytest.mark.parametrize("width", [FEATURES, WIDE])
def test_a_row_has_the_same_scores_in_every_batch(width: int, columns: int, threads: int) -> None:
    forest = random_forest(70, 3, columns, width=width)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    model = regressor(forest, width=width).SerializeToString()
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    x = np.tile(hard_rows(forest, width), (20, 1))
    (together,) = session.run(None, {"X": x})
    for rows in (1, 2, 7, 150):
        for start in (0, 13, 140):
            (found,) = session.run(None, {"X": x[start : start + rows]})
            assert found.tobytes() == together[start : start + rows].tobytes()


@pytest.mark.parametrize("columns", [1, 3, 6])
@pytest.mark.parametrize("width", [FEATURES, WIDE])
def test_no_rows_have_no_scores(width: int, columns: int) -> None:
    forest = random_forest(9, 4, columns, width=width)
    (found,) = outputs(regressor(forest, width=width), np.empty((0, width), np.float32))
    assert found.shape == (0, columns)


@pytest.mark.parametrize("opset", [9, 12])
@pytest.mark.parametrize("columns", [1, 3, 6])
@pytest.mark.parametrize(("offset", "own_operator"), [(0.1, False), (-3.7, False), (1e6 / 3, True)])
def test_an_offset_is_added_with_one_rounding(
    offset: float, own_operator: bool, columns: int, opset: int
) -> None:
    """An operator of its own adds one that float32 could not hold with every sum."""
    random = random_forest(200, 3, columns)
    values = random.table * random.scale.astype(np.float64)
    forest = quantised(random.questions, values, np.full(columns, offset))
    assert np.abs(forest.offset - offset).max() <= max(forest.scale.max() / 256, offset * 2**-24)
    x = hard_rows(forest)
    model = regressor(forest, opset=opset)
    (found,) = outputs(model, x)
    expected = (walked(forest, x) + forest.offset).astype(np.float32)
    assert found.tobytes() == expected.tobytes()
    for row in (0, 7, 99):
        assert outputs(model, x[row : row + 1])[0].tobytes() == expected[row].tobytes()
    if columns == 1 and opset > 9:
        assert (model.graph.node[-1].op_type == "Add") == own_operator


@pytest.mark.parametrize("columns", [1, 5])
def test_the_largest_sums_are_exact_in_both_forms(columns: int) -> None:
    """512 trees whose leaf values are all as large as they get, at the longest scale."""
    values = np.full((512, 2, columns), 127 * 255 / 256)
    questions = Questions(np.zeros((512, 1), np.int64), np.zeros((512, 1), np.float32))
    forest = quantised(questions, values, np.zeros(columns))
    x = np.zeros((3, FEATURES), np.float32)
    model = shell(FEATURES, columns, labels=False, opset=12)
    node = as_tree_ensemble(model, Subgraphs("X", FEATURES, (), ()), forest, Answers(None))
    for form in (regressor(forest), node):
        np.testing.assert_array_equal(
            outputs(form, x)[0], np.full((3, columns), 512 * 127 * 255 / 256)
        )


@pytest.mark.parametrize("size", [1e-20, 0.3, 1.0, 12345.678])
def test_a_scale_is_short_and_no_value_is_off_by_more_than_half_of_it(size: float) -> None:
    random = np.random.default_rng(3)
    values = random.normal(size=(6, 8, 2)) * size
    questions = Questions(np.zeros((6, 3), np.int64), np.zeros((6, 3), np.float32))
    forest = quantised(questions, values, np.zeros(2))
    mantissa, _ = np.frexp(forest.scale)
    np.testing.assert_array_equal(mantissa * 256, np.rint(mantissa * 256))
    least = np.abs(values).max(axis=(0, 1)) / 127
    assert (forest.scale >= least * (1 - 1e-6)).all()
    assert (forest.scale <= least * (1 + 1 / 128)).all()
    assert (np.abs(forest.table * forest.scale - values) <= 0.5001 * forest.scale).all()


@pytest.mark.parametrize("size", [0.0, 1e-310, 1e-37])
def test_values_too_small_for_float32_are_nothing(size: float) -> None:
    questions = Questions(np.zeros((6, 3), np.int64), np.zeros((6, 3), np.float32))
    forest = quantised(questions, np.full((6, 8, 1), size), np.full(1, 2.5))
    assert not forest.table.any()
    assert forest.offset.tolist() == [2.5]


def test_a_wide_table_is_not_transposed() -> None:
    """What is transposed are the answers, which are as many as the questions."""

    def transposed(width: int) -> list[Any]:
        forest = random_forest(9, 4, 1, width=width)
        nodes = regressor(forest, width=width).graph.node
        return [node.input[0] for node in nodes if node.op_type == "Transpose"]

    assert "X" in transposed(FEATURES)
    assert len(transposed(WIDE)) == 1
    assert "X" not in transposed(WIDE)


@pytest.mark.parametrize("opset", [9, 12, 21])
@pytest.mark.parametrize("columns", [1, 3, 6])
@pytest.mark.parametrize("width", [FEATURES, WIDE])
def test_questions_that_are_alike_are_asked_once(width: int, columns: int, opset: int) -> None:
    forest = random_forest(40, 4, columns)  # 160 questions, of which there are 49
    x = hard_rows(forest, width)
    model = regressor(forest, width=width, opset=opset)
    np.testing.assert_array_equal(outputs(model, x)[0], walked(forest, x))
    (found,) = ReferenceEvaluator(model).run(None, {"X": x})
    np.testing.assert_array_equal(np.asarray(found), walked(forest, x))
    (less,) = (node for node in model.graph.node if node.op_type == "Less")
    (thresholds,) = (each for each in model.graph.initializer if each.name == less.input[1])
    pairs = zip(forest.questions.feature.ravel(), forest.questions.threshold.ravel(), strict=True)
    assert np.prod(thresholds.dims) == len(set(pairs)) < 50


def test_a_question_asked_more_than_once_never_makes_a_model_larger() -> None:
    """The more of 100 questions are alike, the smaller the model."""
    sizes = []
    for alike in range(0, 101, 5):
        feature = np.arange(100).reshape(25, 4)
        feature[feature < alike] = 0
        questions = Questions(feature, np.zeros((25, 4), np.float32))
        values = np.random.default_rng(0).normal(size=(25, 16, 1))
        forest = quantised(questions, values, np.zeros(1))
        sizes.append(len(to_bytes(regressor(forest, width=100))))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] - 300


def _session(forest: ObliviousForest, width: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    model = regressor(forest, width=width).SerializeToString()
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
