"""Refined forests answer by the rule of their original: a threshold, positive numbers, a quantile.

The right answers are scikit-learn's own, of the estimator that the forest is refined from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

import onnxpress
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.candidates import NotApplicable, Rung
from onnxpress.quantize.forest.refined.as_operators import as_operators
from onnxpress.quantize.forest.refined.as_tree_ensemble import as_tree_ensemble
from onnxpress.quantize.forest.refined.distillation import distil
from onnxpress.quantize.forest.refined.ladder import WriteForest, refined
from onnxpress.tables.rows import Rows
from tests.support.forest_models import outputs

RUNG = Rung(trees=16, depth=4)
FORMS = {"operators": as_operators, "tree ensemble": as_tree_ensemble}
LEARNED = 1200
Table = tuple[NDArray[np.float32], NDArray[Any]]


def rare(labels: tuple[Any, Any]) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Rows of two classes, 12 % of them of the second."""
    from sklearn.datasets import make_classification

    x, y = make_classification(
        3000, 8, n_informative=5, weights=[0.88], class_sep=0.8, random_state=3
    )
    return x.astype(np.float32), np.array(labels)[y]


def thresholded(**settings: Any) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import FixedThresholdClassifier

    forest = RandomForestClassifier(40, min_samples_leaf=4, random_state=0)
    return FixedThresholdClassifier(forest, **settings)


def boosted(**settings: Any) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import FixedThresholdClassifier

    boosting = HistGradientBoostingClassifier(max_iter=40, random_state=0)
    return FixedThresholdClassifier(boosting, **settings)


RULES: dict[str, tuple[Any, tuple[Any, Any], int, float]] = {
    # estimator, labels, position of the positive class, its probability from which it is the label
    "low": (thresholded(threshold=0.2), (0, 1), 1, 0.2),
    "high": (thresholded(threshold=0.8), (1, 2), 1, 0.8),
    "text": (thresholded(threshold=0.1, pos_label="yes"), ("no", "yes"), 1, 0.1),
    "first class": (thresholded(threshold=0.9, pos_label="no"), ("no", "yes"), 0, 0.9),
    "boosting": (boosted(threshold=0.05), (-1, 1), 1, 0.05),
}


@pytest.fixture(scope="module", params=[(rule, form) for rule in RULES for form in FORMS])
def ruled(request: pytest.FixtureRequest) -> tuple[str, Any, onnx.ModelProto, NDArray[np.float32]]:
    """A rule, its fitted estimator, the refined forest, and rows that neither has seen."""
    rule, form = request.param
    estimator, labels, _, _ = RULES[rule]
    x, y = rare(labels)
    estimator.fit(x[:LEARNED], y[:LEARNED])
    model = onnxpress.convert(estimator, x[:LEARNED])
    rows = Rows({"X": x[:LEARNED]}, y[:LEARNED])
    write: WriteForest = FORMS[form]
    return rule, estimator, refined(model, rows, rung=RUNG, seed=0, write=write), x[LEARNED:]


Ruled = tuple[str, Any, onnx.ModelProto, NDArray[np.float32]]


def test_the_label_is_the_positive_class_from_the_threshold_of_the_original_on(
    ruled: Ruled,
) -> None:
    rule, estimator, after, x = ruled
    _, labels, positive, threshold = RULES[rule]
    label, probabilities = outputs(after, x)
    sure = np.abs(probabilities[:, positive] - threshold) > 1e-6
    expected = np.where(
        probabilities[:, positive] >= threshold, labels[positive], labels[1 - positive]
    )
    assert sure.mean() > 0.99
    assert label[sure].tolist() == expected[sure].tolist()
    assert np.mean(label == estimator.predict(x)) > 0.75


def test_it_is_another_label_than_the_most_probable_on_some_rows(ruled: Ruled) -> None:
    rule, estimator, after, x = ruled
    label, probabilities = outputs(after, x)
    most_probable = np.array(RULES[rule][1])[probabilities.argmax(axis=1)]
    own = np.mean(label == estimator.predict(x))
    assert own > np.mean(most_probable == estimator.predict(x))


def test_the_reference_evaluator_gives_the_same_label(ruled: Ruled) -> None:
    _, _, after, x = ruled
    onnx.checker.check_model(after, full_check=True)
    label, _ = ReferenceEvaluator(after).run(None, {"X": x[:100]})
    assert np.asarray(label).tolist() == outputs(after, x[:100])[0].tolist()


def test_a_threshold_on_decisions_becomes_one_on_probabilities() -> None:
    from scipy.special import expit

    estimator = boosted(threshold=-2.0, response_method="decision_function")
    x, y = rare((0, 1))
    estimator.fit(x[:LEARNED], y[:LEARNED])
    model = onnxpress.convert(estimator, x[:LEARNED])
    after = refined(model, Rows({"X": x[:LEARNED]}, y[:LEARNED]), rung=RUNG, seed=0)
    label, probabilities = outputs(after, x)
    of_first, of_second = (probabilities[label == each, 1] for each in (0, 1))
    # probabilities are the logistic function of decisions
    assert of_first.max() == pytest.approx(expit(-2.0), abs=0.02)
    assert of_second.min() == pytest.approx(expit(-2.0), abs=0.02)
    assert np.mean(label == estimator.predict(x)) > 0.9


