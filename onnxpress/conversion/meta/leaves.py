"""Predict with members that skl2onnx converts, in the ONNX graph of a meta-estimator."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from onnxpress.conversion.converters.discriminant import log_posterior
from onnxpress.conversion.meta.values import TWO, Inputs, Values
from onnxpress.estimators.booster_estimator import BoosterClassifier


class Leaves(Values):
    """Write each such member once, as an operator of its own, and name what it predicts."""

    def leaf_probabilities(self, estimator: Any, inputs: Inputs) -> str:
        """See Members.probabilities."""
        return str(self._operator(estimator, inputs)[1].onnx_name)

    def leaf_values(self, estimator: Any, inputs: Inputs) -> str:
        """See Members.values."""
        name = str(self._operator(estimator, inputs)[0].onnx_name)
        return name if _has_several_targets(estimator) else self.column(name)

    def leaf_places(self, estimator: Any, inputs: Inputs) -> str:
        """See Members.places."""
        label, classes = self._operator(estimator, inputs)[0].onnx_name, estimator.classes_
        if classes.dtype.kind in "UO":
            places = self.add_ml(
                "LabelEncoder",
                label,
                version=2,
                output=self.name("places"),
                keys_strings=[str(name) for name in classes],
                values_int64s=list(range(len(classes))),
            )
            return self.flat(places)
        if np.array_equal(classes, np.arange(len(classes))):
            return self.flat(label)
        same = self.add("Equal", self.column(label), self.constant(classes.astype(np.int64)))
        return self.best(self.single(same))

    def leaf_decisions(self, estimator: Any, inputs: Inputs) -> str:
        """See Members.decisions."""
        from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
        from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
        from sklearn.linear_model._base import LinearClassifierMixin
        from sklearn.svm import SVC, NuSVC

        if isinstance(estimator, LinearClassifierMixin):
            return self._linear(estimator, inputs)
        if isinstance(estimator, (SVC, NuSVC)):
            return self._machine(estimator, inputs)
        if isinstance(estimator, QuadraticDiscriminantAnalysis):
            posterior = log_posterior(estimator, self.matrix(inputs), self)
            return self.difference(posterior) if len(estimator.classes_) == TWO else posterior
        boosting = GradientBoostingClassifier, HistGradientBoostingClassifier, BoosterClassifier
        if isinstance(estimator, boosting):
            return self._boosted(estimator, inputs)
        raise NotImplementedError(f"the decision function of the {type(estimator).__name__} inside")

    def _operator(self, estimator: Any, inputs: Inputs) -> list[Any]:
        """Declare an operator of its own; return its outputs: label and scores, or values."""
        from skl2onnx._parse import _parse_sklearn_simple_model
        from skl2onnx._supported_operators import sklearn_operator_name_map as known

        if type(estimator) not in known:
            name = type(estimator).__name__
            raise NotImplementedError(f"there is no converter for the {name} inside")
        estimator = self._whole(estimator)
        key = ("operator", id(estimator), *(variable.onnx_name for variable in inputs))
        if key not in self._written:
            outputs = _parse_sklearn_simple_model(self._scope, estimator, list(inputs))
            self._written[key] = outputs, estimator  # which is kept alive: its id is the key
        return list(self._written[key][0])

    def _whole(self, estimator: Any) -> Any:
        """Return the estimator, or a copy with whole numbers in the place of other classes."""
        classes = getattr(estimator, "classes_", None)
        if getattr(classes, "dtype", np.dtype(int)).kind in "bf":
            return self._changed(estimator, _with_whole_classes)
        return estimator

    def _linear(self, estimator: Any, inputs: Inputs) -> str:
        weights = estimator.coef_
        weights = np.atleast_2d(weights.toarray() if hasattr(weights, "toarray") else weights)
        offsets = np.broadcast_to(estimator.intercept_, len(weights))
        constants = [self.constant(np.asarray(values, np.float32)) for values in (weights, offsets)]
        return self.add("Gemm", self.matrix(inputs), *constants, transB=1)

    def _machine(self, estimator: Any, inputs: Inputs) -> str:
        plain = self._changed(estimator, _without_probabilities)
        return self._decisions_among_scores(plain, inputs)

    def _boosted(self, estimator: Any, inputs: Inputs) -> str:
        raw = self._changed(self._whole(estimator), copy.copy)  # first: options go by identity
        for store in (self._scope, self._container):
            store.add_options(id(raw), {"raw_scores": True})
        return self._decisions_among_scores(raw, inputs)

    def _decisions_among_scores(self, estimator: Any, inputs: Inputs) -> str:
        scores = self._operator(estimator, inputs)[1].onnx_name
        return self.pick(scores, [1]) if len(estimator.classes_) == TWO else str(scores)

    def _changed(self, estimator: Any, change: Callable[[Any], Any]) -> Any:
        """Change a copy of the estimator, the same one each time: skl2onnx's options go by id."""
        key = ("changed", change, id(estimator))
        if key not in self._written:
            self._written[key] = change(estimator)
        return self._written[key]


def _has_several_targets(estimator: Any) -> bool:
    """Whether a fitted regressor predicts several numbers for a row of zeros."""
    try:
        return np.size(estimator.predict(np.zeros((1, estimator.n_features_in_)))) > 1
    except Exception:  # of a row of zeros, as of other texts: each estimator has its own
        return False


def _without_probabilities(machine: Any) -> Any:
    """Copy a support vector classifier so that it converts to its decisions."""
    result = copy.copy(machine)
    result.probability, result._probA, result._probB = False, np.empty(0), np.empty(0)
    return result


def _with_whole_classes(estimator: Any) -> Any:
    """Copy a classifier of classes 0.0 and 1.0, or False and True, so that they are 0 and 1."""
    result, classes = copy.copy(estimator), estimator.classes_.astype(np.int64)
    if isinstance(result, BoosterClassifier):
        result.classes = tuple(classes.tolist())
    else:
        result.classes_ = classes
    return result
