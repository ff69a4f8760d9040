"""LightGBM's text files against lightgbm's own predictions."""

from __future__ import annotations

import re
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from onnxpress.boosters.model import Unreadable, Unsupported
from onnxpress.boosters.readers import read_booster
from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.booster_estimator import BoosterClassifier, BoosterRegressor
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.sessions import open_session
from tests.boosters.compared import BAR, compared, leaf_sum, schema_of
from tests.boosters.probes import absolute_sums


def table(rows: int = 400) -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({name: random.normal(size=rows).astype(np.float32) for name in "abc"})
    frame.loc[random.random(rows) < 0.2, "b"] = np.nan
    return frame


def test_a_regression_is_the_library_s_own() -> None:
    frame = table()
    target = frame["a"] * 2 - frame["b"].fillna(1)
    trained = lightgbm.train(
        {"objective": "regression", "verbosity": -1, "num_threads": 1},
        lightgbm.Dataset(frame, target),
        20,
    )
    data = trained.model_to_string().encode()
    found = compared("lightgbm", data, frame, None)
    assert np.array_equal(found.library[:, 0], trained.predict(frame))
    limit = BAR * leaf_sum(read_booster("lightgbm", data))
    assert np.abs(found.library - found.onnx).max() <= limit


def test_two_classes_with_texts() -> None:
    frame = table()
    random = np.random.default_rng(1)
    frame["d"] = random.choice(["x", "y", "z"], len(frame)).astype(object)
    target = (frame["a"] > 0) ^ (frame["d"] == "y")
    typed = frame.assign(d=frame["d"].astype("category"))
    trained = lightgbm.train(
        {"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_per_group": 1},
        lightgbm.Dataset(typed, target),
        20,
    )
    rows = frame.copy()
    rows.loc[:4, "d"] = ["", "new", "x", "y", "z"]
    found = compared("lightgbm", trained.model_to_string().encode(), rows, ("no", "yes"))
    known = rows.assign(
        d=pd.Categorical(rows["d"].where(rows["d"].isin(["x", "y", "z"])), ["x", "y", "z"])
    )
    expected: Any = trained.predict(known)
    assert np.array_equal(found.library[:, 1], expected)
    assert np.abs(found.library - found.onnx).max() <= BAR
    assert found.labels is not None
    assert found.labels.tolist() == np.where(expected > 0.5, "yes", "no").tolist()


def test_a_booster_at_the_end_of_a_pipeline() -> None:
    frame = table()[["a", "c"]]
    matrix = frame.to_numpy(np.float32)
    scaler = StandardScaler().fit(matrix)
    scaled = scaler.transform(matrix)
    trained = lightgbm.train(
        {"objective": "binary", "verbosity": -1, "num_threads": 1},
        lightgbm.Dataset(scaled, frame["a"] > 0),
        5,
    )
    booster = BoosterClassifier("lightgbm", trained.model_to_string().encode(), ("0", "1"), (3, 5))
    pipeline = Pipeline([("scale", scaler), ("booster", booster)])
    schema = schema_of(frame, "classification")
    session = open_session(to_bytes(to_onnx(pipeline, schema, 12)))
    label, probabilities = session.run(None, {"X": matrix})
    assert np.abs(probabilities[:, 1] - trained.predict(scaled)).max() <= BAR
    assert np.array_equal(label, pipeline.predict(matrix))


def without_sizes(text: str) -> str:
    """An edited file: LightGBM reads trees at the places that follow from their sizes."""
    return re.sub("tree_sizes=.*\n", "", text)


def small(rows: pd.DataFrame, target: Any, rounds: int = 3, **parameters: Any) -> str:
    fixed = {"verbosity": -1, "num_threads": 1, "deterministic": True}
    data = lightgbm.Dataset(rows, target)
    return str(lightgbm.train(fixed | parameters, data, rounds).model_to_string())


def test_the_trees_of_the_best_iteration_alone_are_read() -> None:
    frame = table()
    target = frame["a"] + np.random.default_rng(3).normal(size=len(frame))
    halves = [lightgbm.Dataset(frame[place::2], target[place::2]) for place in (0, 1)]
    trained = lightgbm.train(
        {"objective": "regression", "verbosity": -1, "num_threads": 1, "learning_rate": 0.5},
        halves[0],
        50,
        valid_sets=[halves[1]],
        keep_training_booster=True,
        callbacks=[lightgbm.early_stopping(3, verbose=False)],
    )
    assert 0 < trained.best_iteration < trained.current_iteration()
    data = trained.model_to_string().encode()
    assert len(read_booster("lightgbm", data).trees) == trained.best_iteration
    found = compared("lightgbm", data, frame, None)
    assert np.array_equal(found.library[:, 0], trained.predict(frame))
    assert np.abs(found.library - found.onnx).max() <= BAR


def test_a_tree_of_one_leaf() -> None:
    frame = table(20)
    text = small(frame, np.arange(20.0) + 5, min_data_in_leaf=1000)
    assert [len(tree.split) for tree in read_booster("lightgbm", text.encode()).trees] == [1]
    found = compared("lightgbm", text.encode(), frame, None)
    assert found.onnx[:, 0].tolist() == [14.5] * 20


