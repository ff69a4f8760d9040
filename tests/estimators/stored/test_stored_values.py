"""Functions and types that a file may hold, and none that does more than compute."""

from __future__ import annotations

import functools
import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.cluster._kmeans import _kmeans_single_lloyd
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import check_array

from onnxpress.estimators import stored
from onnxpress.estimators.stored import values


@pytest.mark.parametrize("path", values.VALUES)
def test_every_value_is_there_and_can_be_held(path: str) -> None:
    found = values.value(path)
    assert callable(found)
    assert stored.loads(pickle.dumps([found])) == [found]


@pytest.mark.parametrize(
    "path", [path for path in values.VALUES if not path.startswith("builtins.")]
)
def test_no_value_is_called_by_a_file(path: str) -> None:
    module, _, name = path.rpartition(".")
    for code in (f"c{module}\n{name}\n(K\x01tR.", f"c{module}\n{name}\n(K\x01t\x81."):
        with pytest.raises((stored.Refused, stored.Damaged)):
            stored.loads(b"\x80\x02" + code.encode("latin-1"))


@pytest.mark.parametrize(
    "name",
    [
        "fromfile",
        "load",
        "save",
        "memmap",
        "frombuffer",
        "vectorize",
        "frompyfunc",
        "fromfunction",
        "ndarray",
        "apply_along_axis",
    ],
)
def test_what_reads_writes_or_calls_is_no_value(name: str) -> None:
    with pytest.raises(stored.Refused, match=f"numpy.*{name}"):
        stored.loads(pickle.dumps(FunctionTransformer(getattr(np, name))))


def test_a_partial_of_plain_keywords_is_held() -> None:
    held = stored.loads(
        pickle.dumps(functools.partial(check_array, dtype=[np.float64], ensure_all_finite=False))
    )
    assert held.func is check_array
    assert held.keywords == {"dtype": [np.float64], "ensure_all_finite": False}
    assert held.args == ()


@pytest.mark.parametrize(
    "made",
    [
        functools.partial(check_array, [1]),
        functools.partial(check_array, estimator=FunctionTransformer()),
        functools.partial(np.add, out=np.zeros(3)),
        functools.partial(np.add, where=np.add),
        functools.partial(_kmeans_single_lloyd, max_iter=3),
        functools.partial(int, base=3),
    ],
)
def test_a_partial_of_anything_else_is_damaged(made: Any) -> None:
    made = pickle.dumps(made)
    with pytest.raises((stored.Damaged, stored.Refused)):
        stored.loads(made)


def test_a_partial_takes_no_attributes() -> None:
    made = functools.partial(np.log1p)
    made.extra = 1  # type: ignore[attr-defined] # a partial takes any
    with pytest.raises(stored.Damaged, match="keywords only"):
        stored.loads(pickle.dumps(made))


def test_a_function_of_scikit_learns_own_stands_in_no_other_place() -> None:
    """It is compiled, and believes the sizes that it is given."""
    with pytest.raises(stored.Damaged, match="func should be no function of scikit-learn's own"):
        stored.loads(pickle.dumps(FunctionTransformer(_kmeans_single_lloyd)))


def test_an_unknown_name_is_not_looked_up() -> None:
    with pytest.raises(KeyError):
        values.value("os.system")
