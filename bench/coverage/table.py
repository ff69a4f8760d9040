"""coverage.json and coverage.md: the summary, the table, and explanations of single estimators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.coverage.cases import ALONE, COLUMNS
from bench.coverage.chain import Record

AGREES = 0.999
SMALLER = 1.05
"""From so many times smaller on a model counts as smaller: packed fields alone save a little."""

EXPLAINED = {
    "skl2onnx has no converter for it": "skl2onnx has no converter for it",
    "dimensions for multi-output": "it is for several targets, the data has one",
    "For mono-task outputs": "it is for several targets, the data has one",
    "tuple index out of range": "it is for several targets, the data has one",
    "2d array with 1 feature": "it takes one feature, the data has several",
    "Only binary classification is supported": "it is for two classes, the data has three",
    "Only binary classification is iplemented": (
        "skl2onnx has it for two classes only, the data has three"
    ),
    "com.microsoft:Solve": "skl2onnx writes an operator, Solve, which onnxruntime does not have",
    "gives labels alone": "it gives labels alone, without probabilities or scores",
    "out of bounds for axis 1": (
        "it refuses a category that no training row has, and the test rows have one"
    ),
    "knny_ArrayFeatureExtractor": (
        "onnxruntime stops in what skl2onnx writes, at an index out of range"
    ),
    "gives different predictions as ONNX": (
        "skl2onnx's graph predicts differently from scikit-learn, which the rehearsal noticed"
    ),
    "is not full rank": (
        "one-hot columns add up to one, so that covariances are singular (reg_param helps)"
    ),
    "y has dtype string": (
        "it takes text labels as Python objects only, the chain has arrays of strings"
    ),
}
"""Why an estimator does not convert, by words of its message.

