"""Verdicts of gates as tags of a registered version."""

from __future__ import annotations

from onnxpress.tracking.registry import gate_tags


def test_a_gate_that_the_test_rows_are_too_few_for_is_no_passed_gate() -> None:
    few = {"limit": 0.05, "value": None, "passed": None, "too_few_rows": True, "note": "..."}
    kept = {"limit": 1.0, "value": 0.26, "passed": True}
    tags = gate_tags({"max_drop.recall_worst_loss": few, "max_size_ratio": kept})
    assert tags == {
        "gate.max_drop.recall_worst_loss": "not judged, too few test rows (limit 0.05)",
        "gate.max_size_ratio": "passed, 0.26 (limit 1)",
    }
    assert gate_tags({"min_onnx_speedup": {"limit": None, "value": 3, "passed": None}}) == {
        "gate.min_onnx_speedup": "off"
    }
