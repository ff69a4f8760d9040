"""Meta-estimators over members of each kind, with their options, and some within others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np

from bench.scores.case import Case
from bench.scores.rows import data_of

Make = Callable[[], Any]
SEEDED: dict[str, Any] = {"random_state": 0}
DATA = ("two strings", "three ints", "two ints", "three strings", "two odd ints", "three odd ints")
TARGETS = ("small", "large")
FITTED = "three ints"
"""The data of what is fitted before it is put inside."""


def cases() -> Iterator[Case]:
    """Every meta-estimator over every member that it takes."""
    turns = cycle(DATA), cycle(TARGETS)
    for name, make in _classifiers().items():
        first, second = next(turns[0]), next(turns[0])
        if "threshold" in name:
            first, second = "two strings", "two strings" if "positive" in name else "two odd ints"
        elif "self training" in name:
            first, second = "two ints", "three odd ints"
        elif "frozen" in name:
            first = second = FITTED
        yield Case(name, make, first)
        if "frozen" not in name:
            yield Case(name, make, second, "scaled")
    for name, make in _regressors().items():
        sizes = (
            ("small positive", "large")
            if "logarithmic" in name
            else (next(turns[1]), next(turns[1]))
        )
        yield Case(name, make, sizes[0])
        yield Case(name, make, sizes[1], "scaled")


def members() -> dict[str, Make]:
    """Classifiers to put inside, by a short name."""
    from sklearn import (
        discriminant_analysis,
        dummy,
        ensemble,
        linear_model,
        naive_bayes,
        neighbors,
        neural_network,
        svm,
        tree,
    )
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    few: dict[str, Any] = {"n_estimators": 4, "max_depth": 3, **SEEDED}
    return {
        "tree": partial(tree.DecisionTreeClassifier, max_depth=4, **SEEDED),
        "forest": partial(ensemble.RandomForestClassifier, **few),
        "gradient": partial(ensemble.GradientBoostingClassifier, **few),
        "histogram": partial(ensemble.HistGradientBoostingClassifier, max_iter=4, **SEEDED),
        "logistic": partial(linear_model.LogisticRegression),
        "ridge": partial(linear_model.RidgeClassifier),
        "hinge": partial(linear_model.SGDClassifier, **SEEDED),
        "log loss": partial(linear_model.SGDClassifier, loss="log_loss", **SEEDED),
        "perceptron": partial(linear_model.Perceptron, **SEEDED),
        "linear svc": partial(svm.LinearSVC, **SEEDED),
        "svc": partial(svm.SVC),
        "svc pairs": partial(svm.SVC, decision_function_shape="ovo"),
        "svc probability": partial(svm.SVC, probability=True, **SEEDED),
        "nu svc": partial(svm.NuSVC, nu=0.2),
        "lda": partial(discriminant_analysis.LinearDiscriminantAnalysis),
        "qda": partial(discriminant_analysis.QuadraticDiscriminantAnalysis),
        "bayes": partial(naive_bayes.GaussianNB),
        "neighbors": partial(neighbors.KNeighborsClassifier),
        "network": partial(
            neural_network.MLPClassifier, hidden_layer_sizes=(5,), max_iter=60, **SEEDED
        ),
        "dummy": partial(dummy.DummyClassifier),
        "pipeline": lambda: make_pipeline(StandardScaler(), linear_model.LogisticRegression()),
        "pipeline svc": lambda: make_pipeline(StandardScaler(), svm.SVC()),
    }


WEIGHTED = (
    "tree",
    "forest",
    "gradient",
    "logistic",
    "ridge",
    "hinge",
    "perceptron",
    "linear svc",
    "svc",
    "bayes",
    "dummy",
)
"""Members that AdaBoost can weight rows for."""
PROBABLE = (
    *(
        "tree",
        "forest",
        "gradient",
        "histogram",
        "logistic",
        "log loss",
        "svc probability",
        "lda",
        "qda",
        "bayes",
        "neighbors",
    ),
    *("network", "dummy", "pipeline"),
)
"""Members with ``predict_proba``."""
DECIDED = (
    *(
        "gradient",
        "histogram",
        "logistic",
        "ridge",
        "hinge",
        "log loss",
        "perceptron",
        "linear svc",
        "svc",
        "svc pairs",
    ),
    *("svc probability", "nu svc", "lda", "qda", "pipeline", "pipeline svc"),
)
"""Members with ``decision_function``."""
RANKING = ("tree", "forest", "gradient", "logistic", "ridge", "linear svc", "lda")
"""Members that tell columns' worth, as feature elimination asks."""


def _classifiers() -> dict[str, Make]:
    return {**_over_each(), **_combined(), **_nested()}


