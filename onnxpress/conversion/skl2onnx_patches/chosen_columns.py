"""Choices of columns (SelectFromModel, SelectKBest, RFE and others) convert, whatever they choose.

Symptom: skl2onnx's converter fails when the first column alone is chosen; and its pipelines give
    RFE over a classifier the option zipmap, which the converter of RFE does not know.
Versions: skl2onnx 1.20
Test: tests/conversion/test_skl2onnx_patches.py::test_the_first_column_alone_may_be_chosen
Delete when: SelectKBest(k=1) that chooses the first column converts, and a pipeline with RFE does.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from onnxpress.conversion.container_writer import ContainerWriter

CHOICES = (
    "GenericUnivariateSelect",
    "SelectFdr",
    "SelectFpr",
    "SelectFromModel",
    "SelectFwe",
    "SelectKBest",
    "SelectPercentile",
    "VarianceThreshold",
)
ELIMINATIONS = ("RFE", "RFECV")
"""Take the option zipmap, as classifiers do."""

ZIPMAP = {"zipmap": [True, False, "columns"]}


@cache
def register() -> None:
    """Replace the converters, for this process; calling it again changes nothing."""
    from skl2onnx.common._registration import register_converter

    for name in CHOICES:
        register_converter(f"Sklearn{name}", _convert, overwrite=True)
    for name in ELIMINATIONS:
        register_converter(f"Sklearn{name}", _convert, overwrite=True, options=ZIPMAP)


def _convert(scope: Any, operator: Any, container: Any) -> None:
    columns = np.flatnonzero(operator.raw_operator.get_support())
    if not len(columns):
        raise ValueError(f"{type(operator.raw_operator).__name__} has chosen no column")
    writer = ContainerWriter(scope, container)
    index = writer.constant(columns.astype(np.int64), "column_indices")
    given, chosen = operator.inputs[0].full_name, operator.outputs[0].full_name
    writer.add_ml("ArrayFeatureExtractor", given, index, output=chosen)
