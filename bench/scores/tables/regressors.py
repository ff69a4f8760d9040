"""Regressors: small and large targets, alone and behind other steps, on columns of many scales."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from bench.scores.case import Case
from bench.scores.tables.classifiers import CHEAP_TREES

POSITIVE = {"GammaRegressor", "PoissonRegressor", "TweedieRegressor", "HistGradientBoostingRegressor(poisson)"}
"""They take targets above 0."""


def cases() -> Iterator[Case]:
    """Every regressor on every kind of data that suits it."""
    for name, make in makers().items():
        if name.split("(")[0] in POSITIVE or name in POSITIVE:
            small = "small positive"
        else:
            small = "small"
        yield from (Case(name, make, data) for data in (small, f"{small} bad", "large", "large bad"))
        yield Case(name, make, f"{small} bad", "scaled")
        yield Case(name, make, "large", "scaled")
        yield Case(name, make, f"{small} missing", "imputed")


def makers() -> dict[str, Callable[[], Any]]:
    """Unfitted estimators by the name they are shown under."""
    from sklearn import compose, cross_decomposition, dummy, ensemble, gaussian_process, kernel_ridge
    from sklearn import linear_model, neighbors, neural_network, svm, tree

    found: dict[str, Callable[[], Any]] = {}

    def add(model: Any, note: str = "", **arguments: Any) -> None:
        if "random_state" in model._get_param_names():
            arguments = {"random_state": 0} | arguments
        found[model.__name__ + (f"({note})" if note else "")] = partial(model, **arguments)

    for name in (
        *("ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lars", "LarsCV", "Lasso"),
        *("LassoCV", "LassoLars", "LassoLarsCV", "LassoLarsIC", "LinearRegression", "OrthogonalMatchingPursuit"),
        *("OrthogonalMatchingPursuitCV", "PassiveAggressiveRegressor", "QuantileRegressor", "RANSACRegressor", "Ridge"),
        *("RidgeCV", "SGDRegressor", "TheilSenRegressor", "TweedieRegressor"),
    ):
        add(getattr(linear_model, name))
    add(linear_model.GammaRegressor, max_iter=1000)
    add(linear_model.PoissonRegressor, max_iter=1000)
    add(linear_model.TweedieRegressor, "power 1.5", power=1.5, link="log", max_iter=1000)
    add(linear_model.TweedieRegressor, "identity", power=0, link="identity")
    add(cross_decomposition.PLSRegression)
    add(cross_decomposition.PLSRegression, "unscaled", scale=False, n_components=3)
    add(cross_decomposition.PLSCanonical, n_components=1)
    add(cross_decomposition.CCA, n_components=1)
    add(dummy.DummyRegressor)
    add(ensemble.ExtraTreesRegressor, **CHEAP_TREES)
    add(ensemble.RandomForestRegressor, **CHEAP_TREES)
    add(ensemble.GradientBoostingRegressor, **CHEAP_TREES)
    add(ensemble.GradientBoostingRegressor, "huber", loss="huber", **CHEAP_TREES)
    add(ensemble.GradientBoostingRegressor, "init zero", init="zero", **CHEAP_TREES)
    add(ensemble.HistGradientBoostingRegressor, max_iter=8)
    add(ensemble.HistGradientBoostingRegressor, "poisson", max_iter=8, loss="poisson")
    add(gaussian_process.GaussianProcessRegressor, alpha=0.1)
    add(gaussian_process.GaussianProcessRegressor, "normalised", alpha=0.1, normalize_y=True)
    add(kernel_ridge.KernelRidge)
    add(neighbors.KNeighborsRegressor)
    add(neighbors.KNeighborsRegressor, "distance", weights="distance")
    add(neighbors.KNeighborsRegressor, "manhattan", metric="manhattan")
    add(neighbors.RadiusNeighborsRegressor, radius=4.0)
    add(neural_network.MLPRegressor, hidden_layer_sizes=(8,), max_iter=100)
    add(neural_network.MLPRegressor, "tanh", activation="tanh", hidden_layer_sizes=(8,), max_iter=100)
    add(svm.LinearSVR)
    add(svm.NuSVR)
    add(svm.SVR)
    add(svm.SVR, "linear", kernel="linear", max_iter=10000)
    add(svm.SVR, "poly", kernel="poly")
    add(compose.TransformedTargetRegressor)
    add(tree.DecisionTreeRegressor)
    add(tree.ExtraTreeRegressor)
    return found
