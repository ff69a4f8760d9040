"""Predictions behind scikit-learn's interface, which its scorers ask."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if


class AnsweringRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Answers with given numbers, whatever it is asked."""

    def __init__(self, values: NDArray[Any]) -> None:
        """Keep the answers (rows,), or (rows, targets)."""
        self.values = values

    def predict(self, _rows: Any) -> NDArray[Any]:
        """Return the numbers."""
        return self.values


class AnsweringClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Answers with given labels and scores, whatever it is asked.

    Labels are numbers from 0; of two classes, 1 is the positive one.
    """

    def __init__(
        self,
        n_classes: int,
        values: NDArray[Any],
        probabilities: NDArray[np.float64] | None = None,
        decisions: NDArray[np.float64] | None = None,
    ) -> None:
        """Keep labels (rows,), and probabilities or decision scores (rows, classes)."""
        self.n_classes = n_classes
        self.values = values
        self.probabilities = probabilities
        self.decisions = decisions

    @property
    def classes_(self) -> NDArray[np.int64]:
        """The classes: 0, 1, ..."""
        return np.arange(self.n_classes)

    def predict(self, _rows: Any) -> NDArray[Any]:
        """Return the labels (rows,)."""
        return self.values

    @available_if(lambda self: self.probabilities is not None)  # type: ignore[untyped-decorator] # scikit-learn has no types
    def predict_proba(self, _rows: Any) -> NDArray[np.float64]:
        """Return the probabilities (rows, classes)."""
        return np.asarray(self.probabilities)

    @available_if(lambda self: self.decisions is not None)  # type: ignore[untyped-decorator] # scikit-learn has no types
    def decision_function(self, _rows: Any) -> NDArray[np.float64]:
        """Return the decision scores: (rows,) for two classes, else (rows, classes)."""
        scores = np.asarray(self.decisions)
        return scores[:, 1] - scores[:, 0] if scores.shape[1:] == (2,) else scores
