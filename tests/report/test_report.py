from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from onnxpress.pipeline.console import screen
from onnxpress.pipeline.outputs import PICTURES
from onnxpress.report.page import SingleRows, Stale, render
from onnxpress.report.summary import conclusion, print_summary
from onnxpress.tables.rows import Rows
from tests.conftest import numeric_schema
from tests.support.certificates import certificate
from tests.support.plot_fixtures import measured, quantization
from tests.support.results import DETAIL, LATENCY, METRICS
from tests.support.single_rows import deciding, worst


def printed(capsys: pytest.CaptureFixture[str], metrics: dict[str, float], **others: Any) -> str:
    results: dict[str, Any] = {
        "metrics": metrics,
        "metrics_detail": DETAIL,
        "latency": LATENCY,
        "quantization": {"summary": "forest/refined-8x3 chosen", "min_onnxruntime": "1.3"},
        "gate": {"max_size_ratio": {"passed": True}, "max_drop.score": {"passed": None}},
        "mlflow_run": {
            "run_id": "abc",
            "experiment": "lab",
            "tracking_uri": "sqlite:////somewhere/mlflow.db",
        },
    }
    print_summary(
        screen(),
        "a forest on iris",
        {name: value for name, value in (results | others).items() if value is not None},
    )
    return capsys.readouterr().out


def test_releases_that_answer_wrongly_are_named() -> None:
    quantization = {
        "summary": "chosen",
        "min_onnxruntime": "1.3",
        "max_onnxruntime": "1.32.0",
        "bad_onnxruntime": ["1.26.0", "1.27.0"],
        "untried_operators": ["Conv-11"],
    }
    assert conclusion(quantization).endswith(
        "in onnxruntime 1.3 to 1.32.0, but not in 1.26.0, 1.27.0; Conv-11 was not tried in them"
    )
    many = quantization | {"bad_onnxruntime": ["1.4", "1.5", "1.6", "1.7", "1.8"]}
    assert "but not in 1.4 ... 1.8 (5 in all)" in conclusion(many)
    assert conclusion({"summary": "chosen", "min_onnxruntime": "unknown"}).endswith(
        "that runs it is not known"
    )


