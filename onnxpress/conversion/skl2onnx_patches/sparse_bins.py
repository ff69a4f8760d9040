"""KBinsDiscretizer converts with one-hot bins in a sparse matrix.

Symptom: skl2onnx refuses encode="onehot", scikit-learn's default, and takes "onehot-dense" alone,
    though both are the same matrix in ONNX.
Versions: skl2onnx 1.20
Test: tests/conversion/test_skl2onnx_patches.py::test_bins_may_be_sparse
Delete when: skl2onnx converts KBinsDiscretizer(encode="onehot").
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

from onnxpress.conversion.registering import Converter, replace_converters


@cache
def register() -> None:
    """Wrap the converter, for this process; calling it again changes nothing."""
    from sklearn.preprocessing import KBinsDiscretizer

    replace_converters([KBinsDiscretizer], _of_dense_bins)


def _of_dense_bins(original: Converter) -> Converter:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        bins = operator.raw_operator
        if bins.encode == "onehot":
            operator.raw_operator = copy.copy(bins)
            operator.raw_operator.encode = "onehot-dense"
        original(scope, operator, container)

    return convert
