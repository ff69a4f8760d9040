"""The bench of nets: its nets are what it says, and its table has what was measured."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from sklearn.datasets import load_digits

from bench import nets
from onnxpress.conversion.converting import to_onnx
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.verdicts import Outcome


@pytest.fixture(scope="module")
def case() -> nets.Case:
    """A net small enough to try everything on."""
    parts = nets.parts_of(*load_digits(return_X_y=True))
    net = nets.fitted(parts[0], (48,), max_iter=20)
    schema = nets.schema_of(64)
    return nets.Case("small", net, to_onnx(net, schema, nets.OPSET), schema, *parts)


def test_no_row_is_both_learned_from_and_tested(case: nets.Case) -> None:
    x = load_digits(return_X_y=True)[0]
    parts = [part.feeds["X"] for part in (case.train, case.calibration, case.test)]
    assert sum(map(len, parts)) == len(x)
    assert len({row.tobytes() for part in parts for row in part}) == len(np.unique(x, axis=0))


def test_the_table_has_a_line_for_each_scored_candidate(case: nets.Case) -> None:
    choice = nets.chosen(case)
    lines = nets.section(case, choice, 1.0)
    scored = [verdict for verdict in choice.verdicts if verdict.model]
    assert len([line for line in lines if line.startswith("| ")]) == len(scored) + 1
    assert any("chosen" in line for line in lines) == (choice.chosen is not None)
    within = {verdict.name for verdict in scored if verdict.outcome is Outcome.WITHIN_BUDGET}
    assert "dense/int8" in within | {choice.candidate}


def test_the_convolutional_net_is_one() -> None:
    case = nets.convolutional()
    onnx.checker.check_model(case.model, full_check=True)
    assert [node.op_type for node in case.model.graph.node].count("Conv") == 3
    assert nets.correct(to_bytes(case.model), case.test) > 0.9
