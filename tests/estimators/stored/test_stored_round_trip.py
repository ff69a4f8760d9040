"""A dump of what was loaded has the same bytes each time, whatever kind of file it came in.

A sample of the corpus.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import subprocess
import sys
from typing import Any

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from onnxpress.estimators import stored
from tests.conftest import ROOT
from tests.support.stored_cases import NUMBER, TWO, fitted
from tests.support.stored_cases import X as ROWS
from tests.support.stored_forms import faults

SAMPLE = (
    *(
        "tree of text",
        "pruned tree",
        "forest of its own seed",
        "gradient of three",
        "histogram of gaps",
        "constrained",
    ),
    *(
        "sparse probabilities",
        "ball tree",
        "Mahalanobis",
        "hinge",
        "process of numbers",
        "network",
        "isotonic calibration",
    ),
    *("grid", "tuned threshold", "mixed", "selected", "listed words", "splines", "a function"),
)


@pytest.mark.parametrize("name", SAMPLE)
def test_every_kind_of_file_gives_equal_answers_and_equal_bytes(name: str) -> None:
    ((_, estimator, rows),) = fitted(name)
    assert faults(estimator, rows) == []


def test_equal_estimators_have_equal_bytes_however_they_are_laid_out() -> None:
    """Try shared or separate texts, sets in another order, foreign bytes, views, padded fields."""
    model = DecisionTreeClassifier(random_state=0).fit(ROWS, TWO)
    first: dict[str, Any] = {
        "texts": ["some_text", "some_text"],
        "set": {"b", "a", 3, None},
        "frozen": frozenset(range(20)),
        "numbers": np.arange(6.0).reshape(2, 3),
        "words": np.array(["some_text", "other"], object),
        "bytes": [b"abc", b"abc"],
        "state": np.random.RandomState(3),
        "model": model,
    }
    second: dict[str, Any] = {
        "texts": ["some_text", str(b"some_text", "ascii")],
        "set": {None, 3, "a", "b"},
        "frozen": frozenset(reversed(range(20))),
        "numbers": np.arange(12.0).reshape(2, 6)[:, ::2].astype(">f8") / 2,
        "words": np.array([str(b"some_text", "ascii"), "other"], object),
        "bytes": [b"abc", bytes(bytearray(b"abc"))],
        "state": np.random.RandomState(5),
        "model": pickle.loads(pickle.dumps(model)),  # noqa: S301 # its own
    }
    second["numbers"][:] = first["numbers"]
    second["state"].set_state(first["state"].get_state())
    assert stored.dump(first) == stored.dump(second)


def test_a_dump_keeps_neither_threads_nor_how_often_it_was_asked() -> None:
    rows = sparse.csr_matrix(ROWS)
    model = KNeighborsClassifier(algorithm="kd_tree", n_jobs=2).fit(ROWS, TWO)
    before = stored.dump(model)
    model.predict(ROWS)
    assert (
        stored.dump(model)
        == before
        == stored.dump(KNeighborsClassifier(algorithm="kd_tree", n_jobs=1).fit(ROWS, TWO))
    )
    assert model.n_jobs == 2
    assert stored.loads(before).n_jobs is None
    stored_rows = stored.dump(rows)
    assert rows.has_canonical_format
    assert stored.dump(rows) == stored_rows


def test_an_early_stopped_fit_leaves_no_method_in_the_dump() -> None:
    model = HistGradientBoostingRegressor(max_iter=3, early_stopping=True, random_state=0).fit(
        ROWS, NUMBER
    )
    once = stored.dump(model)
    assert stored.dump(stored.loads(once)) == once


def test_a_look_at_the_attributes_of_a_partial_function_leaves_the_bytes_as_they_are() -> None:
    model = HistGradientBoostingRegressor(max_iter=2, categorical_features=[0])
    model.fit(np.abs(ROWS).round(), NUMBER)
    function = model._preprocessor.transformers[1][1].func
    before = stored.dump(model)
    assert isinstance(function, functools.partial)
    assert vars(function) == {}  # made by this look
    assert stored.dump(model) == before


def test_joblib_reads_the_dump(tmp_path: Any) -> None:
    model = LinearRegression().fit(ROWS, NUMBER)
    (tmp_path / "a.joblib").write_bytes(stored.dump(model))
    loaded = joblib.load(tmp_path / "a.joblib")
    assert np.array_equal(loaded.predict(ROWS), model.predict(ROWS))


def test_what_is_nested_too_deeply_to_be_dumped_is_damaged() -> None:
    nested: Any = []
    for _ in range(2000):
        nested = [nested]
    with pytest.raises(stored.Damaged, match="nested too deeply"):
        stored.dump(nested)


def test_the_bytes_are_the_same_in_every_process() -> None:
    code = (
        "import hashlib, sys; from tests.estimators.stored import test_stored_round_trip as here; "
        "sys.stdout.write(hashlib.sha256(here.dumped()).hexdigest())"
    )
    seed = {"PYTHONHASHSEED": "0" if os.environ.get("PYTHONHASHSEED") != "0" else "1"}
    command = [sys.executable, "-c", code]
    elsewhere = subprocess.run(
        command, env={**os.environ, **seed}, cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert elsewhere.stdout == hashlib.sha256(dumped()).hexdigest()


def dumped() -> bytes:
    """Dumps of models that hold sets, texts, functions and random states."""
    names = ("constrained", "mixed", "a function", "forest of its own seed")
    parts = [stored.dump(estimator) for _, estimator, _ in fitted(*names)]
    return b"".join([*parts, stored.dump({"one", "two", "three"})])