def _over_each() -> dict[str, Make]:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
    from sklearn.feature_selection import RFE
    from sklearn.model_selection import (
        FixedThresholdClassifier,
        GridSearchCV,
        TunedThresholdClassifierCV,
    )
    from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
    from sklearn.semi_supervised import SelfTrainingClassifier

    inside = members()
    found: dict[str, Make] = {}

    def add(note: str, names: Any, make: Callable[[Any], Any]) -> None:
        for name in names:
            found[f"{note} of {name}"] = partial(_over, make, inside[name])

    def calibrated(**arguments: Any) -> Callable[[Any], Any]:
        return lambda inner: CalibratedClassifierCV(inner, cv=3, **arguments)

    add("bagging", inside, lambda inner: BaggingClassifier(inner, 3, **SEEDED))
    some = {"max_features": 0.6, "bootstrap_features": True, **SEEDED}
    add("bagging of columns", inside, lambda inner: BaggingClassifier(inner, 3, **some))
    small = ("tree", "forest", "bayes", "neighbors", "dummy")  # the others refuse bags of one class
    add(
        "bagging of few rows",
        small,
        lambda inner: BaggingClassifier(inner, 9, max_samples=6, **SEEDED),
    )
    add("sigmoid", inside, calibrated(method="sigmoid"))
    add("sigmoid of all rows", inside, calibrated(method="sigmoid", ensemble=False))
    add("isotonic", inside, calibrated(method="isotonic"))
    add("isotonic of all rows", inside, calibrated(method="isotonic", ensemble=False))
    add("temperature", inside, calibrated(method="temperature"))
    add("temperature of all rows", inside, calibrated(method="temperature", ensemble=False))
    add("sigmoid of frozen", ("forest", "svc"), _of_frozen)
    add("one vs rest", inside, OneVsRestClassifier)
    add("one vs one", inside, OneVsOneClassifier)
    add(
        "adaptive boosting",
        WEIGHTED,
        lambda inner: AdaBoostClassifier(inner, n_estimators=4, **SEEDED),
    )
    add("self training", PROBABLE, SelfTrainingClassifier)
    add("threshold", PROBABLE, lambda inner: FixedThresholdClassifier(inner, threshold=0.3))
    add("threshold of decisions", DECIDED, _fixed_on_decisions)
    add(
        "tuned threshold",
        PROBABLE,
        lambda inner: TunedThresholdClassifierCV(inner, cv=3, thresholds=20),
    )
    add("elimination", RANKING, lambda inner: RFE(inner, n_features_to_select=3))
    add("search", ("tree", "svc", "pipeline"), lambda inner: GridSearchCV(inner, {}, cv=2))
    return found


def _over(make: Callable[[Any], Any], inner: Make) -> Any:
    return make(inner())


def _fixed_on_decisions(inner: Any) -> Any:
    from sklearn.model_selection import FixedThresholdClassifier

    return FixedThresholdClassifier(inner, threshold=-0.2, response_method="decision_function")


