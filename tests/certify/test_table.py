"""The table of runtimes, in the command's lines and the model card."""

from __future__ import annotations

from onnxpress.certify.table import HEADINGS, markdown, summary, table
from onnxpress.tracking.card import RUNTIMES, model_card
from tests.support.certificates import FOUND, MODELS, certificate


def test_a_row_of_the_table_has_a_cell_for_each_heading() -> None:
    rows = table(certificate())
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
    assert markdown(certificate()) == lines
    assert "\n".join(["", RUNTIMES, "", *lines, ""]) in model_card(
        "t", {}, "s", "acc", certificate()
    )
    assert RUNTIMES not in model_card("t", {}, "s", "acc")


def test_the_lines_name_each_reason_once_and_count_for_each_model() -> None:
    assert summary(certificate()) == [
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
