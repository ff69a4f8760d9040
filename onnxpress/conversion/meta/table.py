"""Which part writes which meta-estimator."""

from __future__ import annotations

from functools import cache
from typing import Any

from onnxpress.conversion.meta.adaptive_boosting import AdaptiveBoosting
from onnxpress.conversion.meta.bagging import Bagging
from onnxpress.conversion.meta.calibrated import Calibrated
from onnxpress.conversion.meta.one_vs import OneVsOne, OneVsRest, OutputCode
from onnxpress.conversion.meta.part import Part
from onnxpress.conversion.meta.stacking import Stacking
from onnxpress.conversion.meta.thresholded import Thresholded
from onnxpress.conversion.meta.transformed_target import TransformedTarget
from onnxpress.conversion.meta.voting import Voting


@cache
def parts() -> dict[type, Part]:
    """Return the part of each class of meta-estimators."""
    from sklearn import ensemble, multiclass
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

    return {
        ensemble.AdaBoostClassifier: AdaptiveBoosting(),
        ensemble.AdaBoostRegressor: AdaptiveBoosting(),
        ensemble.BaggingClassifier: Bagging(),
        ensemble.BaggingRegressor: Bagging(),
        CalibratedClassifierCV: Calibrated(),
        multiclass.OneVsRestClassifier: OneVsRest(),
        multiclass.OneVsOneClassifier: OneVsOne(),
        multiclass.OutputCodeClassifier: OutputCode(),
        ensemble.StackingClassifier: Stacking(),
        ensemble.StackingRegressor: Stacking(),
        FixedThresholdClassifier: Thresholded(),
        TunedThresholdClassifierCV: Thresholded(),
        TransformedTargetRegressor: TransformedTarget(),
        ensemble.VotingClassifier: Voting(),
        ensemble.VotingRegressor: Voting(),
    }


def part_of(estimator: Any) -> Part | None:
    """Return the part that writes ``estimator``; None if skl2onnx converts it.

    A class derived from one of the table counts as that one.
    """
    for base, part in parts().items():
        if isinstance(estimator, base):
            return part
    return None
