"""Estimators that answer as the one inside them does."""

from __future__ import annotations

from typing import Any


def unwrapped(estimator: Any) -> Any:
    """What answers in the place of a fitted search, frozen, self-trained or RANSAC's estimator, or feature elimination.

    Feature elimination (RFE, RFECV) becomes a pipeline of the choice of columns and the estimator behind it. A pipeline is
    unwrapped at its last step. Any other estimator comes back as it is.
    """
    from sklearn.feature_selection import RFE
    from sklearn.frozen import FrozenEstimator
    from sklearn.linear_model import RANSACRegressor
    from sklearn.model_selection._search import BaseSearchCV
    from sklearn.pipeline import Pipeline
    from sklearn.semi_supervised import SelfTrainingClassifier

    if isinstance(estimator, Pipeline):
        last = estimator.steps[-1][1]
        inside = unwrapped(last)
        return (
            estimator
            if inside is last
            else Pipeline([*estimator.steps[:-1], (estimator.steps[-1][0], inside)])
        )
    if isinstance(estimator, BaseSearchCV):
        return unwrapped(estimator.best_estimator_)
    if isinstance(estimator, FrozenEstimator):
        return unwrapped(estimator.estimator)
    if isinstance(estimator, (RANSACRegressor, SelfTrainingClassifier)):
        return unwrapped(estimator.estimator_)
    if isinstance(estimator, RFE) and hasattr(estimator.estimator_, "predict"):
        return Pipeline(
            [("columns", _choice(estimator)), ("estimator", unwrapped(estimator.estimator_))]
        )
    return estimator


def _choice(elimination: Any) -> Any:
    """A transformer that keeps the same columns; skl2onnx would take the elimination itself for a classifier."""
    from sklearn.feature_selection import VarianceThreshold

    result = VarianceThreshold()
    result.variances_, result.n_features_in_ = (
        elimination.support_.astype(float),
        elimination.n_features_in_,
    )
    return result