def test_a_tuned_threshold_is_kept() -> None:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import TunedThresholdClassifierCV

    forest = RandomForestClassifier(40, min_samples_leaf=4, random_state=0)
    tuned = TunedThresholdClassifierCV(forest, scoring="balanced_accuracy", cv=3, random_state=0)
    x, y = rare(("no", "yes"))
    tuned.fit(x[:LEARNED], y[:LEARNED])
    model = onnxpress.convert(tuned, x[:LEARNED])
    after = refined(model, Rows({"X": x[:LEARNED]}, y[:LEARNED]), rung=RUNG, seed=0)
    label, probabilities = outputs(after, x)
    least = probabilities[label == "yes", 1].min()
    assert tuned.best_threshold_ <= least + 1e-6
    assert least < tuned.best_threshold_ + 0.02 < 0.4


def test_labels_that_no_threshold_explains_are_refused() -> None:
    x, own = np.random.default_rng(0).random((100, 2), np.float32), np.arange(100) % 2

    def teacher(rows: NDArray[np.float32]) -> list[NDArray[Any]]:
        probability = rows[:, :1]
        within = (probability[:, 0] > 0.2) & (probability[:, 0] < 0.4)
        return [within.astype(np.int64), np.hstack([1 - probability, probability])]

    with pytest.raises(NotApplicable, match="does not follow from the probabilities"):
        distil(teacher, x, own, seed=0)


def claims(rows: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Counts of claims, whose logarithm has a linear mean."""
    random = np.random.default_rng(1)
    x = random.normal(size=(rows, 5)).astype(np.float32)
    return x, random.poisson(np.exp(1.2 * x[:, 0] - x[:, 1] - 1)).astype(float)


def costs(rows: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    random = np.random.default_rng(2)
    x = random.normal(size=(rows, 5)).astype(np.float32)
    return x, random.gamma(0.7, np.exp(1.5 * x[:, 0] - x[:, 1])) + 1e-3


def histogram(loss: str, **settings: Any) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(loss=loss, max_iter=60, random_state=0, **settings)


def of_logarithm() -> Any:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(40, random_state=0)
    return TransformedTargetRegressor(forest, func=np.log, inverse_func=np.exp)


def of_poisson() -> Any:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(40, criterion="poisson", random_state=0)


POSITIVE: dict[str, tuple[Callable[[], Any], Callable[[int], Table]]] = {
    "poisson": (lambda: histogram("poisson"), claims),
    "gamma": (lambda: histogram("gamma"), costs),
    "logarithm": (of_logarithm, costs),
    "poisson criterion": (of_poisson, claims),
}


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("kind", list(POSITIVE))
def test_answers_are_positive_wherever_the_original_answers_are(kind: str, form: str) -> None:
    make, table = POSITIVE[kind]
    x, y = table(800)
    estimator = make().fit(x, y)
    write: WriteForest = FORMS[form]
    model = onnxpress.convert(estimator, x)
    after = refined(model, Rows({"X": x}, y), rung=RUNG, seed=0, write=write)
    far = np.random.default_rng(3).normal(size=(20_000, 5), scale=3).astype(np.float32)
    assert estimator.predict(far).min() > 0
    (found,) = outputs(after, far)
    assert found.shape == (len(far), 1)
    assert found.min() > 0


def test_without_the_floor_some_of_them_would_not_be() -> None:
    x, y = claims(800)
    model = onnxpress.convert(histogram("poisson").fit(x, y), x)
    after = refined(model, Rows({"X": x}, y), rung=RUNG, seed=0)
    last = after.graph.node[-1]
    assert last.op_type == "Max"
    before = onnx.ModelProto()
    before.CopyFrom(after)
    before.graph.output.append(onnx.helper.make_empty_tensor_value_info(last.input[0]))
    assert outputs(before, x)[1].min() < 0


@pytest.mark.parametrize("target", ["far above 0", "on both sides of 0"])
def test_a_forest_that_cannot_or_may_answer_below_has_no_floor(target: str) -> None:
    from sklearn.ensemble import RandomForestRegressor

    x, y = costs(600)
    y = y + 1e4 if target == "far above 0" else y - y.mean()
    model = onnxpress.convert(RandomForestRegressor(20, random_state=0).fit(x, y), x)
    after = refined(model, Rows({"X": x}, y), rung=RUNG, seed=0)
    assert "Max" not in {node.op_type for node in after.graph.node}


@pytest.mark.parametrize("quantile", [0.1, 0.9])
def test_a_quantile_stays_that_quantile(quantile: float) -> None:
    from sklearn.metrics import mean_pinball_loss

    x, y = costs(4000)
    estimator = histogram("quantile", quantile=quantile).fit(x[:LEARNED], y[:LEARNED])
    model = onnxpress.convert(estimator, x[:LEARNED])
    after = refined(model, Rows({"X": x[:LEARNED]}, y[:LEARNED]), rung=Rung(32, 5), seed=0)
    before = estimator.predict(x[LEARNED:])
    found = outputs(after, x[LEARNED:])[0][:, 0]
    truth = y[LEARNED:]
    loss, own = (mean_pinball_loss(truth, each, alpha=quantile) for each in (found, before))
    assert loss < 1.05 * own
    assert np.mean(truth < found) == pytest.approx(np.mean(truth < before), abs=0.06)


def test_the_same_bytes_come_every_time() -> None:
    x, y = claims(400)
    model, rows = onnxpress.convert(histogram("poisson").fit(x, y), x), Rows({"X": x}, y)
    twice = [to_bytes(refined(model, rows, rung=RUNG, seed=seed)) for seed in (0, 1, 0)]
    assert twice[0] == twice[2]
