"""Every budget stops what loses too much of it, and the verdict says which one did."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import average_precision_score, recall_score
from sklearn.svm import LinearSVC

from onnxpress.conversion.converting import to_onnx
from onnxpress.engine.engine import HERE
from onnxpress.errors import UserError
from onnxpress.estimators.onnx_estimator import OnnxClassifier
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.candidates import Candidate, Form
from onnxpress.quantize.choice import Choice, choose
from onnxpress.quantize.options import Options
from onnxpress.quantize.scoring import Scorer
from onnxpress.quantize.terms import Terms, terms_of
from onnxpress.quantize.trials import Clones, Needed, cross_fits, held_out, trials_of
from onnxpress.quantize.verdicts import Drop
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.scores.losses import Loss
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Column, Schema

COLUMNS = 4
OFF: dict[str, float | None] = {"score": None, "recall_worst_loss": None}


def schema_of(target: NDArray[Any]) -> Schema:
    columns = tuple(Column(f"x{number}", "number", missing=False) for number in range(COLUMNS))
    if target.dtype.kind == "f":
        return Schema("regression", "y", columns, float(target.std()))
    return Schema("classification", "y", columns)


def table(count: int = 400, share: float = 0.5, seed: int = 0) -> Rows:
    """Two overlapping classes, ``share`` of the rows of class 1."""
    x, y = make_classification(
        count, COLUMNS, n_redundant=0, weights=[1 - share], flip_y=0.05, random_state=seed
    )
    return Rows({"X": x.astype(np.float32)}, y.astype(np.int64))


def fitted(estimator: Any, rows: Rows) -> bytes:
    estimator.fit(rows.feeds["X"], rows.target)
    return to_bytes(to_onnx(estimator, schema_of(rows.target), 12))


def moved(by: float, form: str = "", name: str = "moved") -> Candidate:
    """The same model of features that are moved by so much, without padding."""

    def apply(model: onnx.ModelProto, _rows: Rows) -> onnx.ModelProto:
        result = onnx.ModelProto()
        result.CopyFrom(model)
        kept = [each for each in result.graph.initializer if each.name != "padding"]
        del result.graph.initializer[:]
        result.graph.initializer.extend(kept)
        result.graph.initializer.append(numpy_helper.from_array(np.array([by], np.float32), "by"))
        for node in result.graph.node:
            for position, given in enumerate(node.input):
                if given == "X":
                    node.input[position] = "moved"
        result.graph.node.insert(0, helper.make_node("Add", ["X", "by"], ["moved"]))
        return result

    return Candidate(name, apply, form=form)


def padded(plain: bytes) -> bytes:
    """The model with a weight that nothing reads, so that a candidate without it is smaller."""
    model = onnx.load_from_string(plain)
    model.graph.initializer.append(numpy_helper.from_array(np.ones(4000, np.float32), "padding"))
    return to_bytes(model)


def tried(plain: bytes, rows: Rows, budgets: dict[str, float | None], by: float) -> Choice:
    trials = held_out(plain, rows, rows)
    options = Options(budgets=budgets)
    terms = terms_of(options, schema_of(rows.target), plain, trials)
    return choose(plain, [moved(by)], trials, terms, options)


@pytest.mark.parametrize(
    "key", ["score", "recall_worst_loss", "disagreement", "log_loss", "brier", "neg_log_loss", "f1"]
)
def test_each_budget_alone_stops_a_model_that_loses_more(key: str) -> None:
    rows = table()
    plain = padded(fitted(LogisticRegression(), rows))
    choice = tried(plain, rows, {**OFF, key: 0.01}, by=1.0)
    entry = choice.to_json()["candidates"][0]
    assert (entry["outcome"], entry["stopped_by"]) == ("over budget", key)
    assert set(entry["drops"]) == {key}
    assert f"{key} " in entry["reason"]
    assert entry["drops"][key]["value"] > entry["drops"][key]["limit"] == 0.01
    assert tried(plain, rows, {**OFF, key: None}, by=1.0).candidate == "moved"
    assert tried(plain, rows, {**OFF, key: 9.0}, by=1.0).candidate == "moved"


def test_a_verdict_has_every_drop_as_scikit_learn_computes_it() -> None:
    rows = table(share=0.1)
    plain = padded(fitted(LogisticRegression(), rows))
    budgets: dict[str, float | None] = {"score": 1, "recall_worst_loss": 1, "average_precision": 1}
    choice = tried(plain, rows, budgets, by=0.5)
    drops = choice.to_json()["candidates"][0]["drops"]
    before, after = (predict_onnx(open_session(each), rows.feeds) for each in (plain, choice.model))
    assert before.scores is not None
    assert after.scores is not None
    precisions = [
        average_precision_score(rows.target, found.scores[:, 1])
        for found in (before, after)
        if found.scores is not None
    ]
    assert drops["average_precision"]["value"] == pytest.approx(precisions[0] - precisions[1])
    recalls = [
        recall_score(rows.target, found.values, average=None, labels=[0, 1])
        for found in (before, after)
    ]
    assert drops["recall_worst_loss"]["value"] == pytest.approx((recalls[0] - recalls[1]).max())
    accuracy = (before.values == rows.target).mean() - (after.values == rows.target).mean()
    assert drops["score"]["value"] == pytest.approx(accuracy)
    assert all(drop["limit"] == 1 and drop["se"] >= 0 for drop in drops.values())


@pytest.mark.parametrize(
    ("value", "limit", "shown"),
    [
        (0.012, 0.01, "score -0.0120 where -0.0100 is allowed"),
        (0.00003, 0.0, "score -3e-05 where -0.0000 is allowed"),
        (math.nan, 0.0, "score cannot be told where -0.0000 is allowed"),
    ],
)
def test_a_drop_beyond_its_limit_does_not_read_like_the_limit(
    value: float, limit: float, shown: str
) -> None:
    assert str(Drop(Loss("score", value, 0.0, 100), limit, exceeded=True)) == shown


def test_the_reason_names_every_budget_that_is_exceeded() -> None:
    rows = table()
    plain = padded(fitted(LogisticRegression(), rows))
    choice = tried(plain, rows, {"score": 0.0, "recall_worst_loss": 0.0, "brier": 0.0}, by=2.0)
    reason = choice.verdicts[0].reason
    assert all(key in reason for key in ("score", "recall_worst_loss", "brier"))


@pytest.mark.parametrize(
    ("few", "form", "outcome"),
    [
        (True, Form.INT4_TRAINED, "over budget"),
        (True, Form.REFINED, "over budget"),
        (True, Form.INT4, "chosen"),
        (False, Form.INT4_TRAINED, "chosen"),
    ],
)
def test_another_model_must_show_on_few_rows_that_it_is_no_worse(
    form: Form, outcome: str, *, few: bool
) -> None:
    """It loses as many rows as it wins: no worse by the estimate, maybe worse by the bound."""
    rows = table(200)
    plain = padded(fitted(LogisticRegression(), rows))
    trials = replace(held_out(plain, rows, rows), few=few)
    options = Options(budgets={**OFF, "score": 0.02})
    terms = terms_of(options, schema_of(rows.target), plain, trials)
    choice = choose(plain, [moved(-0.3, form)], trials, terms, options)
    (verdict,) = choice.verdicts
    assert verdict.outcome == outcome
    (drop,) = verdict.drops
    assert drop.loss.value == 0.0
    assert 1.645 * drop.loss.error > 0.02
    assert ("with 95 % confidence, where -0.0200 is allowed" in verdict.reason) == (
        outcome == "over budget"
    )


@pytest.mark.parametrize("rows_at_hand", [100, 400])
def test_agreement_of_few_rows_proves_little_and_a_lossless_form_needs_no_proof(
    rows_at_hand: int,
) -> None:
    """0.01 takes 299 rows without a disagreement (0.99 ** 299 < 0.05)."""
    rows = table(rows_at_hand)
    plain = padded(fitted(LogisticRegression(), rows))
    trials = held_out(plain, rows, rows)
    options = Options(budgets={**OFF, "disagreement": 0.01})
    terms = terms_of(options, schema_of(rows.target), plain, trials)
    candidates = [moved(0.0, name="a"), moved(0.0, Form.LOSSLESS, name="b")]
    choice = choose(plain, candidates, trials, terms, options)
    first = "chosen" if rows_at_hand == 400 else "over budget"
    second = "within budget" if rows_at_hand == 400 else "chosen"
    assert [verdict.outcome for verdict in choice.verdicts] == [first, second]


def test_a_regressor_keeps_positive_where_the_plain_model_is() -> None:
    random = np.random.default_rng(0)
    x = random.random((200, COLUMNS)).astype(np.float32)
    rows = Rows({"X": x}, x.sum(axis=1).astype(np.float64))
    plain = padded(fitted(LinearRegression(), rows))
    budgets: dict[str, float | None] = {"score": 100.0}
    choice = tried(plain, rows, budgets, by=-1.0)
    (verdict,) = choice.verdicts
    assert verdict.outcome == "not positive"
    assert "of 200 rows, such as -" in verdict.reason
    assert choice.candidate == "none"
    either = Rows({"X": x}, rows.target - 2)  # a model that is below zero itself may change sign
    plain = padded(fitted(LinearRegression(), either))
    assert tried(plain, either, budgets, by=-1.0).candidate == "moved"


LABELS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "text": lambda y: np.array(["fraud", "legit", "other"])[y],
    "numbers from 1": lambda y: y + 1,
}


@pytest.mark.parametrize("estimator", [LogisticRegression(max_iter=500), LinearSVC()])
@pytest.mark.parametrize("labels", LABELS)
def test_a_clone_that_lacks_a_class_is_joined_by_its_classes(estimator: Any, labels: str) -> None:
    """Class 0 has one row, so the clone of its fold has two columns of scores where others have
    three."""
    rows = table(60)
    target = rows.target + 1
    target[7] = 0
    rows = Rows(rows.feeds, LABELS[labels](target))
    plain = fitted(estimator, rows)
    trials = cross_fits(Clones(lambda: estimator, schema_of(rows.target), 12, 0), rows)
    terms = terms_of(Options(), schema_of(rows.target), plain, trials)
    compared = Scorer(trials, terms).compared(moved(0.0), plain, plain)
    folds = trials.make(HERE)
    assert sorted({len(np.unique(fold.learn.target)) for fold in folds}) == [2, 3]
    scores = compared.before.scores
    assert scores is not None
    assert scores.shape == (60, 3)
    assert np.isfinite(scores).all()
    classes = np.unique(rows.target)
    assert (classes[scores.argmax(axis=1)] == compared.before.values).all()
    assert (compared.target == np.concatenate([fold.score.target for fold in folds])).all()


def test_a_loss_is_that_of_all_rows_and_no_mean_over_folds() -> None:
    rows = table(100, share=0.2)
    estimator = LogisticRegression()
    plain = fitted(estimator, rows)
    trials = cross_fits(Clones(lambda: estimator, schema_of(rows.target), 12, 0), rows)
    options = Options(budgets={"average_precision": 1.0})
    terms = terms_of(options, schema_of(rows.target), plain, trials)
    scorer = Scorer(trials, terms)
    compared = scorer.compared(moved(0.7), plain, plain)
    expected = []
    for found in (compared.before, compared.after):
        assert found.scores is not None
        expected.append(average_precision_score(compared.target, found.scores[:, 1]))
    loss = scorer.losses(compared)["average_precision"]
    assert loss.value == pytest.approx(expected[0] - expected[1])
    assert loss.rows == 100


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.5, {"score": 0.0, "recall_worst_loss": 0.02}),
        (0.05, {"score": 0.0, "recall_worst_loss": 0.02, "average_precision": 0.01}),
    ],
)
def test_one_rare_class_of_two_has_a_budget_of_average_precision(
    share: float, expected: dict[str, float]
) -> None:
    rows = table(400, share)
    terms = terms_by(rows, Options())
    assert terms.limits == expected
    off = Options(budgets={"average_precision": None})
    assert "average_precision" not in terms_by(rows, off).limits


def terms_by(rows: Rows, options: Options) -> Terms:
    plain = fitted(LogisticRegression(), rows)
    return terms_of(options, schema_of(rows.target), plain, held_out(plain, rows, rows))


def test_the_average_precision_of_a_rare_class_is_of_that_class_whatever_is_positive() -> None:
    rows = table(400, 0.05)
    named = Rows(rows.feeds, np.where(rows.target == 1, "fraud", "legit"))
    terms = terms_by(named, Options())
    assert (terms.score.positive, terms.rare) == ("legit", "fraud")
    plain = fitted(LogisticRegression(), named)
    scorer = Scorer(held_out(plain, named, named), terms)
    altered = to_bytes(moved(1.0).apply(onnx.load_from_string(plain), named))
    compared = scorer.compared(moved(1.0), plain, altered)
    expected = []
    for found in (compared.before, compared.after):
        assert found.scores is not None
        expected.append(average_precision_score(named.target == "fraud", found.scores[:, 0]))
    loss = scorer.losses(compared)["average_precision"]
    assert loss.value == pytest.approx(expected[0] - expected[1])
    assert loss.about == "class 'fraud'"


@pytest.mark.parametrize(("count", "outcome"), [(2000, "over budget"), (20_000, "chosen")])
def test_few_rows_of_a_class_hold_its_average_precision_by_its_bound(
    count: int, outcome: str
) -> None:
    """The limit is one standard error above the loss: within it by the estimate alone."""
    rows = table(count, 0.02)
    forest = RandomForestClassifier(10, max_depth=4, random_state=0)
    plain = padded(fitted(forest, rows))
    (drop,) = tried(plain, rows, OFF, by=0.5).verdicts[0].drops
    assert (drop.loss.key, drop.loss.about) == ("average_precision", "class 1")
    assert (drop.loss.upper is not None) == (np.count_nonzero(rows.target) < 200)
    limits = {**OFF, "average_precision": drop.loss.value + drop.loss.error}
    assert tried(plain, rows, limits, by=0.5).verdicts[0].outcome == outcome


@pytest.mark.parametrize(("count", "bound"), [(500, True), (2000, False)])
def test_of_several_classes_the_one_with_the_fewest_rows_counts(count: int, *, bound: bool) -> None:
    rows = table(count)
    three = replace(rows, target=rows.target + (rows.feeds["X"][:, 0] > 0))
    counts = np.unique_counts(three.target).counts
    assert (len(counts), counts.min() < 200) == (3, bound)
    plain = padded(fitted(LogisticRegression(), three))
    (drop,) = tried(plain, three, {**OFF, "average_precision": 1.0}, by=0.5).verdicts[0].drops
    assert (drop.loss.upper is not None) == bound


def test_calibration_rows_score_where_they_are_enough() -> None:
    train, calibration = table(2000), table(1000, seed=1)
    plain = fitted(LogisticRegression(), train)
    clones = Clones(LogisticRegression, schema_of(train.target), 12, 0)
    trials = trials_of(plain, train, calibration, clones)
    assert (trials.name, trials.few) == ("1000 calibration rows", False)


def rare_rows() -> tuple[Rows, Rows]:
    """2,000 training rows and 1,000 calibration rows, 3 % of class 1."""
    rows = table(3000, 0.03, seed=3)
    order = np.argsort(-rows.target, kind="stable")  # class 1 first
    part = np.zeros(3000, bool)
    part[order[::3]] = True
    return rows.take(np.flatnonzero(~part)), rows.take(np.flatnonzero(part))


def test_a_rare_class_is_scored_on_training_rows_too_by_clones_that_have_not_seen_them() -> None:
    train, calibration = rare_rows()
    plain = fitted(LogisticRegression(), train)
    clones = Clones(LogisticRegression, schema_of(train.target), 12, 0)
    trials = trials_of(plain, train, calibration, clones)
    count = int(calibration.target.sum())
    assert trials.name == (
        "cross-fitting on 5 folds of 3000 training and calibration rows, "
        f"for only {count} of 1000 calibration rows are of the class 1"
    )
    assert trials.train is train
    assert len(trials.scored) == sum(len(fold.score) for fold in trials.make(HERE)) == 3000
    for fold in trials.make(HERE):
        learned = {bytes(row) for row in fold.learn.feeds["X"]}
        assert learned.isdisjoint(map(bytes, fold.score.feeds["X"]))


def test_no_clone_is_fitted_where_there_is_no_candidate() -> None:
    train, calibration = rare_rows()
    plain = fitted(LogisticRegression(), train)
    clones = Clones(LogisticRegression, schema_of(train.target), 12, 0)
    trials = trials_of(plain, train, calibration, clones, Needed(changing=False))
    assert trials.name == f"{len(calibration)} calibration rows"


class Stubborn(LogisticRegression):  # type: ignore[misc] # scikit-learn has no types
    """Cannot be fitted again."""

    def fit(self, *_args: Any) -> Any:
        raise TypeError("no more")


@pytest.mark.parametrize("original", ["onnx", "refuses"])
def test_a_model_that_cannot_be_fitted_again_is_scored_on_the_calibration_rows(
    original: str,
) -> None:
    train, calibration = rare_rows()
    plain = fitted(LogisticRegression(), train)
    given: Any = Stubborn()
    if original == "onnx":
        given = OnnxClassifier(
            plain, ("x",), ("label", "probabilities"), (0, 1), width=2, proper=True
        )
    clones = Clones(lambda: given, schema_of(train.target), 12, 0)
    trials = trials_of(plain, train, calibration, clones)
    assert trials.name == "1000 calibration rows"
    assert trials.few
    assert len(trials.make(HERE)) == 1
    if original == "refuses":
        (line,) = trials.warned
        assert line.startswith("1000 calibration rows score alone, for Stubborn cannot be fitted")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (Options(score="r2"), r"^score 'r2' is for regression, and the target has classes"),
        (Options(budgets={"max_abs_error": 1.0}), r"^budgets\.max_abs_error is for regression"),
        (Options(positive="x"), r"^positive should be a class of the target, 0 or 1, got 'x'"),
    ],
)
def test_terms_that_do_not_fit_are_one_line(options: Options, line: str) -> None:
    with pytest.raises(UserError, match=line):
        terms_by(table(), options)


def test_a_model_without_probabilities_has_no_budget_of_them() -> None:
    rows = table()
    plain = fitted(LinearSVC(), rows)
    trials = held_out(plain, rows, rows)
    assert set(terms_of(Options(), schema_of(rows.target), plain, trials).limits) == {
        "score",
        "recall_worst_loss",
    }
    with pytest.raises(UserError, match=r"^budgets\.log_loss needs probabilities"):
        terms_of(Options(budgets={"log_loss": 0}), schema_of(rows.target), plain, trials)


def test_the_classes_are_the_originals_where_rows_lack_one() -> None:
    rows = table(200)
    three = Rows(rows.feeds, rows.target.copy())
    three.target[:10] = 2
    estimator = LogisticRegression(max_iter=500)
    plain = fitted(estimator, three)
    trials = held_out(plain, rows, rows)
    terms = terms_of(Options(), schema_of(rows.target), plain, trials, original=lambda: estimator)
    assert terms.score.classes == (0, 1, 2)


def test_a_constant_target_leaves_the_lossless_form() -> None:
    """R2 of such rows is undefined, so that no other form can show what it loses."""
    x = np.random.default_rng(0).random((50, COLUMNS)).astype(np.float32)
    rows = Rows({"X": x}, np.full(50, 3.0))
    plain = padded(fitted(LinearRegression(), rows))
    trials = held_out(plain, rows, rows)
    terms = terms_of(Options(), schema_of(rows.target), plain, trials)
    candidates = [moved(0.0, name="a"), moved(0.0, Form.LOSSLESS, name="b")]
    choice = choose(plain, candidates, trials, terms, Options())
    assert [verdict.outcome for verdict in choice.verdicts] == ["over budget", "chosen"]
