"""Choices of columns (SelectFromModel, SelectKBest, RFE, …), whose converter in skl2onnx 1.20 fails on the first column alone."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from onnxpress.conversion.container_writer import ContainerWriter

ZIPMAP = {"zipmap": [True, False, "columns"]}
"""skl2onnx's pipelines give this option to every classifier, and eliminations of a classifier's columns are such."""


@cache
def register() -> None:
    """Put the converter in the place of skl2onnx's, for this process; calling it again changes nothing."""
    from skl2onnx.common._registration import register_converter

    kinds = (
        "GenericUnivariateSelect",
        "SelectFdr",
        "SelectFpr",
        "SelectFromModel",
        "SelectFwe",
        "SelectKBest",
    )
    for name in (*kinds, "SelectPercentile", "VarianceThreshold", "RFE", "RFECV"):
        register_converter(
            f"Sklearn{name}",
            _convert,
            overwrite=True,
            options=ZIPMAP if name.startswith("RFE") else None,
        )


def _convert(scope: Any, operator: Any, container: Any) -> None:
    columns = np.flatnonzero(operator.raw_operator.get_support())
    if not len(columns):
        raise ValueError(f"{type(operator.raw_operator).__name__} has chosen no column")
    writer = ContainerWriter(scope, container)
    index = writer.constant(columns.astype(np.int64), "column_indices")
    given, chosen = operator.inputs[0].full_name, operator.outputs[0].full_name
    writer.add_ml("ArrayFeatureExtractor", given, index, output=chosen)
