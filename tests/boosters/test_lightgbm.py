"""LightGBM's text files against lightgbm's own predictions."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from onnxpress.boosters.readers import read_booster
from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.booster_estimator import BoosterClassifier
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.sessions import open_session
from tests.boosters.compared import BAR, compared, leaf_sum, schema_of


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