def test_the_third_version_of_the_format_is_read() -> None:
    frame = table()
    text = small(frame, frame["a"]).replace("version=v4", "version=v3").replace("is_linear=0\n", "")
    found = compared("lightgbm", without_sizes(text).encode(), frame, None)
    assert np.abs(found.library - found.onnx).max() <= BAR


def test_a_file_whose_trees_have_other_sizes_never_reaches_the_library() -> None:
    """lightgbm 4.7 ends the process by a signal when it reads such a file."""
    frame = table()
    text = small(frame, frame["a"]).replace("is_linear=0\n", "")
    booster = BoosterRegressor("lightgbm", text.encode(), ("a", "b", "c"))
    with pytest.raises(Unreadable, match="tree_sizes"):
        booster.predict(frame)


SPOILED = {
    "another file": ("tree\nversion", "wood\nversion", "should begin with the line `tree`"),
    "version": ("version=v4", "version=v2", "format v2"),
    "objective": ("objective=regression", "objective=mystery", "objective 'mystery'"),
    "option": ("objective=regression", "objective=regression cubed", "'cubed'"),
    "cut": ("end of trees", "", "is cut"),
    "line before the trees": ("label_index=0", "half_trees=1", "`half_trees=1`"),
    "line of a tree": ("shrinkage=1", "sine_leaves=1", "`sine_leaves=1`"),
    "outputs": ("num_tree_per_iteration=1", "num_tree_per_iteration=2", "2 trees an iteration"),
    "names": ("feature_names=a b c", "feature_names=a b", "3 names"),
    "child": ("left_child=", "left_child=7 ", "numbers in `left_child`"),
    "circle": ("left_child=1", "left_child=0", "one parent"),
    "feature": ("split_feature=0", "split_feature=9", "a feature above 2"),
    "words": ("num_leaves=4", "num_leaves=four", "number in `num_leaves`"),
    "text": ("leaf_value=", "leaf_value=x", "no whole LightGBM file"),
    "missing": ("decision_type=2", "decision_type=14", "decision types"),
    "categories": ("decision_type=2", "decision_type=1", "without its set"),
    "infinite": ("leaf_value=", "leaf_value=inf ", "numbers in `leaf_value`"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_what_is_not_known_is_refused_by_name(case: str) -> None:
    frame = table()
    text = small(frame, frame["a"], objective="regression", num_leaves=4)
    found, instead, line = SPOILED[case]
    assert found in text
    with pytest.raises((Unreadable, Unsupported), match=re.escape(line)):
        read_booster("lightgbm", without_sizes(text.replace(found, instead, 1)).encode())


def test_zeros_that_are_missing_in_some_splits_only_are_refused() -> None:
    frame = table()
    text = small(frame, frame["a"], num_leaves=4)
    spoiled = without_sizes(text.replace("decision_type=2", "decision_type=6", 1))
    with pytest.raises(Unsupported, match="in some splits only"):
        read_booster("lightgbm", spoiled.encode())


def test_categories_of_unknown_columns_are_refused() -> None:
    frame = table()
    frame["d"] = pd.Categorical(np.tile(["x", "y"], 200), ["x", "y"], ordered=True)
    with pytest.raises(Unsupported, match="1 pandas columns and names 0"):
        read_booster("lightgbm", small(frame, frame["a"]).encode())


def test_every_cut_of_a_file_is_refused() -> None:
    frame = table(60)
    frame["d"] = pd.Categorical(np.tile(["x", "y", "z"], 20))
    text = small(frame, frame["a"], 1, num_leaves=3, min_data_in_leaf=2, min_data_per_group=2)
    end = text.index("end of trees")
    for place in range(0, end, 7):
        with pytest.raises((Unreadable, Unsupported)):
            read_booster("lightgbm", text[:place].encode())


def test_hundreds_of_trees_are_as_exact_as_a_few() -> None:
    """Added one after the other in float32, these are off by 1.4e-6 of the sum."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(2000, 4)).astype(np.float32), columns=list("abcd"))
    target = frame["a"] * frame["b"] + frame["c"].abs() + random.normal(size=2000) / 4
    data = small(frame, target, 300, objective="regression").encode()
    found = compared("lightgbm", data, frame, None)
    sums = absolute_sums(read_booster("lightgbm", data), frame)
    assert np.all(np.abs(found.library - found.onnx) <= BAR / 2 * sums)


def test_an_object_of_lightgbm_converts_alone_and_inside_others() -> None:
    frame = table()[["a", "c"]]
    matrix, labels = frame.to_numpy(np.float32), np.where(frame["a"] > 0, "yes", "no")
    alone = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1).fit(matrix, labels)
    again = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1)
    stacked = StackingClassifier([("one", again)], LogisticRegression(), cv=3).fit(matrix, labels)
    schema = schema_of(frame, "classification")
    for estimator in (alone, stacked):
        session = open_session(to_bytes(to_onnx(estimator, schema, 12)))
        label, probabilities = session.run(None, {"X": matrix})
        assert np.abs(probabilities - estimator.predict_proba(matrix)).max() <= BAR
        assert np.array_equal(label, np.asarray(estimator.predict(matrix)))
