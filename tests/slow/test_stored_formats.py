"""Every case in every format: what test_stored_estimators tries in one of them each."""

from __future__ import annotations

import pytest

from onnxpress.estimators import stored
from tests.support.stored_cases import all_cases, answers, fitted, same
from tests.support.stored_formats import FORMATS, plain, written


@pytest.mark.parametrize("name", all_cases())
def test_an_estimator_answers_as_it_did_in_each_format(name: str) -> None:
    ((_, estimator, rows),) = fitted(name)
    for kind in FORMATS:
        data = written(estimator, kind)
        assert same(answers(stored.loads(data), rows), answers(plain(data, kind), rows)), kind
