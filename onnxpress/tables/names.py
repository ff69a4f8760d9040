"""Names of inputs and outputs of every ONNX model that onnxpress writes."""

from __future__ import annotations

import re

NUMERIC_INPUT = "X"

OUTPUT_NAMES = "label", "probabilities", "scores", "prediction"
LABEL, PROBABILITIES, SCORES, PREDICTION = OUTPUT_NAMES
"""Output names of every ONNX model: label and probabilities (or scores, without predict_proba), or prediction."""

_LIKE_AN_OUTPUT = re.compile(f"({'|'.join(OUTPUT_NAMES)})(_input)*")


def input_name(column: str) -> str:
    """The ONNX input of a column: its own name, but for names of outputs, which get ``_input`` behind them.

    So that two columns never share an input, a column that is called like such an input gets one more.
    """
    return f"{column}_input" if _LIKE_AN_OUTPUT.fullmatch(column) else column


def column_name(name: str) -> str:
    """The column of an ONNX input."""
    return name.removesuffix("_input") if _LIKE_AN_OUTPUT.fullmatch(name) else name
