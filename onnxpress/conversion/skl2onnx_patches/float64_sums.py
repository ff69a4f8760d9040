"""Gaussian processes and naive Bayes compute in float64, as scikit-learn does.

Symptom: skl2onnx computes them in float32. A Gaussian process sums many large terms of both signs
    (1e-4 of a prediction was lost); naive Bayes turns sums of hundreds into probabilities (3e-4).
Versions: skl2onnx 1.20
Test: tests/conversion/test_skl2onnx_patches.py::test_a_gaussian_process_loses_no_digits
Delete when: skl2onnx's own converters of these four classes compute in float64.
"""

from __future__ import annotations

from functools import cache

from onnxpress.conversion.converters.in_double import in_double
from onnxpress.conversion.registering import replace_converters


@cache
def register() -> None:
    """Wrap the converters, for this process; calling it again changes nothing."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB

    models = GaussianProcessRegressor, BernoulliNB, ComplementNB, MultinomialNB
    replace_converters(models, in_double)
