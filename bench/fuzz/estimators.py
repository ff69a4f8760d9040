"""Some thirty small fitted estimators and their files, one or more per kind of fitted state."""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

ROWS, COLUMNS = 60, 5
SEED = 0


@cache
def fitted() -> dict[str, Any]:
    """The estimators by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fits this small do not converge
        return dict(_fit())


@cache
def files() -> dict[str, bytes]:
    """Each estimator as joblib, pickle and skops files, by ``name.suffix``.

    Some joblib files are compressed.
    """
    import joblib
    import skops.io

    found: dict[str, bytes] = {}
    for number, (name, estimator) in enumerate(fitted().items()):
        for compress in (0, ("zlib", "gzip", "bz2", "lzma", "xz")[number % 5]):
            file = io.BytesIO()
            joblib.dump(estimator, file, compress=compress)
            found[f"{name}{'.z' if compress else ''}.joblib"] = file.getvalue()
        for protocol in (number % 6, 4):
            found[f"{name}.{protocol}.pkl"] = pickle.dumps(estimator, protocol)
        found[f"{name}.skops"] = skops.io.dumps(estimator)
    return found


def small_rows(estimator: Any) -> list[Any]:
    """A few rows in each form that an estimator of the table might take."""
    import pandas as pd

    try:
        width = getattr(estimator, "n_features_in_", COLUMNS)
    except Exception:  # a pipeline asks its first step, whatever that is
        width = COLUMNS
    width = width if isinstance(width, int) and 0 < width < 1000 else COLUMNS
    numbers = np.random.default_rng(SEED).normal(size=(3, width)).astype(np.float32)
    return [
        numbers,
        ["good", "bad"],
        pd.DataFrame({"n": [1.0, np.nan], "t": ["x", "?"], "k": ["q", "p"]}),
    ]


def _fit() -> Iterator[tuple[str, Any]]:
    from sklearn.base import clone

    random = np.random.default_rng(SEED)
    x = random.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    number = x[:, 0] + x[:, 1] ** 2
    classes = np.digitize(number, [0.0, 1.0])
    words = np.array(["low", "middle", "high"])[classes]
    for name, estimator in _unfitted().items():
        target = number if name.endswith(("Regressor", "Ridge", "SVR", "Lasso")) else classes
        yield name, clone(estimator).fit(x, words if name == "words" else target)
    yield (
        "text",
        _text().fit(["a good film", "a bad film", "bad", "good good"] * 5, [1, 0, 0, 1] * 5),
    )
    yield "frame", _of_frame()


def _unfitted() -> dict[str, Any]:
    from sklearn import ensemble, linear_model, naive_bayes, neighbors, neural_network, svm, tree
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.feature_selection import SelectKBest
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import (
        FunctionTransformer,
        KBinsDiscretizer,
        PowerTransformer,
        SplineTransformer,
        StandardScaler,
    )

    logistic = linear_model.LogisticRegression()
    return {
        "DecisionTreeClassifier": tree.DecisionTreeClassifier(random_state=SEED),
        "DecisionTreeRegressor": tree.DecisionTreeRegressor(
            max_depth=4, random_state=np.random.RandomState(SEED)
        ),
        "RandomForestClassifier": ensemble.RandomForestClassifier(3, random_state=SEED),
        "ExtraTreesRegressor": ensemble.ExtraTreesRegressor(2, random_state=SEED),
        "GradientBoostingClassifier": ensemble.GradientBoostingClassifier(
            n_estimators=2, random_state=SEED
        ),
        "GradientBoostingRegressor": ensemble.GradientBoostingRegressor(
            n_estimators=2, loss="huber", random_state=SEED
        ),
        "HistGradientBoostingClassifier": ensemble.HistGradientBoostingClassifier(
            max_iter=2, random_state=SEED
        ),
        "HistGradientBoostingRegressor": ensemble.HistGradientBoostingRegressor(
            max_iter=2, random_state=SEED
        ),
        "AdaBoostClassifier": ensemble.AdaBoostClassifier(n_estimators=2, random_state=SEED),
        "IsolationForest": ensemble.IsolationForest(n_estimators=2, random_state=SEED),
        "BaggingRegressor": ensemble.BaggingRegressor(linear_model.Ridge(), 2, random_state=SEED),
        "VotingClassifier": ensemble.VotingClassifier(
            [("a", logistic), ("b", naive_bayes.GaussianNB())], voting="soft"
        ),
        "StackingClassifier": ensemble.StackingClassifier(
            [("a", tree.DecisionTreeClassifier(max_depth=2))], logistic, cv=2
        ),
        "LogisticRegression": logistic,
        "words": linear_model.LogisticRegression(),
        "Ridge": linear_model.Ridge(),
        "Lasso": linear_model.Lasso(0.1),
        "SGDClassifier": linear_model.SGDClassifier(loss="log_loss", random_state=SEED),
        "GammaLikeRegressor": linear_model.TweedieRegressor(power=0),
        "SVC": svm.SVC(probability=False, random_state=SEED),
        "LinearSVC": svm.LinearSVC(random_state=SEED),
        "NuSVR": svm.NuSVR(),
        "KNeighborsClassifier": neighbors.KNeighborsClassifier(3, algorithm="kd_tree"),
        "BallTreeRegressor": neighbors.KNeighborsRegressor(
            3, algorithm="ball_tree", metric="manhattan"
        ),
        "GaussianNB": naive_bayes.GaussianNB(),
        "MLPClassifier": neural_network.MLPClassifier((4,), max_iter=5, random_state=SEED),
        "GaussianProcessRegressor": GaussianProcessRegressor(),
        "LinearDiscriminantAnalysis": LinearDiscriminantAnalysis(),
        "CalibratedClassifier": CalibratedClassifierCV(
            naive_bayes.GaussianNB(), method="isotonic", cv=2
        ),
        "GridSearch": GridSearchCV(
            linear_model.LogisticRegression(), {"C": [0.1, 1.0]}, cv=2, scoring="accuracy"
        ),
        "selected": make_pipeline(SelectKBest(k=2), FunctionTransformer(np.exp), logistic),
        "transformed": make_pipeline(
            PowerTransformer(), SplineTransformer(n_knots=3), StandardScaler(), logistic
        ),
        "binned": make_pipeline(
            KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), naive_bayes.BernoulliNB()
        ),
    }


def _text() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(TfidfVectorizer(), LogisticRegression())


def _of_frame() -> Any:
    import pandas as pd
    from sklearn.compose import ColumnTransformer, make_column_selector
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    frame = pd.DataFrame(
        {"n": np.arange(20.0), "t": ["x", "y", None, "z"] * 5, "k": ["p", "q"] * 10}
    )
    columns = ColumnTransformer(
        [
            ("n", SimpleImputer(), make_column_selector(dtype_include=np.number)),
            (
                "t",
                make_pipeline(
                    SimpleImputer(strategy="most_frequent"), OneHotEncoder(sparse_output=True)
                ),
                ["t"],
            ),
            ("k", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), ["k"]),
        ]
    )
    return make_pipeline(columns, SimpleImputer(), LogisticRegression()).fit(
        frame, np.arange(20) % 2
    )