def _of_frozen(inner: Any) -> Any:
    """A classifier calibrated on other rows than it was fitted on."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    rows = data_of(FITTED).train.take(np.arange(100))
    return CalibratedClassifierCV(FrozenEstimator(inner.fit(rows.feeds["X"], rows.target)))


def _combined() -> dict[str, Make]:
    """Votes and stacks of several members."""
    from sklearn.ensemble import StackingClassifier, VotingClassifier

    inside = members()
    found: dict[str, Make] = {}

    def some(*names: str) -> list[tuple[str, Any]]:
        return [(name.replace(" ", "_"), inside[name]()) for name in names]

    def vote(note: str, *names: str, **arguments: Any) -> None:
        found[f"voting, {note}"] = lambda: VotingClassifier(
            some(*names), voting="soft", **arguments
        )

    def stack(note: str, *names: str, **arguments: Any) -> None:
        found[f"stacking, {note}"] = lambda: StackingClassifier(some(*names), cv=3, **arguments)

    for name in PROBABLE:
        vote(
            f"weights in a list, {name}",
            *dict.fromkeys((name, "bayes", "logistic", "tree")),
            weights=[3, 1, 0.5, 2][-3:],
        )
    vote("no weights", "tree", "logistic", "lda")
    found["voting, dropped"] = lambda: VotingClassifier(
        [("a", inside["tree"]()), ("b", "drop"), ("c", inside["logistic"]())],
        voting="soft",
        weights=[1, 5, 2],
    )
    for name in inside:
        other = "bayes" if name != "bayes" else "tree"
        stack(f"{name}", name, other)
        stack(f"{name} passed through", name, other, passthrough=True)
        stack(f"predict, {name}", name, other, stack_method="predict")
    for name in DECIDED:
        stack(
            f"decisions, {name}",
            name,
            "ridge" if name != "ridge" else "svc",
            stack_method="decision_function",
        )
    for name in PROBABLE:
        stack(
            f"probabilities, {name}",
            name,
            "tree" if name != "tree" else "bayes",
            stack_method="predict_proba",
        )
    for last in ("forest", "svc", "linear svc", "gradient", "pipeline svc", "neighbors", "ridge"):
        stack(f"then {last}", "tree", "bayes", "lda", final_estimator=inside[last]())
    for last in ("logistic", "svc"):
        found[f"stacking, dropped, then {last}"] = partial(
            _over,
            lambda inner: StackingClassifier(
                [("a", inside["tree"]()), ("b", "drop"), ("c", inside["lda"]())], inner, cv=3
            ),
            inside[last],
        )
    return found


def _nested() -> dict[str, Make]:
    """Meta-estimators within meta-estimators."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import (
        AdaBoostClassifier,
        BaggingClassifier,
        StackingClassifier,
        VotingClassifier,
    )
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import (
        FixedThresholdClassifier,
        GridSearchCV,
        RandomizedSearchCV,
        TunedThresholdClassifierCV,
    )
    from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler

    inside = members()
    made: dict[str, Make] = {
        "hard": lambda: VotingClassifier(
            [(name, inside[name]()) for name in ("tree", "logistic", "bayes", "svc")]
        ),
        "hard, weighted": lambda: VotingClassifier(
            [(name, inside[name]()) for name in ("tree", "logistic", "bayes", "lda")],
            weights=[0.1, 0.2, 0.3, 0.4],
        ),
        "soft": lambda: VotingClassifier(
            [(name, inside[name]()) for name in ("tree", "logistic")], voting="soft"
        ),
        "stack": lambda: StackingClassifier(
            [(name, inside[name]()) for name in ("tree", "ridge")], cv=2
        ),
        "bag": lambda: BaggingClassifier(inside["svc"](), 3, max_features=0.7, **SEEDED),
        "boost": lambda: AdaBoostClassifier(inside["tree"](), n_estimators=4, **SEEDED),
        "calibrated": lambda: CalibratedClassifierCV(inside["forest"](), cv=2),
        "rest": lambda: OneVsRestClassifier(inside["svc"]()),
        "pairs": lambda: OneVsOneClassifier(inside["logistic"]()),
        "codes": lambda: OutputCodeClassifier(inside["logistic"](), code_size=3, **SEEDED),
        "search": lambda: GridSearchCV(inside["pipeline svc"](), {"svc__C": [0.5, 2]}, cv=2),
        "drawn": lambda: RandomizedSearchCV(
            inside["tree"](), {"max_depth": [2, 3]}, n_iter=2, cv=2, **SEEDED
        ),
        "pipeline": lambda: make_pipeline(
            MinMaxScaler(), AdaBoostClassifier(inside["tree"](), n_estimators=3, **SEEDED)
        ),
    }
    found: dict[str, Make] = {}

    def stacked(inner: Any, **arguments: Any) -> Any:
        return StackingClassifier([("a", inner), ("b", inside["tree"]())], cv=2, **arguments)

    def add(note: str, name: str, make: Callable[[Any], Any]) -> None:
        found[f"{note} of {name}"] = partial(_over, make, made[name])

    labels_only, no_probabilities = (
        {"hard", "hard, weighted", "codes"},
        {"rest", "pairs", "search", "stack"},
    )
    decided = {"bag", "boost", "rest", "pairs", "search", "pipeline"}
    for name, make in made.items():
        add("bagging", name, lambda inner: BaggingClassifier(inner, 3, **SEEDED))
        add("stacking, predict", name, lambda inner: stacked(inner, stack_method="predict"))
        add("stacking", name, stacked)
        found[f"{name} alone"] = make
        if name not in labels_only:
            add("sigmoid", name, lambda inner: CalibratedClassifierCV(inner, cv=2))
            add("one vs rest", name, OneVsRestClassifier)
            add("one vs one", name, OneVsOneClassifier)
            add("threshold", name, lambda inner: FixedThresholdClassifier(inner, threshold=0.4))
            add(
                "tuned threshold",
                name,
                lambda inner: TunedThresholdClassifierCV(inner, cv=2, thresholds=20),
            )
        if name not in labels_only | no_probabilities:
            add(
                "voting",
                name,
                lambda inner: VotingClassifier(
                    [("a", inner), ("b", LogisticRegression())], voting="soft"
                ),
            )
        if name in decided:
            add("threshold of decisions", name, _fixed_on_decisions)
    for label in ("no", "yes"):
        arguments: dict[str, Any] = {"threshold": 0.3, "pos_label": label}
        found[f"threshold, {label} positive"] = partial(
            _over, partial(FixedThresholdClassifier, **arguments), inside["logistic"]
        )
        arguments = {**arguments, "response_method": "decision_function"}
        found[f"threshold of decisions, {label} positive"] = partial(
            _over, partial(FixedThresholdClassifier, **arguments), inside["svc"]
        )
    found["stacking, predict of threshold"] = lambda: StackingClassifier(
        [
            ("a", FixedThresholdClassifier(inside["bayes"](), threshold=0.8)),
            ("threshold", inside["tree"]()),
        ],
        cv=2,
        stack_method="predict",
    )
    return found


