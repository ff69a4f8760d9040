"""The parts that learn a refined forest, against scikit-learn and against their definitions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from onnx import helper

from onnxpress.quantize.candidates import Rung
from onnxpress.quantize.forest.refined.answers import Answers
from onnxpress.quantize.forest.refined.bins import MOST_CUTS, binned, cut_points
from onnxpress.quantize.forest.refined.distillation import (
    Distillation,
    beside,
    distil,
    generate,
)
from onnxpress.quantize.forest.refined.grow import Growth, grow
from onnxpress.quantize.forest.refined.ladder import refined
from onnxpress.quantize.forest.refined.learning import Learning, bins_of, learned
from onnxpress.quantize.forest.refined.losses import LOGISTIC, SOFTMAX, SQUARED, Loss
from onnxpress.quantize.forest.refined.oblivious import Questions, quantised
from onnxpress.quantize.forest.refined.refit import leaf_matrix, refit
from onnxpress.quantize.forest.refined.subgraphs import (
    Subgraphs,
    split_at_features,
    split_places,
)
from onnxpress.tables.rows import Rows
from tests.support.forest_models import converted, outputs

RANDOM = np.random.default_rng(7)


def test_cut_points_separate_all_values_while_there_are_few() -> None:
    column = np.array([3, 1, 2, 2, 1], np.float32)
    assert_array_equal(cut_points(column, MOST_CUTS), np.array([1.5, 2.5], np.float32))


def test_cut_points_lie_between_float32_neighbours_too() -> None:
    low = np.float32(1)
    high = np.nextafter(low, np.float32(2))
    (cut,) = cut_points(np.array([low, high]), MOST_CUTS)
    assert low < cut <= high


def test_cut_points_keep_to_their_limit_and_spread_over_the_rows() -> None:
    column = RANDOM.exponential(size=5000).astype(np.float32)
    cuts = cut_points(column, limit=9)
    assert_allclose([np.mean(column < cut) for cut in cuts], np.arange(1, 10) / 10, atol=0.01)


def test_missing_values_have_a_cut_of_their_own() -> None:
    column = np.array([1, np.nan, 2, np.inf], np.float32)
    assert cut_points(column, MOST_CUTS)[-1] == np.inf


def test_bins_compare_as_the_thresholds_do() -> None:
    x = RANDOM.integers(0, 60, (400, 3)).astype(np.float32)
    x[::11, 1] = np.nan
    x[::13, 2] = np.inf
    bins = binned(x, tuple(cut_points(column, MOST_CUTS) for column in x.T))
    for feature, cuts in enumerate(bins.cuts):
        for place, cut in enumerate(cuts):
            assert_array_equal(bins.code[:, feature] <= place, x[:, feature] < cut)


def test_a_stump_asks_what_scikit_learns_stump_asks() -> None:
    from sklearn.tree import DecisionTreeRegressor

    x = RANDOM.integers(0, 12, (500, 5)).astype(np.float32)
    y = 3.0 * (x[:, 3] > 4) + x[:, 1] / 10 + RANDOM.normal(size=500)
    stump = DecisionTreeRegressor(max_depth=1).fit(x, y).tree_
    bins = binned(x, tuple(cut_points(column, MOST_CUTS) for column in x.T))
    questions, values, offset = grow(
        bins, y[:, None], SQUARED, Growth(1, 1, rate=1.0, ridge=1e-9), seed=0
    )
    assert questions.feature[0, 0] == stump.feature[0]
    assert_allclose(questions.threshold[0, 0], stump.threshold[0])
    # bit 0 is set where the answer is yes, which is the left child there
    assert_allclose(values[0, :, 0] + offset, stump.value[[2, 1], 0, 0])


def test_leaves_have_one_bit_per_answer() -> None:
    questions = Questions(np.array([[0, 1, 0]]), np.array([[0.5, 0.5, 2.0]], np.float32))
    x = np.array([[0, 0], [1, 0], [3, 0], [3, 9], [np.nan, 0]], np.float32)
    assert questions.leaves(x)[:, 0].tolist() == [0b111, 0b110, 0b010, 0b000, 0b010]


def test_quantised_values_are_within_half_a_step() -> None:
    values = RANDOM.normal(size=(3, 8, 2)) * [1.0, 50.0]
    questions = Questions(np.zeros((3, 3), np.int64), np.zeros((3, 3), np.float32))
    forest = quantised(questions, values, np.zeros(2))
    step = np.abs(values).max(axis=(0, 1)) / 127
    assert forest.table.dtype == np.int8
    assert (np.abs(forest.table * forest.scale - values) <= 0.501 * step).all()


def leaves_and_columns(rows: int, columns: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    return RANDOM.integers(0, 4, (rows, 3)).astype(np.int32), RANDOM.normal(size=(rows, columns))


def test_refit_with_squared_loss_is_ridge_regression_on_leaves() -> None:
    from sklearn.linear_model import Ridge

    leaves, y = leaves_and_columns(300, 2)
    found = refit(leaves, np.zeros((3, 4, 2)), np.zeros(2), y, SQUARED, rows=5.0, steps=500)
    expected = Ridge(alpha=5.0, fit_intercept=False).fit(leaf_matrix(leaves, 4), y).coef_
    assert_allclose(found.reshape(12, 2), expected.T, atol=1e-4)


def test_refit_with_logistic_loss_is_logistic_regression_on_leaves() -> None:
    from sklearn.linear_model import LogisticRegression

    leaves, y = leaves_and_columns(300, 1)
    target = (y > 0.3).astype(np.float64)
    found = refit(leaves, np.zeros((3, 4, 1)), np.zeros(1), target, LOGISTIC, rows=8.0, steps=500)
    # a row is worth at most a quarter under this loss, so 8 rows are a ridge of 2
    model = LogisticRegression(C=1 / 2, fit_intercept=False, tol=1e-8).fit(
        leaf_matrix(leaves, 4), target[:, 0]
    )
    assert_allclose(found.ravel(), model.coef_.ravel(), atol=1e-3)


@pytest.mark.parametrize("loss", [SQUARED, LOGISTIC, SOFTMAX], ids=lambda loss: loss.name)
def test_the_slope_of_a_loss_is_mean_minus_target(loss: Loss) -> None:
    z, step = RANDOM.normal(size=(1, 3)), 1e-6
    y = np.array([[0.2, 0.5, 0.3]])
    for column in range(3):
        ahead, behind = z.copy(), z.copy()
        ahead[0, column] += step
        behind[0, column] -= step
        slope = (loss.value(ahead, y) - loss.value(behind, y)) / (2 * step)
        assert slope == pytest.approx((loss.mean(z) - y)[0, column], abs=1e-6)


def test_generated_rows_lie_between_the_rows_they_come_from() -> None:
    x = RANDOM.normal(size=(50, 6)).astype(np.float32)
    made = generate(x, 400, np.random.default_rng(0))
    assert made.shape == (400, 6)
    assert made.dtype == np.float32
    slack = 1e-5
    assert (made >= x.min(axis=0) - slack).all()
    assert (made <= x.max(axis=0) + slack).all()


def test_the_first_half_of_the_generated_rows_takes_every_value_from_a_row() -> None:
    x = np.arange(60, dtype=np.float32).reshape(20, 3)
    made = generate(x, 100, np.random.default_rng(0))[:50]
    assert all(np.isin(made[:, feature], x[:, feature]).all() for feature in range(3))


def test_rows_beside_others_go_less_than_half_of_the_way_in_each_feature() -> None:
    x = np.array([[0, 100, 3], [8, 500, 3]], np.float32) + np.float32(0.25)
    made = beside(x, 400, np.random.default_rng(0))
    assert (made[:, 2] == 3.25).all()
    way = (made[:, :2] - x[0, :2]) / (x[1, :2] - x[0, :2])
    moved = np.minimum(way, 1 - way)  # from whichever of the two rows is nearer
    assert (moved >= 0).all()
    assert (moved <= 0.5).all()
    assert moved.max(axis=0) == pytest.approx(0.5, abs=0.05)
    assert len(np.unique(moved)) > 300
    assert np.corrcoef(moved[(moved > 0).all(axis=1)].T)[0, 1] < 0.2  # each by itself


def test_rows_beside_others_keep_whole_numbers_and_what_is_missing() -> None:
    x = np.array([[1, np.nan, 2], [5, 4, np.inf], [9, 6, 0.5]], np.float32)
    made = beside(x, 900, np.random.default_rng(0))
    assert np.isin(made[:, 0], np.arange(1, 10)).all()
    missing = np.isnan(made[:, 1])
    assert np.isin(made[~missing, 1], [4, 5, 6]).all()
    assert missing.mean() == pytest.approx(1 / 3, abs=0.05)  # as often as in x
    assert np.isinf(made[:, 2]).mean() == pytest.approx(1 / 3, abs=0.05)
    assert not np.isnan(made[:, [0, 2]]).any()


@pytest.mark.parametrize(
    ("classes", "training", "near"), [(3, 400, True), (3, 399, False), (2, 400, False)]
)
def test_many_rows_of_several_classes_are_learned_from_rows_beside_them(
    classes: int, training: int, near: bool
) -> None:
    x = RANDOM.uniform(0, 1, (training, 2)).astype(np.float32)
    x[:, 1] = np.round(x[:, 1])

    def teacher(rows: NDArray[np.float32]) -> list[NDArray[Any]]:
        probabilities = np.full((len(rows), classes), 1 / classes)
        return [np.zeros(len(rows), np.int64), probabilities]

    own = np.arange(training) % classes
    found = distil(teacher, x, own, seed=0, dense=400).x[training:]
    assert np.isin(found[:, 1], [0, 1]).all() == near  # between 0 and 1 are only mixtures


@pytest.mark.parametrize(("loss", "columns"), [(SQUARED, 1), (SOFTMAX, 7)], ids=["one", "seven"])
def test_no_order_of_rows_decides_a_split(loss: Loss, columns: int) -> None:
    # Numbers from 0 to 3, and whether they are below 2: two gains that only rounding tells apart.
    number = RANDOM.integers(0, 4, (3000, 3)).astype(np.float32)
    x = np.hstack([number, (number < 2).astype(np.float32)])
    y = RANDOM.gamma(1.0, size=(3000, columns)) * (1 + x[:, 3:] @ RANDOM.random((3, columns)))
    y = y / y.sum(axis=1, keepdims=True) if columns > 1 else y
    cuts = tuple(cut_points(column, MOST_CUTS) for column in x.T)
    order = RANDOM.permutation(len(x))
    found = [
        grow(binned(x[rows], cuts), y[rows], loss, Growth(20, 5), seed=0)[0]
        for rows in (np.arange(len(x)), order)
    ]
    assert_array_equal(found[0].feature, found[1].feature)
    assert_array_equal(found[0].threshold, found[1].threshold)


def test_a_gain_is_what_a_split_saves_of_the_squared_error() -> None:
    x = RANDOM.normal(size=(500, 3)).astype(np.float32)
    y = RANDOM.normal(size=500) + (x[:, 1] > 0.3)
    bins = binned(x, tuple(cut_points(column, 20) for column in x.T))
    questions, _, _ = grow(bins, y[:, None], SQUARED, Growth(1, 1, ridge=1e-9), seed=0)

    def error(feature: int, cut: np.float32) -> float:
        left = x[:, feature] < cut
        return float(sum(part.var() * len(part) for part in (y[left], y[~left])))

    errors = {(f, c): error(f, c) for f in range(3) for c in bins.cuts[f]}
    best = min(errors, key=errors.__getitem__)
    assert best == (questions.feature[0, 0], questions.threshold[0, 0])


def test_as_many_cuts_as_a_byte_can_number() -> None:
    column = RANDOM.normal(size=4000).astype(np.float32)
    column[::9] = np.nan
    cuts = cut_points(column, MOST_CUTS)
    code = binned(column[:, None], (cuts,)).code[:, 0]
    assert (len(cuts), code.max()) == (255, 255)
    assert (code[::9] == 255).all()
    assert_array_equal(code <= 254, ~np.isnan(column))


def test_more_cuts_than_that_are_refused() -> None:
    with pytest.raises(ValueError, match="255"):
        binned(np.zeros((2, 1), np.float32), (np.arange(256, dtype=np.float32),))


def test_a_small_forest_learns_a_curve_that_32_cuts_are_too_coarse_for() -> None:
    x = RANDOM.uniform(0, 1, (12_000, 2)).astype(np.float32)
    y = np.sin(25 * x[:, :1].astype(np.float64) ** 2) + 0.1 * x[:, 1:]
    distilled = Distillation(x, y, SQUARED, Answers(None), np.zeros(1), np.ones(1))
    fresh = RANDOM.uniform(0, 1, (4000, 2)).astype(np.float32)
    truth = np.sin(25 * fresh[:, :1].astype(np.float64) ** 2) + 0.1 * fresh[:, 1:]
    error = {}
    for cuts in (32, 254):
        learning = Learning(cuts=(cuts, cuts))
        bins = bins_of(distilled, x, learning=learning)
        forest = learned(distilled, bins, Rung(32, 6), seed=0, learning=learning)
        error[cuts] = float(np.square(forest.scores(fresh) - truth).mean())
    assert error[254] < 0.2 * error[32]


def test_split_places_are_those_of_scikit_learns_trees() -> None:
    from sklearn.ensemble import RandomForestClassifier

    x = RANDOM.normal(size=(400, 3)).astype(np.float32)
    forest = RandomForestClassifier(5, random_state=0).fit(x, x[:, 0] + x[:, 1] ** 2 > 1)
    parts, _ = split_at_features(converted(forest, x), {"X": x})
    for feature, places in enumerate(split_places(parts)):
        trees = [tree.tree_ for tree in forest.estimators_]
        own = np.sort(np.concatenate([t.threshold[t.feature == feature] for t in trees]))
        # x < place has to say the same as x <= threshold for the float32 numbers on either side
        assert places.shape == own.shape
        assert (places > own).all()
        assert (np.nextafter(places, np.float32(-np.inf)) <= own).all()


def test_a_tree_that_reads_no_features_or_has_no_order_has_no_split_places() -> None:
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["X"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=[0] * 5,
        nodes_nodeids=[0, 1, 2, 3, 4],
        nodes_featureids=[0, 1, 0, 0, 0],
        nodes_modes=["BRANCH_EQ", "BRANCH_LT", "LEAF", "LEAF", "LEAF"],
        nodes_values=[1.0, 0.5, 0.0, 0.0, 0.0],
        nodes_truenodeids=[1, 3, 0, 0, 0],
        nodes_falsenodeids=[2, 4, 0, 0, 0],
        target_treeids=[0] * 3,
        target_nodeids=[2, 3, 4],
        target_ids=[0] * 3,
        target_weights=[1.0, 2.0, 3.0],
    )
    parts = Subgraphs("X", 2, (), (node,))
    assert [places.tolist() for places in split_places(parts)] == [[], [0.5]]
    assert all(not len(places) for places in split_places(replace(parts, features="Z")))


def test_a_rare_class_beyond_the_last_quantile_keeps_its_average_precision() -> None:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import average_precision_score

    random = np.random.default_rng(1)

    def drawn(rows: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        x = random.lognormal(size=(rows, 4)).astype(np.float32)
        rare = (x[:, 0] > 11) & (random.random(rows) < 0.9)  # less than 1 % of the rows
        return x, rare.astype(np.int64)

    x, y = drawn(4000)
    fresh, truth = drawn(40_000)
    model = converted(RandomForestClassifier(30, random_state=0).fit(x, y), x)
    small = refined(model, Rows({"X": x}, y), rung=Rung(16, 4), seed=0)
    before, after = (
        average_precision_score(truth, outputs(each, fresh)[1][:, 1]) for each in (model, small)
    )
    assert after > before - 0.03  # by quantiles alone it would be 0.4 less
