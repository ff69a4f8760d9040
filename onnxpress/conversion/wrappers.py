"""Take the estimator out of those that only predict with the one inside them."""

from __future__ import annotations

from typing import Any

from onnxpress.estimators.booster_objects import as_booster


def unwrapped(estimator: Any) -> Any:
    """Return what predicts in the place of ``estimator``.

    1. A search gives its best estimator, a frozen estimator the one inside, self-training and
       RANSAC the one that they have fitted.
    2. Feature elimination (RFE, RFECV) becomes a pipeline: the choice of columns, the estimator.
    3. A pipeline is unwrapped at its last step.
    4. An object of a booster's own class becomes the estimator of its native bytes.
    5. Any other estimator comes back as it is.
    """
    from sklearn.feature_selection import RFE
    from sklearn.frozen import FrozenEstimator
    from sklearn.linear_model import RANSACRegressor
    from sklearn.model_selection._search import BaseSearchCV
    from sklearn.pipeline import Pipeline
    from sklearn.semi_supervised import SelfTrainingClassifier

    if isinstance(estimator, BaseSearchCV):
        return unwrapped(estimator.best_estimator_)
    if isinstance(estimator, FrozenEstimator):
        return unwrapped(estimator.estimator)
    if isinstance(estimator, (RANSACRegressor, SelfTrainingClassifier)):
        return unwrapped(estimator.estimator_)
    if isinstance(estimator, RFE) and hasattr(estimator.estimator_, "predict"):
        inside = unwrapped(estimator.estimator_)
        return Pipeline([("columns", _choice(estimator)), ("estimator", inside)])
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inside = unwrapped(last)
        if inside is not last:
            return Pipeline([*estimator.steps[:-1], (name, inside)])
    return as_booster(estimator)


def _choice(elimination: Any) -> Any:
    """Make a transformer that keeps the same columns.

    skl2onnx would take the elimination itself for a classifier.
    """
    from sklearn.feature_selection import VarianceThreshold

    result = VarianceThreshold()
    result.variances_ = elimination.support_.astype(float)
    result.n_features_in_ = elimination.n_features_in_
    return result
