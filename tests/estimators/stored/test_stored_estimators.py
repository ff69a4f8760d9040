"""Every kind of fitted estimator comes out of its file as it went in, with nothing trusted."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from onnxpress.estimators import stored
from tests.support.stored_cases import THREE, X, all_cases, answers, fitted, same
from tests.support.stored_comparison import differences
from tests.support.stored_formats import FORMATS, plain, written


@pytest.mark.parametrize("name", all_cases())
def test_an_estimator_answers_as_it_did(name: str) -> None:
    ((_, estimator, rows),) = fitted(name)
    kind = FORMATS[
        list(all_cases()).index(name) % len(FORMATS)
    ]  # test_stored_corpus tries each in all of them
    data = written(estimator, kind)
    loaded, expected = stored.loads(data), plain(data, kind)
    vars(expected).pop("_raw_predict", None)  # a method that the class has as well
    assert differences(loaded, expected) == []
    said = answers(expected, rows)
    assert {
        key for key, answer in said.items() if not isinstance(answer, str)
    } or name == "isotonic"
    assert same(answers(loaded, rows), said)


def test_gradient_boosting_that_starts_from_another_model_is_refused() -> None:
    """Compiled code adds to what the first model says, as many numbers as there are classes.

    Only known ones are sure to.
    """
    for start, message in (
        (LogisticRegression(), "init_ should be a DummyClassifier"),
        (DummyClassifier(), "share of each class"),
    ):
        model = GradientBoostingClassifier(init=start, n_estimators=2).fit(X, THREE)
        if isinstance(start, DummyClassifier):
            model.init_.strategy = "uniform"
        with pytest.raises(stored.Damaged, match=message):
            stored.loads(pickle.dumps(model))


def test_what_was_loaded_is_loaded_again_from_its_own_dump() -> None:
    ((_, estimator, rows),) = fitted("histogram of codes")
    once = stored.dump(stored.loads(pickle.dumps(estimator)))
    assert stored.dump(stored.loads(once)) == once
    assert np.array_equal(stored.loads(once).predict(rows), estimator.predict(rows))
