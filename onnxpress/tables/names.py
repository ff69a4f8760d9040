"""Names of inputs and outputs of every ONNX model that onnxpress writes."""

from __future__ import annotations

import re
from collections.abc import Sequence

NUMERIC_INPUT = "X"
"""The input of a model whose columns are all numbers."""

OUTPUT_NAMES = "label", "probabilities", "scores", "prediction"
LABEL, PROBABILITIES, SCORES, PREDICTION = OUTPUT_NAMES
"""A classifier has a label and probabilities (scores if it has no predict_proba), a regressor a
prediction."""

_LIKE_AN_OUTPUT = re.compile(f"({'|'.join(OUTPUT_NAMES)})(_input)*")


def input_name(column: str) -> str:
    """Return the ONNX input of a column: its own name, plus ``_input`` if an output has that.

    A column that is already called like such an input gets one more ``_input``, so that no two
    columns share an input: ``label`` becomes ``label_input``, and that ``label_input_input``.
    """
    return f"{column}_input" if _LIKE_AN_OUTPUT.fullmatch(column) else column


def column_name(name: str) -> str:
    """Return the column of an ONNX input."""
    return name.removesuffix("_input") if _LIKE_AN_OUTPUT.fullmatch(name) else name


def predicted_columns(model: str, targets: Sequence[str]) -> list[str]:
    """Return the heads of the columns of predictions.csv for a model, or for ``target``.

    >>> predicted_columns("onnx", ["price"]), predicted_columns("onnx", ["price", "area"])
    (['onnx'], ['onnx.price', 'onnx.area'])
    """
    return [model] if len(targets) == 1 else [f"{model}.{name}" for name in targets]
