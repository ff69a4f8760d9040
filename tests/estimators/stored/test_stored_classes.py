"""Which classes a file may hold instances of, and what state one of them takes."""

from __future__ import annotations

import importlib
import pickle
import sys
import unittest
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401 - they enable by being imported
from sklearn.gaussian_process.kernels import ConstantKernel
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LassoLars, LogisticRegression, Ridge
from sklearn.svm import SVC
from sklearn.utils import Bunch, all_estimators

from onnxpress.errors import UserError
from onnxpress.estimators import stored
from onnxpress.estimators.loading import load_original
from onnxpress.estimators.stored import classes, losses, neighbor_trees
from onnxpress.pipeline.params import parse_params
from tests.conftest import default_params
from tests.support.stored_cases import NUMBER, X

PARTS = [(module, name) for module, names in classes.PARTS.items() for name in names.split()]
COMPILED = (*neighbor_trees.NAMED, *losses.ARGUMENTS)


def state(estimator: Any) -> dict[str, Any]:
    """The state that a file has of it."""
    return dict(estimator.__getstate__())


def filled(kind: type, content: Any) -> Any:
    """An instance with that state."""
    instance = classes.empty(kind)
    classes.set_state(instance, content)
    return instance


def test_every_estimator_of_scikit_learn_is_known() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = all_estimators()
    assert len(found) > 200
    missing = [
        name
        for name, kind in found
        if classes.known_class(kind.__module__, kind.__name__) is not kind
    ]
    assert missing == []


@pytest.mark.parametrize("module", sorted(classes.ESTIMATORS))
def test_every_module_of_the_table_defines_an_estimator(module: str) -> None:
    names = vars(importlib.import_module(module))
    assert any(isinstance(classes.known_class(module, name), type) for name in names)


def test_every_class_of_the_tables_exists() -> None:
    assert [part for part in PARTS if classes.known_class(*part) is None] == []
    for path in COMPILED:
        module, _, name = path.rpartition(".")
        assert isinstance(getattr(importlib.import_module(module), name), type), path


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sklearn.calibration", "LabelEncoder"),  # imported there, defined elsewhere
        ("sklearn.calibration", "calibration_curve"),  # a function
        ("sklearn.calibration", "CalibrationDisplay"),  # a class that no estimator holds
        ("sklearn.calibration", "CalibratedClassifierCV.fit"),
        ("sklearn.calibration", "CalibratedClassifierCV.__init__"),
        ("sklearn.calibration", "__builtins__"),
        ("sklearn.utils._mocking", "CheckingClassifier"),
        ("sklearn.utils._metadata_requests", "RequestMethod"),
        ("builtins", "object"),
        ("types", "FunctionType"),
    ],
)
def test_what_is_no_class_of_the_table_is_unknown(module: str, name: str) -> None:
    assert classes.known_class(module, name) is None


@pytest.mark.parametrize(
    "module",
    [
        "antigravity",
        "this",
        "sklearn.conftest",
        "numpy.f2py.__main__",
        "onnxpress.commands.sweep.queue",
    ],
)
def test_no_other_module_is_imported(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, module, raising=False)
    assert classes.known_class(module, "Anything") is None
    with pytest.raises(stored.Refused, match=f"{module}.Anything"):
        stored.loads(f"\x80\x02c{module}\nAnything\n)\x81.".encode("latin-1"))
    assert module not in sys.modules


@pytest.mark.parametrize(
    "key",
    [
        "__class__",
        "__dict__",
        "__array_interface__",
        "predict",  # a method
        "predict_proba",  # a descriptor of scikit-learn's
        "n_support_",  # a property
        "_impl",  # a constant of the class that says which compiled model it is
        "_parameter_constraints",
        "not a name",
        "",
        3,
        ("a", "b"),
    ],
)
def test_no_attribute_hides_a_part_of_the_class(key: Any) -> None:
    content = {**state(SVC()), key: "nu_svc"}
    with pytest.raises(stored.Damaged, match="plain names|by its class"):
        filled(SVC, content)


@pytest.mark.parametrize(
    "content",
    [None, (None, {"__class__": Ridge}), ({}, {"coef_": 1}), [("coef_", 1)], "text", Bunch(a=1)],
)
def test_a_state_is_a_dict(content: Any) -> None:
    with pytest.raises(stored.Damaged, match="should be a dict"):
        filled(SVC, content)


def test_a_parameter_may_have_its_value_in_the_class_too() -> None:
    fitted = LassoLars(positive=True).fit(X, NUMBER)
    assert filled(LassoLars, state(fitted)).positive is True


def test_a_class_is_neither_asked_nor_called() -> None:
    def called(*_arguments: Any, **_keywords: Any) -> Any:
        raise AssertionError

    hooks = dict.fromkeys(("__new__", "__init__", "__setstate__"), called)
    kind = type("Ridge", (Ridge,), {**hooks, "__module__": Ridge.__module__})
    content = {"alpha": 2.0, "_sklearn_version": importlib.import_module("sklearn").__version__}
    assert vars(filled(kind, content)) == {"alpha": 2.0}


@pytest.mark.parametrize("version", ["1.2.3", "9.0"])
def test_another_scikit_learn_is_told_by_its_version(version: str) -> None:
    with pytest.raises(stored.OtherVersion, match=version):
        filled(Ridge, {**state(Ridge()), "_sklearn_version": version})


@pytest.mark.parametrize("version", [None, 3, "x" * 300])
def test_a_state_without_a_version_is_damaged(version: Any) -> None:
    with pytest.raises(stored.Damaged, match="which scikit-learn has written it"):
        filled(Ridge, {**state(Ridge()), "_sklearn_version": version})


