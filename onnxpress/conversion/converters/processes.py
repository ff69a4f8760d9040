"""Refuse classifiers of Gaussian processes by name.

skl2onnx 1.20 writes two classes of whole numbers with an operator (Solve) that onnxruntime does not
have, and stops at texts and further classes with messages about its own code. Its probabilities are
sums of error functions with weights of up to 3,516, and onnxruntime computes Erf in float32 alone.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NoReturn

from onnxpress.conversion.registering import replace_converters


@cache
def register() -> None:
    """Replace skl2onnx's converter, for this process; calling it again changes nothing."""
    from sklearn.gaussian_process import GaussianProcessClassifier

    replace_converters([GaussianProcessClassifier], lambda _original: _refuse)


def _refuse(scope: Any, operator: Any, container: Any) -> NoReturn:
    raise NotImplementedError(
        "onnxruntime has no operators that compute the probabilities of a Gaussian process"
    )