def row(text: str, name: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if f" {name} " in line.replace("│", " ")]
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_each_model_has_a_line_with_its_size_latency_score_and_agreement(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = printed(capsys, METRICS)
    assert row(text, "scikit-learn") == [
        "scikit-learn",
        "163.8",
        "-",
        "4.5",
        "-",
        "0.9000",
        "-",
        "-",
    ]
    assert row(text, "ONNX, quantised")[1:] == [
        "1.1",
        "-99.3 %",
        "0.0148",
        "304x",
        "0.9333",
        "3.33 % (\N{LESS-THAN OR EQUAL TO}14.9)",
        "10 %",
    ]


def test_the_caption_says_how_many_thresholds_the_probes_hit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "thresholds hit" not in printed(capsys, METRICS)
    text = printed(capsys, {**METRICS, "probe_thresholds": 98, "probe_thresholds_hit": 97})
    assert "ms: median latency of 30 rows in one call; probes: 97 of 98 thresholds hit" in text


def test_the_caption_says_what_the_bound_is_and_how_many_rows_a_bound_of_one_percent_takes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = "a bound of 1 % takes 299 test rows or more"
    assert words in " ".join(printed(capsys, METRICS).split())
    assert words not in " ".join(printed(capsys, {**METRICS, "test_rows": 299}).split())
    assert 0.99**299 <= 0.05 < 0.99**298  # no disagreement on n rows has the chance (1 - share)^n


def test_a_regression_shows_r2_and_what_is_undefined_is_a_dash(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sizes = {key: value for key, value in METRICS.items() if "size" in key or key == "test_rows"}
    scores = {f"{model}_r2": 0.5 for model in ("original", "onnx", "quantized")}
    detail = DETAIL | {"score": {"name": "r2", "positive": None}}
    metrics = {**sizes, **scores, "onnx_within_tolerance": 1.0}
    text = printed(capsys, metrics, metrics_detail=detail)
    assert "beyond tolerance" in text
    assert "r2" in text
    assert row(text, "ONNX, quantised")[-3:] == ["0.5000", "-", "-"]


def test_gates_that_passed_are_counted_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, METRICS)
    assert "1 gate passed: max_size_ratio" in text
    assert "\x1b" not in text


def test_a_failed_gate_is_shown_and_the_published_run_is_called_an_earlier_state(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed = {"max_size_ratio": {"passed": False}, "max_drop.score": {"passed": True}}
    text = printed(capsys, METRICS, gate=failed)
    assert "1 gate passed: max_drop.score; 1 gate FAILED: max_size_ratio" in text
    assert "not published; an earlier state is MLflow run abc" in text


def test_a_chain_that_did_not_come_as_far_as_the_gates_has_a_summary(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = printed(capsys, METRICS, gate=None, mlflow_run=None)
    assert "no gate was applied yet" in text
    assert "not published" in text


# --- the page ---

SCHEMA = numeric_schema(2)
TEST = Rows({"X": np.arange(12, dtype=np.float32).reshape(6, 2)}, np.zeros(6))


def columns(target: str, original: str, quantized: str) -> dict[str, Any]:
    texts = {"target": target, "original": original, "onnx": original, "quantized": quantized}
    return {name: np.array(text.split()) for name, text in texts.items()}


def test_rows_that_quantisation_made_wrong_come_first_and_those_it_made_right_last() -> None:
    found = worst(columns("a a a b b b", "a c c b b c", "a a d b a b"), TEST, SCHEMA)
    assert [row[0] for row in found.rows] == ["4", "2", "1", "5"]
    assert found.rows[0] == ["4", "b", "b", "b", "a", "8", "9"]
    assert found.headings == [
        "test row",
        "true target",
        "original",
        "ONNX",
        "ONNX, quantised",
        "f0",
        "f1",
    ]
    assert found.summary.startswith("On 4 of 6 test rows the quantised model's prediction differs")


def test_of_a_regression_the_largest_differences_come_first() -> None:
    found = worst(
        columns("1 1 1 1 1 1", "1 2 3 4 5 6", "1 2.5 1 4 5.1 6"),
        TEST,
        numeric_schema(2, "regression"),
    )
    assert [row[0] for row in found.rows] == ["2", "1", "4"]


def test_many_rows_and_columns_are_cut_and_that_is_said() -> None:
    test = Rows({"X": np.zeros((50, 64), np.float32)}, np.zeros(50))
    found = worst(columns("a " * 50, "a " * 50, "b " * 50), test, numeric_schema(64))
    assert (len(found.rows), {len(row) for row in found.rows}) == (20, {17})
    assert found.summary.endswith("shown: the 20 worst rows and the first 12 of 64 columns.")


def page(**others: Any) -> str:
    found = worst(columns("a <b>", "a <b>", "a a"), TEST.take(np.arange(2)), SCHEMA)
    results = {
        "metrics": METRICS,
        "metrics_detail": DETAIL,
        "latency": LATENCY,
        "quantization": quantization(1.0, 3),
        "latency_detail": measured(3),
    }
    results |= others
    answers = columns("a <b>", "a <b>", "a a")
    pictures = dict.fromkeys(PICTURES, b"\x89PNG")
    return render(
        "a <forest> on iris",
        "scikit-learn",
        results,
        pictures,
        SingleRows(deciding(results["metrics_detail"], answers, "target"), found),
        [],
        Stale([], "dvc repro"),
    )


def test_names_of_the_users_are_text_and_never_markup() -> None:
    text = page()
    assert "a &lt;forest&gt; on iris" in text
    assert "<td>&lt;b&gt;</td>" in text
    assert "A CPU &lt;of&gt; 3 GHz" in text
    assert "so &amp; so" in text


def test_the_page_has_no_address_of_anything_else_and_no_script() -> None:
    assert not re.search(r"https?:|<script|@import|url\(", page())


def test_every_verdict_on_a_gate_is_shown_with_its_reason() -> None:
    verdicts = {
        "max_size_ratio": {
            "limit": 0.1,
            "value": 0.26,
            "passed": False,
            "reason": "the size is 0.26",
        },
        "min_onnx_speedup": {"limit": None, "value": None, "passed": None},
    }
    text = page(gate=verdicts)
    assert re.search(
        r"max_size_ratio</td><td>0.1</td><td>0.26</td>\s+<td>-</td>\s+"
        r"<td class=\"text failed\">FAILED</td>",
        text,
    )
    assert "the size is 0.26" in text
    assert re.search(
        r"min_onnx_speedup</td><td>-</td><td>-</td>\s+<td>-</td>\s+<td class=\"text\">off</td>",
        text,
    )
    assert "No gate was applied yet" in page()


def test_what_became_of_the_models_in_other_runtimes_is_a_table() -> None:
    text = page(runtimes=certificate())
    assert "2 test rows and 1 probe rows, compared with onnxruntime==" in text
    shown = text[text.index('id="runtimes"') : text.index('id="environment"')]
    assert shown.count("<tr>") == 1 + 6
    assert '<td class="prose">no kernel for &lt;TreeEnsemble&gt;</td>' in shown
    assert "<td>answers differently</td><td>0 of 3</td><td>0.45</td>" in shown
    assert 'id="runtimes"' not in page()
