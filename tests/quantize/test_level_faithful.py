"""The level faithful as a whole: its default budget, and what is chosen within it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

from onnxpress import Compressed, compress
from tests.support.forest_models import outputs


def table() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    x, y = make_classification(
        8000, 8, n_informative=4, n_clusters_per_class=1, class_sep=1.5, random_state=0
    )
    return x.astype(np.float32), y


def level_faithful(**budgets: float | None) -> tuple[RandomForestClassifier, Compressed]:
    x, y = table()
    forest = RandomForestClassifier(30, random_state=0).fit(x[:2000], y[:2000])
    return forest, compress(forest, x[:4000], y[:4000], level="faithful", budgets=budgets)


def test_it_limits_the_share_of_other_answers_to_one_in_a_hundred() -> None:
    _, made = level_faithful()
    limits = {drop.loss.key: drop.limit for v in made.verdicts for drop in v.drops}
    assert limits["disagreement"] == 0.01
    assert made.scoring == (
        "cross-fitting on 5 folds of 4000 training and calibration rows,"
        " for 800 calibration rows are few"
    )
    forms = {v.name.split("-")[0] for v in made.verdicts if v.name.startswith("forest")}
    assert forms == {"forest/lossless", "forest/faithful"}


def test_what_is_chosen_keeps_its_share_of_answers_on_new_rows() -> None:
    forest, made = level_faithful(disagreement=0.05, score=None, recall_worst_loss=None)
    assert any("faithful" in v.name and v.outcome == "chosen" for v in made.verdicts)
    new = table()[0][4000:]
    (found, _) = outputs(made.model, new)
    assert np.mean(found != forest.predict(new)) <= 0.05
