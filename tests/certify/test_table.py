"""The table of runtimes, in the command's lines, the report and the model card."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.certify.certifying import Certificate
from onnxpress.certify.comparing import Finding, Outcome, finding
from onnxpress.certify.replaying import Answer
from onnxpress.certify.table import HEADINGS, markdown, summary, table
from onnxpress.runtimes import runtime_of
from onnxpress.tracking.card import RUNTIMES, model_card
from tests.report.test_report import page

LABELS, SCORES = np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
EQUAL = finding((LABELS, SCORES), Answer("", (LABELS, SCORES), 1.25, 0.0625))
DIFFERENT = finding((LABELS, SCORES), Answer("", (1 - LABELS, SCORES / 2), 2.0, 0.5))
OTHER_SHAPE = finding((LABELS, SCORES), Answer("", (LABELS, SCORES[:, :1]), 2.0, 0.5))
FAILS = finding((LABELS, SCORES), Answer("no kernel for <TreeEnsemble>"))
NOT_TRIED = Finding(Outcome.NOT_TRIED, "npm is not installed here")
MODELS = {"model.onnx": b"one", "model_quantized.onnx": b"other"}
FOUND = {
    "onnxruntime==1.20.1": (EQUAL, FAILS),
    "openvino==2026.4.1": (DIFFERENT, OTHER_SHAPE),
    "onnxruntime-web==1.30.0": (NOT_TRIED, NOT_TRIED),
}


def content() -> dict[str, Any]:
    found = {runtime_of(name): dict(zip(MODELS, each, strict=True)) for name, each in FOUND.items()}
    return Certificate(MODELS, {"test": 2, "probe": 1}, found).to_json()


def test_a_row_of_the_table_has_a_cell_for_each_heading() -> None:
    rows = table(content())
    assert {len(row) for row in rows} == {len(HEADINGS)}
    assert [row[:2] for row in rows] == [(name, model) for name in FOUND for model in MODELS]
    assert [row[2:] for row in rows] == [
        ("answers equally", "3 of 3", "0", "1.25", "0.0625", ""),
        ("does not run", "-", "-", "-", "-", "no kernel for <TreeEnsemble>"),
        ("answers differently", "0 of 3", "0.45", "2", "0.5", ""),
        ("answers differently", "0 of 3", "-", "2", "0.5", ""),
        ("not tried", "-", "-", "-", "-", "npm is not installed here"),
        ("not tried", "-", "-", "-", "-", "npm is not installed here"),
    ]


def test_the_report_shows_the_table() -> None:
    text = page(runtimes=content())
    assert "2 test rows and 1 probe rows, compared with onnxruntime==" in text
    shown = text[text.index('id="runtimes"') : text.index('id="environment"')]
    assert shown.count("<tr>") == 1 + len(FOUND) * len(MODELS)
    assert '<td class="prose">no kernel for &lt;TreeEnsemble&gt;</td>' in shown
    assert "<td>answers differently</td><td>0 of 3</td><td>0.45</td>" in shown
    assert 'id="runtimes"' not in page()


def test_the_model_card_shows_the_results_without_times() -> None:
    lines = [
        "| runtime | model.onnx | model_quantized.onnx |",
        "|---|---|---|",
        "| onnxruntime==1.20.1 | answers equally | does not run |",
        (
            "| openvino==2026.4.1 | answers differently on 3 of 3 rows "
            "| answers differently on 3 of 3 rows |"
        ),
        "| onnxruntime-web==1.30.0 | not tried | not tried |",
    ]
    assert markdown(content()) == lines
    assert "\n".join(["", RUNTIMES, "", *lines, ""]) in model_card("t", {}, "s", "acc", content())
    assert RUNTIMES not in model_card("t", {}, "s", "acc")


def test_the_lines_name_each_reason_once_and_count_for_each_model() -> None:
    assert summary(content()) == [
        "onnxruntime==1.20.1: does not run: model_quantized.onnx: no kernel for <TreeEnsemble>",
        (
            "onnxruntime-web==1.30.0: not tried: model.onnx, model_quantized.onnx: "
            "npm is not installed here"
        ),
        "model.onnx answers equally in 1, answers differently in 1, not tried in 1 of 3 runtimes",
        (
            "model_quantized.onnx does not run in 1, answers differently in 1, not tried in 1 of 3 "
            "runtimes"
        ),
    ]
