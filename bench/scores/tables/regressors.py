"""Regressors: small and large targets, alone and behind other steps, on columns of many scales."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bench.scores.case import Case, maker
from bench.scores.tables.classifiers import CHEAP_TREES

POSITIVE = {
    "GammaRegressor",
    "PoissonRegressor",
    "TweedieRegressor",
    "HistGradientBoostingRegressor(poisson)",
}
"""They take targets above 0."""

LINEAR = (
    *(
        "ARDRegression",
        "BayesianRidge",
        "ElasticNet",
        "ElasticNetCV",
        "HuberRegressor",
        "Lars",
        "LarsCV",
        "Lasso",
    ),
    *(
        "LassoCV",
        "LassoLars",
        "LassoLarsCV",
        "LassoLarsIC",
        "LinearRegression",
        "OrthogonalMatchingPursuit",
    ),
    *(
        "OrthogonalMatchingPursuitCV",
        "PassiveAggressiveRegressor",
        "QuantileRegressor",
        "RANSACRegressor",
        "Ridge",
    ),
    *("RidgeCV", "SGDRegressor", "TheilSenRegressor", "TweedieRegressor"),
)


def cases() -> Iterator[Case]:
    """Every regressor on every kind of data that suits it."""
    for name, make in makers().items():
        small = "small positive" if {name, name.split("(")[0]} & POSITIVE else "small"
        yield from (
            Case(name, make, data) for data in (small, f"{small} bad", "large", "large bad")
        )
        yield Case(name, make, f"{small} bad", "scaled")
        yield Case(name, make, "large", "scaled")
        yield Case(name, make, f"{small} missing", "imputed")


def makers() -> dict[str, Callable[[], Any]]:
    """Unfitted estimators by the name they are shown under."""
    from sklearn import (
        compose,
        cross_decomposition,
        dummy,
        ensemble,
        gaussian_process,
        kernel_ridge,
        linear_model,
        neighbors,
        neural_network,
        svm,
        tree,
    )

    return dict(
        [
            *(maker(getattr(linear_model, name)) for name in LINEAR),
            maker(linear_model.GammaRegressor, max_iter=1000),
            maker(linear_model.PoissonRegressor, max_iter=1000),
            maker(linear_model.TweedieRegressor, "power 1.5", power=1.5, link="log", max_iter=1000),
            maker(linear_model.TweedieRegressor, "identity", power=0, link="identity"),
            maker(cross_decomposition.PLSRegression),
            maker(cross_decomposition.PLSRegression, "unscaled", scale=False, n_components=3),
            maker(cross_decomposition.PLSCanonical, n_components=1),
            maker(cross_decomposition.CCA, n_components=1),
            maker(dummy.DummyRegressor),
            maker(ensemble.ExtraTreesRegressor, **CHEAP_TREES),
            maker(ensemble.RandomForestRegressor, **CHEAP_TREES),
            maker(ensemble.GradientBoostingRegressor, **CHEAP_TREES),
            maker(ensemble.GradientBoostingRegressor, "huber", loss="huber", **CHEAP_TREES),
            maker(ensemble.GradientBoostingRegressor, "init zero", init="zero", **CHEAP_TREES),
            maker(ensemble.HistGradientBoostingRegressor, max_iter=8),
            maker(ensemble.HistGradientBoostingRegressor, "poisson", max_iter=8, loss="poisson"),
            maker(gaussian_process.GaussianProcessRegressor, alpha=0.1),
            maker(
                gaussian_process.GaussianProcessRegressor, "normalised", alpha=0.1, normalize_y=True
            ),
            maker(kernel_ridge.KernelRidge),
            maker(neighbors.KNeighborsRegressor),
            maker(neighbors.KNeighborsRegressor, "distance", weights="distance"),
            maker(neighbors.KNeighborsRegressor, "manhattan", metric="manhattan"),
            maker(neighbors.RadiusNeighborsRegressor, radius=4.0),
            maker(neural_network.MLPRegressor, hidden_layer_sizes=(8,), max_iter=100),
            maker(
                neural_network.MLPRegressor,
                "tanh",
                activation="tanh",
                hidden_layer_sizes=(8,),
                max_iter=100,
            ),
            maker(svm.LinearSVR),
            maker(svm.NuSVR),
            maker(svm.SVR),
            maker(svm.SVR, "linear", kernel="linear", max_iter=10000),
            maker(svm.SVR, "poly", kernel="poly"),
            maker(compose.TransformedTargetRegressor),
            maker(tree.DecisionTreeRegressor),
            maker(tree.ExtraTreeRegressor),
        ]
    )
