"""What is chosen for a model of the digits, scored on held-out rows."""

from __future__ import annotations

import onnx

from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.candidates import Candidate
from onnxpress.quantize.choice import Choice, choose
from onnxpress.quantize.options import Objective, Options
from onnxpress.quantize.terms import terms_of
from onnxpress.quantize.trials import held_out
from tests.conftest import digits_rows, numeric_schema

TRAIN, CALIBRATION = digits_rows(0, 1000), digits_rows(1000)


def chosen(
    model: onnx.ModelProto,
    candidates: list[Candidate],
    max_drop: float = 0.0,
    objective: Objective = "size",
) -> Choice:
    """What is chosen for a model of the digits, scored on held-out rows."""
    plain = to_bytes(model)
    trials = held_out(plain, TRAIN, CALIBRATION)
    budgets = {"score": max_drop, "recall_worst_loss": None}
    options = Options(objective=objective, budgets=budgets)
    terms = terms_of(options, numeric_schema(64), plain, trials)
    return choose(plain, candidates, trials, terms, options)


def outcomes(choice: Choice) -> dict[str, str]:
    return {verdict.name: verdict.outcome for verdict in choice.verdicts}
