"""What a reader of the MLflow UI sees first: a table of the models, the test data, how to load."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnxpress.certify.table import markdown
from onnxpress.models import MODELS
from onnxpress.tables.schema import Schema
from onnxpress.text import visible

COLUMNS = {
    "size (KB)": ("size_kb",),
    "{score}": ("{score}",),
    "agreement with the original": ("agreement", "within_tolerance"),
    "other answer, at most (95 % bound)": ("disagreement_upper",),
    "agreement at split thresholds": ("probe_agreement", "probe_within_tolerance"),
}
"""Headings of the card's table, and the metrics that fill them: classification, regression.

``{score}`` is the name of the score.
"""

RUNTIMES = "Replayed in other runtimes, against the onnxruntime that made them:"
LOAD = "Load the quantised model with `mlflow.pyfunc.load_model` from this run's `model`."
ROWS = "It takes raw rows in any form, matched by column name; null is missing."

PLAIN_WORDS = re.compile(r"[^\W_]+(?:[ _-][^\W_]+)*")
"""Text without any Markdown mark or address."""
LONGEST_NAME = 500
"""Characters of a dataset's name that servers accept."""
LONGEST_SCHEMA = 65_535
"""Characters of a dataset's schema that servers since MLflow 2.4 accept."""


def model_card(
    title: str,
    metrics: Mapping[str, float],
    summary: str,
    score: str,
    runtimes: Mapping[str, Any] | None = None,
) -> str:
    """Return a model card in Markdown; ``score`` is the name of the score.

    ``runtimes`` is what became of the ONNX models in other runtimes, if that was tried. Latency is
    left to the run's metrics, because it may be measured again later.
    """
    lines = [
        f"# {_plain(title)}",
        "",
        f"| model | {' | '.join(COLUMNS).format(score=score)} |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for model in MODELS:
        cells = [_cell(metrics, model, names, score) for names in COLUMNS.values()]
        lines.append(f"| {model} | {' | '.join(cells)} |")
    tried = [] if runtimes is None else ["", RUNTIMES, "", *markdown(runtimes)]
    return "\n".join([*lines, "", f"Quantisation: {summary}", *tried, "", LOAD, ROWS, ""])


def _cell(metrics: Mapping[str, float], model: str, names: tuple[str, ...], score: str) -> str:
    """Return the first of the model's metrics that is defined, or nothing."""
    for name in names:
        key = f"{model}_{name.format(score=score)}"
        if key in metrics:
            return f"{metrics[key]:.6g}"
    return ""


def _plain(text: str) -> str:
    """Return Markdown that shows ``text``, whatever is in it.

    Inside a code span nothing is a link, an image, HTML or an emoji.
    """
    shown = visible(text)
    if PLAIN_WORDS.fullmatch(shown):
        return shown
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    return f"{fence} {shown} {fence}"


def test_data(source: str, schema: Schema, rows: int, sha256: str) -> dict[str, Any]:
    """Describe the test rows in the fields of MLflow's ``Dataset``.

    ``source`` is the name of the data set or the path of its file, ``sha256`` the hex digest of
    the file with the test rows.
    """
    columns = [
        {"name": column.name, "type": "float" if column.kind == "number" else "string"}
        for column in schema.columns
    ]
    tensors = [
        {
            "name": column.name,
            "type": "tensor",
            "tensor-spec": {"dtype": column.dtype, "shape": [-1, *column.shape]},
        }
        for column in schema.columns
    ]
    described = json.dumps({"mlflow_colspec": columns})
    if schema.has_tensors:
        described = json.dumps(
            {"mlflow_tensorspec": {"features": json.dumps(tensors), "targets": None}}
        )
    return {
        "name": visible(Path(source).stem)[:LONGEST_NAME],
        "digest": sha256[:16],
        "source_type": "local",
        "source": json.dumps({"uri": source}),
        "schema": described if len(described) <= LONGEST_SCHEMA else None,
        "profile": json.dumps({"num_rows": rows, "num_elements": rows * len(columns)}),
    }
