"""What a reader of the MLflow UI sees first: the models side by side, the data they were tested on, how to load one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from onnxpress.pipeline.files import read_bytes
from onnxpress.pipeline.outputs import MODELS, TEST
from onnxpress.tables.schema import Schema
from onnxpress.text import visible

COLUMNS = {
    "size (KB)": ("size_kb",),
    "score": ("accuracy", "r2"),
    "agreement with the original": ("agreement", "within_tolerance"),
    "agreement at split thresholds": ("probe_agreement", "probe_within_tolerance"),
}
"""Titles of the card's table, and the metrics of the contract that fill them: classification, regression."""

PLAIN_WORDS = re.compile(r"[^\W_]+(?:[ _-][^\W_]+)*")
"""Text in which no Markdown of any kind sees a mark or an address."""
LONGEST_NAME = 500
"""Characters of a dataset's name that servers take."""
LONGEST_SCHEMA = 65_535
"""Characters of a dataset's schema that servers since MLflow 2.4 take."""


def model_card(title: str, metrics: Mapping[str, float], summary: str) -> str:
    """A model card in Markdown; latency, which is measured anew at times, is left to the run's metrics."""
    lines = [
        f"# {_plain(title)}",
        "",
        f"| model | {' | '.join(COLUMNS)} |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for model in MODELS:
        found = [
            [metrics[f"{model}_{name}"] for name in names if f"{model}_{name}" in metrics]
            for names in COLUMNS.values()
        ]
        lines.append(
            f"| {model} | {' | '.join(f'{values[0]:.6g}' if values else '' for values in found)} |"
        )
    load = "Load the quantised model with `mlflow.pyfunc.load_model` from this run's `model`."
    rows = "It takes raw rows in any form, matched by column name; null is missing."
    return "\n".join([*lines, "", f"Quantisation: {summary}", "", load, rows, ""])


def _plain(text: str) -> str:
    """Markdown that reads as ``text``, whatever is in it: in a code span nothing is a link, an image, HTML or an emoji."""
    shown = visible(text)
    if PLAIN_WORDS.fullmatch(shown):
        return shown
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    return f"{fence} {shown} {fence}"


def test_data(source: str, schema: Schema, rows: int) -> dict[str, Any]:
    """The test rows as the fields of MLflow's ``Dataset``."""
    columns = [
        {"name": column.name, "type": "float" if column.kind == "number" else "string"}
        for column in schema.columns
    ]
    described = json.dumps({"mlflow_colspec": columns})
    return {
        "name": visible(Path(source).stem)[:LONGEST_NAME],
        "digest": sha256(read_bytes(TEST)).hexdigest()[:16],
        "source_type": "local",
        "source": json.dumps({"uri": source}),
        "schema": described if len(described) <= LONGEST_SCHEMA else None,
        "profile": json.dumps({"num_rows": rows, "num_elements": rows * len(columns)}),
    }