def _regressors() -> dict[str, Make]:
    from sklearn import ensemble, gaussian_process, linear_model, neighbors, svm, tree
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.feature_selection import RFE
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    few: dict[str, Any] = {"n_estimators": 4, "max_depth": 3, **SEEDED}
    inside: dict[str, Make] = {
        "tree": partial(tree.DecisionTreeRegressor, max_depth=4, **SEEDED),
        "forest": partial(ensemble.RandomForestRegressor, **few),
        "gradient": partial(ensemble.GradientBoostingRegressor, **few),
        "histogram": partial(ensemble.HistGradientBoostingRegressor, max_iter=4, **SEEDED),
        "ridge": partial(linear_model.Ridge),
        "huber": partial(linear_model.HuberRegressor),
        "bayesian": partial(linear_model.BayesianRidge),
        "svr": partial(svm.SVR),
        "linear svr": partial(svm.LinearSVR, **SEEDED),
        "neighbors": partial(neighbors.KNeighborsRegressor),
        "process": partial(gaussian_process.GaussianProcessRegressor, alpha=1.0),
        "pipeline": lambda: make_pipeline(StandardScaler(), linear_model.Ridge()),
    }
    found: dict[str, Make] = {}

    def add(note: str, make: Callable[[Any], Any]) -> None:
        for name, inner in inside.items():
            found[f"{note} of {name}"] = partial(_over, make, inner)

    def pair(inner: Any) -> list[tuple[str, Any]]:
        return [("a", inner), ("b", inside["tree"]())]

    some = {"max_features": 0.6, "bootstrap_features": True, **SEEDED}
    add("bagging", lambda inner: ensemble.BaggingRegressor(inner, 3, **SEEDED))
    add("bagging of columns", lambda inner: ensemble.BaggingRegressor(inner, 3, **some))
    add(
        "adaptive boosting",
        lambda inner: ensemble.AdaBoostRegressor(inner, n_estimators=5, **SEEDED),
    )
    add(
        "voting, weights in a list",
        lambda inner: ensemble.VotingRegressor(pair(inner), weights=[3, 1]),
    )
    add("stacking", lambda inner: ensemble.StackingRegressor(pair(inner), cv=2))
    add(
        "stacking, passed through",
        lambda inner: ensemble.StackingRegressor(pair(inner), cv=2, passthrough=True),
    )
    add(
        "standardised target",
        lambda inner: TransformedTargetRegressor(inner, transformer=StandardScaler()),
    )
    logarithm: dict[str, Any] = {"func": np.log1p, "inverse_func": np.expm1}
    found["logarithmic target of ridge"] = lambda: TransformedTargetRegressor(
        inside["ridge"](), **logarithm
    )
    found["logarithmic target of forest"] = lambda: TransformedTargetRegressor(
        inside["forest"](), **logarithm
    )
    found["bagging of standardised target"] = lambda: ensemble.BaggingRegressor(
        TransformedTargetRegressor(inside["tree"](), transformer=MinMaxScaler()), 3, **SEEDED
    )
    found["search of tree"] = lambda: GridSearchCV(inside["tree"](), {"max_depth": [2, 3]}, cv=2)
    found["elimination of ridge"] = lambda: RFE(inside["ridge"](), n_features_to_select=3)
    found["voting, dropped"] = lambda: ensemble.VotingRegressor(
        [("a", inside["tree"]()), ("b", "drop"), ("c", inside["ridge"]())], weights=[1, 5, 2]
    )
    found["stacking of voting"] = lambda: ensemble.StackingRegressor(
        [
            ("a", ensemble.VotingRegressor([("x", inside["tree"]()), ("y", inside["ridge"]())])),
            ("b", inside["pipeline"]()),
        ],
        cv=2,
    )
    found["voting of bagging"] = lambda: ensemble.VotingRegressor(
        [
            ("a", ensemble.BaggingRegressor(inside["pipeline"](), 3, **SEEDED)),
            ("b", ensemble.AdaBoostRegressor(n_estimators=3, **SEEDED)),
        ]
    )
    return found