Any other message is shown as it is.
"""

HEADER = (
    "estimator", "data", "agrees", "largest error", "score difference", "step rows",
    "ONNX speed-up at 1", "at 1024", "method", "KB", "x smaller",
    "x faster at 32", "at 1024",
)  # fmt: skip
RULE = "|---|---" + "|---:" * 6 + "|---" + "|---:" * 4 + "|"
WORDS = {
    ALONE: "{} classifiers and regressors alone on numbers",
    COLUMNS: "{} behind scaled, imputed and one-hot columns",
}


def summary(records: list[Record]) -> dict[str, Any]:
    """The counts in docs/inputs.md, by place; ``share_agreeing`` is of those that convert."""
    return {
        place: _counts([record for record in records if record["place"] == place])
        for place in (ALONE, COLUMNS)
    }


def _counts(records: list[Record]) -> dict[str, Any]:
    made = [record for record in records if record["outcome"] == "converts"]
    agreeing = sum(record["agreement"] >= AGREES for record in made)
    return {
        "tried": len(records),
        "converts": len(made),
        "refused": sum(record["outcome"] == "refused" for record in records),
        "unsuitable": sum(record["outcome"] == "does not fit the data" for record in records),
        "fails": sum(record["outcome"] == "fails" for record in records),
        "agrees": agreeing,
        "share_agreeing": agreeing / len(made) if made else 0.0,
        "faster_at_1": sum(record["onnx_speedup_1"] > 1 for record in made),
        "faster_at_1024": sum(record["onnx_speedup_1024"] > 1 for record in made),
        "median_speedup_1": float(np.median([record["onnx_speedup_1"] for record in made]))
        if made
        else 0.0,
        "median_speedup_1024": float(np.median([record["onnx_speedup_1024"] for record in made]))
        if made
        else 0.0,
        "quantised_smaller": sum(
            record["onnx_kb"] >= SMALLER * record["quantized_kb"] for record in made
        ),
        "quantised_larger": sum(record["quantized_kb"] > record["onnx_kb"] for record in made),
        "quantised_slower": sum(_is_slower(record) for record in made),
    }


def _is_slower(record: Mapping[str, Any]) -> bool:
    """Whether the quantised model is slower than ONNX at 32 or 1,024 rows, beyond the interval."""
    return any(record[f"quantized_speedup_{rows}_high"] < 1 for rows in (32, 1024))


def markdown(records: list[Record], found: Mapping[str, Mapping[str, Any]]) -> str:
    """The whole page."""
    lines = ["# Estimators of scikit-learn, through the chain", "", *_preface(), ""]
    for place, counts in found.items():
        if counts["tried"]:
            lines += [f"- {_sentence(place, counts)}"]
    for place, kind in (
        (place, kind) for place in (ALONE, COLUMNS) for kind in ("classifier", "regressor")
    ):
        rows = [record for record in records if record["place"] == place and record["kind"] == kind]
        made = [record for record in rows if record["outcome"] == "converts"]
        if rows:
            lines += [
                "",
                f"## {kind.capitalize()}s, {place}",
                "",
                f"| {' | '.join(HEADER)} |",
                RULE,
            ]
            lines += [f"| {' | '.join(_cells(record))} |" for record in made]
            lines += ["", *_explanations(rows)]
    return "\n".join([*lines, ""])


def _preface() -> list[str]:
    return [
        "Written by `make bench` (`python -m bench.coverage`). Default arguments, one thread,",
        "`quantize.method: auto`. *agrees*: share of test rows, and of 500 rows with columns",
        "drawn apart from each other, that get scikit-learn's label (regression: its value",
        "within 0.001 standard deviations of the target). *largest error*: of a probability,",
        "of a decision score over the largest of them, or of a prediction in standard",
        "deviations. *score difference*: the largest over max(1, |score|), as",
        "`gate.max_score_diff` has it; *step rows* are counted apart. *ONNX speed-up*: over",
        "scikit-learn's `predict`. *x smaller, x faster*: the quantised model against the",
        "ONNX model; with `none` it is that.",
    ]


def _sentence(place: str, counts: Mapping[str, Any]) -> str:
    slow = counts["converts"] - counts["faster_at_1024"]
    return " ".join(
        (
            f"{WORDS[place].format(counts['tried'])}: {counts['converts']} convert,",
            f"{counts['agrees']} of these agree on at least {AGREES:.1%} of the rows;",
            f"{counts['refused']} are refused before the fit,",
            f"{counts['unsuitable']} do not fit such data,",
            f"{counts['fails']} fail.",
            f"Median ONNX speed-up {counts['median_speedup_1']:.0f}x at one row,",
            f"{counts['median_speedup_1024']:.1f}x at 1,024,",
            f"where {slow} are slower than scikit-learn.",
            f"Quantised: {counts['quantised_smaller']} smaller,",
            f"{counts['quantised_larger']} larger,",
            f"{counts['quantised_slower']} slower at 32 rows or more.",
        )
    )


def _cells(record: Record) -> list[str]:
    return [
        record["estimator"],
        record["data"],
        f"{record['agreement']:.2%}" + ("" if record["agreement"] >= AGREES else " **!**"),
        f"{record['score_error']:.1e}",
        _number(record, "score_difference", ".1e"),
        _number(record, "step_rows", "d"),
        _factor(record["onnx_speedup_1"]),
        _factor(record["onnx_speedup_1024"]),
        record["candidate"],
        f"{record['quantized_kb']:.1f}",
        _factor(record["onnx_kb"] / record["quantized_kb"]),
        _factor(record["quantized_speedup_32"]),
        _factor(record["quantized_speedup_1024"]),
    ]


def _number(record: Record, key: str, form: str) -> str:
    """Empty in records of an edition that did not measure it."""
    return format(record[key], form) if key in record else ""


def _factor(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _explanations(rows: list[Record]) -> list[str]:
    """A line for each estimator that did not convert, or does not agree."""
    odd = [
        record for record in rows if record["outcome"] != "converts" or record["agreement"] < AGREES
    ]
    lines = []
    for record in odd:
        outcome = (
            record["outcome"]
            if record["outcome"] != "converts"
            else f"agrees on {record['agreement']:.2%}"
        )
        message = record.get("reason", "")
        reason = next(
            (words for part, words in EXPLAINED.items() if part in message), message[:300]
        )
        lines.append(f"- {record['estimator']} {outcome}: {reason}")
    return lines