def test_an_isotonic_regression_gets_its_function_again_and_no_other() -> None:
    fitted = IsotonicRegression().fit(X[:, 0], NUMBER)
    loaded = filled(IsotonicRegression, {**state(fitted), "f_": np.log1p})
    assert np.array_equal(loaded.predict(np.sort(X[:, 0])), fitted.predict(np.sort(X[:, 0])))
    for thresholds in (None, "text", np.array([1.0]), np.array(["a"] * 60), [[1.0, 2.0]]):
        with pytest.raises(stored.Damaged, match="do not fit together"):
            filled(IsotonicRegression, {**state(fitted), "X_thresholds_": thresholds})


@pytest.mark.parametrize("kind", [BaseEstimator.__mro__[1], int, dict, SVC.__mro__[2]])
def test_only_classes_that_can_be_empty_are_made(kind: type) -> None:
    if kind in (int, dict) or getattr(kind, "__abstractmethods__", None):
        with pytest.raises(stored.Damaged, match="not a class that a file holds"):
            classes.empty(kind)
    else:
        assert type(classes.empty(kind)) is kind


def test_a_bunch_has_no_keys_that_numpy_takes_for_an_address() -> None:
    window = Bunch(
        __array_interface__={"data": (id(X), False), "shape": (8,), "typestr": "|u1", "version": 3}
    )
    assert len(np.asarray(window)) == 8  # this is how bytes of the process would be read
    with pytest.raises(stored.Damaged, match="Bunch"):
        stored.loads(pickle.dumps(window))


# trust


class Mine(LogisticRegression):  # type: ignore[misc] # scikit-learn has no types
    """A class of a user's own."""


class Other:
    """Another class of the same module."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __setstate__(self, content: dict[str, Any]) -> None:
        Path(content["mark"]).touch()


class Called:
    """What an estimator does not do: a call with arguments."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> tuple[Any, ...]:
        return Called, (self.mark,)


def own(name: str) -> str:
    """The path of a class of this file."""
    return f"{__name__}.{name}"


def test_a_trusted_class_is_loaded_and_it_alone(tmp_path: Path) -> None:
    fitted = Mine().fit(X, X[:, 0] > 0)
    data = pickle.dumps([fitted, RandomForestClassifier(2)])
    with pytest.raises(stored.Refused, match=own("Mine")):
        stored.loads(data)
    loaded, _ = stored.loads(data, [own("Mine")])
    assert np.array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    both = pickle.dumps([fitted, Other(tmp_path / "mark")])
    with pytest.raises(stored.Refused, match=own("Other")) as refused:
        stored.loads(both, [own("Mine")])
    assert refused.value.names == [own("Other")]
    assert not (tmp_path / "mark").exists()
    stored.loads(both, [own("Mine"), own("Other")])
    assert (tmp_path / "mark").exists()  # its own __setstate__ is what trusting it means


@pytest.mark.parametrize(
    "trusted",
    [__name__, "tests", own("own"), own("Mine.fit"), "builtins", "os.system", "pathlib.Path"],
)
def test_trusting_a_module_or_function_or_another_class_trusts_nothing(
    trusted: str, tmp_path: Path
) -> None:
    for thing in (Mine(), Called(tmp_path), Other(tmp_path / "mark")):
        with pytest.raises((stored.Refused, stored.Damaged)):
            stored.loads(pickle.dumps(thing), [trusted])
    assert not (tmp_path / "mark").exists()


def test_a_trusted_class_is_not_called_with_arguments() -> None:
    for code in (
        f"c{__name__}\nCalled\n(S'x'\ntR.",
        f"c{__name__}\nCalled\n(S'x'\nt\x81.",
        f"(S'x'\ni{__name__}\nCalled\n.",
    ):
        with pytest.raises((stored.Refused, stored.Damaged)):
            stored.loads(b"\x80\x02" + code.encode("latin-1"), [own("Called")])
    with pytest.raises((stored.Refused, stored.Damaged)):
        stored.loads(pickle.dumps(Called(Path("mark"))), [own("Called")])


def test_a_class_may_be_trusted_by_the_name_that_its_package_gives_it() -> None:
    data = b"\x80\x02cunittest.result\nTestResult\n)\x81}b."
    for trusted in ("unittest.TestResult", "unittest.result.TestResult"):
        assert type(stored.loads(data, [trusted])) is unittest.TestResult
    with pytest.raises(stored.Refused, match=r"unittest.result.TestResult"):
        stored.loads(data, ["unittest.TestCase"])


def test_a_function_that_is_trusted_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(state))
    with pytest.raises(
        UserError,
        match=rf"`trust` names {own('state')}, which is not a class here",
    ):
        load_original(path, [own("state")])


@pytest.mark.parametrize("entry", ["lightgbm", "", "a..b", "a.b c", "os.system()", ".Ridge"])
def test_an_entry_that_is_no_path_of_a_class_is_one_line(entry: str) -> None:
    with pytest.raises(
        UserError,
        match=r"params.yaml: train.trust.1 should name a class as package.module.Class, got",
    ):
        parse_params(default_params(train__trust=["sklearn.svm.SVC", entry]))


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        ("RandomForestClassifier", ("a.B",)),
        ("sklearn.svm.SVC", ("a.B",)),
        ("lightgbm.LGBMClassifier", ("a.B", "lightgbm.LGBMClassifier")),
    ],
)
def test_the_estimator_that_is_fitted_here_is_trusted_it_alone(
    estimator: str, expected: tuple[str, ...]
) -> None:
    assert (
        parse_params(default_params(train__trust=["a.B"], train__estimator=estimator)).train.trusted
        == expected
    )


def test_kernels_and_other_parts_take_their_state() -> None:
    assert stored.loads(pickle.dumps(ConstantKernel(3.0))).constant_value == 3.0
