"""The folds on which clones are scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest
from scipy.stats import binomtest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

import onnxpress
from onnxpress.boosters.training import checked_parameters
from onnxpress.conversion.converting import to_onnx
from onnxpress.errors import UserError
from onnxpress.estimators.booster_estimator import BoosterRanker
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.candidates import Candidate, Form
from onnxpress.quantize.forest.levels import forest_candidates
from onnxpress.quantize.options import Options
from onnxpress.quantize.scoring import Scorer
from onnxpress.quantize.terms import Terms, needed_by, terms_of
from onnxpress.quantize.trials import Needed, Trial, Trials, held_out, too_few
from onnxpress.scores.bounds import lower_bound
from onnxpress.scores.score import find_score
from onnxpress.tables.rows import Rows
from tests.conftest import numeric_schema
from tests.support.ranking import queries

X, Y = load_iris(return_X_y=True)


@pytest.mark.parametrize("rows", [3, 4, 6])
def test_fewer_rows_than_folds_are_enough_for_a_lossless_candidate(rows: int) -> None:
    some = np.linspace(0, 99, rows).astype(int)  # of the first two classes
    forest = RandomForestClassifier(30, random_state=0).fit(X[some], Y[some])
    result = onnxpress.compress(forest, X[some], Y[some], level="lossless")
    assert result.candidate == "forest/lossless"


def rows_of_two_classes(rows: int) -> Rows:
    x = np.random.default_rng(rows).normal(size=(rows, 3)).astype(np.float32)
    return Rows({"X": x}, (x[:, 0] > 0).astype(np.int64))


@pytest.mark.parametrize(
    ("rows", "limit", "words"),
    [
        (2999, 0.01, "the limit on other answers is 30.0 of 2999 calibration rows"),
        (3000, 0.01, ""),
        (1200, 0.01, "the limit on other answers is 12.0 of 1200 calibration rows"),
        (1200, 0.05, ""),
        (1200, 0.0, ""),  # no number of rows proves it
        (1200, 0.0001, ""),  # nor do 6,000 rows
        (1000, None, ""),
        (999, None, "999 calibration rows are few"),
        (20_000, 0.001, ""),  # 100,000 rows take too long to fit clones on
    ],
)
def test_calibration_rows_are_too_few_where_the_limit_on_answers_is_a_handful(
    rows: int, limit: float | None, words: str
) -> None:
    train, calibration = rows_of_two_classes(4 * rows), rows_of_two_classes(rows)
    assert too_few(train, calibration, Needed(disagreement=limit)) == words
    numbers = replace(calibration, target=calibration.feeds["X"][:, 0])
    few = words if words.endswith("few") else ""
    assert too_few(replace(train, target=train.feeds["X"][:, 0]), numbers, Needed()) == few
    assert too_few(train, calibration, Needed(changing=False)) == ""


@pytest.mark.parametrize(("count", "rows"), [(0, 10), (3, 10), (10, 10), (7, 1280)])
def test_the_lower_bound_is_the_exact_one(count: int, rows: int) -> None:
    exact = binomtest(count, rows, alternative="greater").proportion_ci(0.95, "exact").low
    assert lower_bound(count, rows) == pytest.approx(exact, abs=1e-12)


def test_a_share_has_to_be_proved_at_the_level_faithful_alone() -> None:
    forest = RandomForestClassifier(3, random_state=0).fit(X, Y)
    model = onnxpress.convert(forest, X)

    def share(options: Options) -> float | None:
        return needed_by(options, forest_candidates(model, options)).disagreement

    assert share(Options(level="faithful")) == 0.01
    assert share(Options(level="faithful", budgets={"disagreement": 0.2})) == 0.2
    assert share(Options(level="faithful", budgets={"disagreement": None})) is None
    assert share(Options(level="auto", budgets={"disagreement": 0.2})) is None
    assert needed_by(Options(level="faithful"), []) == Needed(changing=False)


def flipped(rows: int, wrong: int) -> Callable[[onnx.ModelProto, Rows], onnx.ModelProto]:
    """What makes a tree that answers the first ``wrong`` of so many rows by the other class."""
    values = np.arange(rows, dtype=np.float32)[:, None]
    tree = RandomForestClassifier(1, bootstrap=False, random_state=0)
    model = onnxpress.convert(tree.fit(values, wrong_answers(rows, wrong)), values)
    return lambda _model, _rows: model


def wrong_answers(rows: int, wrong: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """0, 1, 0, 1, ..., the first ``wrong`` of them turned around."""
    right = np.arange(rows) % 2
    right[:wrong] = 1 - right[:wrong]
    return right


@pytest.mark.parametrize(("wrong", "screened"), [(2, False), (8, False), (40, True)])
def test_what_clearly_changes_too_many_answers_is_not_tried_on_clones(
    wrong: int, *, screened: bool
) -> None:
    # 100 rows, a limit of 0.05: 8 of 100 may be 5 % of all rows, 40 may not
    make = flipped(100, wrong)
    rows = Rows({"X": np.arange(100, dtype=np.float32)[:, None]}, wrong_answers(100, 0))
    plain = to_bytes(flipped(100, 0)(onnx.ModelProto(), rows))
    applied = []

    def apply(model: onnx.ModelProto, learn: Rows) -> onnx.ModelProto:
        applied.append(learn)
        return make(model, learn)

    clone = to_bytes(flipped(100, 1)(onnx.ModelProto(), rows))
    trials: Trials = replace(
        held_out(plain, rows, rows),
        make=lambda _: [Trial(clone, rows, rows)] * 2,
        screen=Trial(plain, rows, rows),
    )
    score = find_score(None, "classification", (0, 1), None, proper=True, scored=True)
    scorer = Scorer(trials, Terms(score, {"disagreement": 0.05}))
    quantised = to_bytes(apply(onnx.load_from_string(plain), rows))
    found = scorer.compared(Candidate("forest", apply, form=Form.FAITHFUL), plain, quantised)
    assert len(found.target) == (100 if screened else 200)
    assert len(applied) == (1 if screened else 3)
    loss = scorer.losses(found)["disagreement"]
    assert loss.value == (0.4 if screened else abs(wrong - 1) / 100)


def test_a_ranker_is_scored_by_the_order_of_its_groups() -> None:
    """Nobody names its score; a relevance below 0 has none, and that is said."""
    table = queries(150, categories=False).fillna(1.0)
    feeds = {"X": table[["price", "fit"]].to_numpy(np.float32)}
    groups = np.unique(table["query"], return_inverse=True)[1]
    rows = Rows(feeds, table["relevance"].to_numpy(float), groups)
    schema = numeric_schema(2, "regression", 1.0)
    parameters = checked_parameters("catboost", "catboost.CatBoostRanker", {"iterations": 5})
    ranker = BoosterRanker("catboost", columns=("f0", "f1"), parameters=parameters)
    ranker.fit(feeds["X"], rows.target, groups)
    plain = to_bytes(to_onnx(ranker, schema, 12))
    trials = held_out(plain, rows, rows)
    terms = terms_of(Options(), schema, plain, trials, original=lambda: ranker)
    assert terms.score.name == "ndcg"
    alone = held_out(plain, Rows(feeds, rows.target), Rows(feeds, rows.target))
    assert terms_of(Options(), schema, plain, alone, original=lambda: ranker).score.name == "r2"
    below = Rows(feeds, rows.target - 1, groups)
    with pytest.raises(UserError, match="'ndcg' is undefined on calibration rows: a target is -1"):
        terms_of(Options(), schema, plain, held_out(plain, below, below), original=lambda: ranker)
