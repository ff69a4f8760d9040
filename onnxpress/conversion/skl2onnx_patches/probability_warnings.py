"""Converting a support vector machine does not warn of scikit-learn's deprecated attributes.

Symptom: skl2onnx reads probA_ and probB_ of every SVC, and scikit-learn 1.9 warns that they will
    go: the user sees a FutureWarning of code that is not the user's.
Versions: skl2onnx 1.20
Test: TODO
Delete when: skl2onnx no longer reads probA_ and probB_.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silenced() -> Iterator[None]:
    """Ignore these warnings within the context."""
    message = "Attribute `prob[AB]_` was deprecated"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=message, category=FutureWarning)
        yield
