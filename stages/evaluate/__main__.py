"""Ask all three models about the test rows and the probe rows, and write what came of it."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import onnx

from stages.common.console import say, working
from stages.common.errors import UserError, run_stage
from stages.common.files import (
    METRICS,
    MODELS,
    ONNX_MODEL,
    ORIGINAL_MODEL,
    PREDICTIONS,
    QUANTIZATION,
    QUANTIZED_MODEL,
    TEST,
    TRAIN,
    read_json,
    size_kb,
    write_bytes,
    write_json,
)
from stages.common.models import Answer, ask_onnx, ask_original, checked_original, load_original, open_session, read_onnx
from stages.common.params import load_params
from stages.common.table import Feeds, Rows, read_rows, read_schema
from stages.evaluate.metrics import compare_models, compare_on_probes, compare_scores, compare_sizes
from stages.evaluate.probes import accepts_missing, accepts_unseen, probe_rows
from stages.evaluate.thresholds import split_thresholds


def main() -> None:
    """Test rows and three models in, metrics.json and predictions.csv out."""
    params, schema = load_params(), read_schema()
    train, test = read_rows(TRAIN, schema).feeds, read_rows(TEST, schema)
    original = checked_original(load_original(ORIGINAL_MODEL, params.train.trusted), schema)
    models = [read_onnx(path, schema) for path in (ONNX_MODEL, QUANTIZED_MODEL)]
    sessions = [open_session(model) for model in models]

    ask_estimator = partial(ask_original, original, schema=schema)

    def ask(feeds: Feeds) -> list[Answer]:
        return [ask_estimator(feeds), *(ask_onnx(session, feeds) for session in sessions)]

    thresholds = split_thresholds(onnx.load_from_string(models[0]), schema)
    missing, unseen = accepts_missing(ask_estimator, train), accepts_unseen(ask_estimator, train)
    probes = probe_rows(train, thresholds, params.evaluate.probe_rows, missing=missing, unseen=unseen, seed=params.seed)
    with working(f"asking three models about {len(test)} test rows and {params.evaluate.probe_rows} probe rows"):
        try:
            answers = ask(test.feeds)
        except ValueError as error:  # scikit-learn's refusal, as of a category that its encoder has not seen
            raise UserError(f"{ORIGINAL_MODEL} refuses the test rows of data.source: {' '.join(str(error).split())}") from error
        probed = compare_on_probes(schema, ask(probes), params.evaluate.tolerance) if params.evaluate.probe_rows else {}
    metrics = {
        **compare_sizes(*(size_kb(path) for path in MODELS.values())),
        **compare_models(schema, test.target, answers, params.evaluate.tolerance),
        **compare_scores(original, test.feeds, schema, answers),
        **probed,
        "quantized_modified": int(read_json(QUANTIZATION, "modified")["modified"]),
    }
    write_json(METRICS, metrics)
    write_bytes(PREDICTIONS, as_csv(test, answers))
    tell(metrics)
    if rows := metrics.get("onnx_step_rows"):
        say(f"warning: on {rows:.0f} of {len(test)} test rows the original's scores are at a step, and ONNX has those beside it")
    if rows := metrics.get("onnx_rounded_rows"):
        say(f"warning: on {rows:.0f} of {len(test)} test rows float32 rounds the original's own scores; scaled columns help")


def as_csv(test: Rows, answers: list[Answer]) -> bytes:
    """The target and the three models' answers, a line per test row: the data behind the plots."""
    columns = [test.target.tolist(), *(answer.values.tolist() for answer in answers)]
    lines = [("target", *MODELS), *zip(*columns, strict=True)]
    return "".join(f"{','.join(map(_cell, line))}\n" for line in lines).encode()


def _cell(value: object) -> str:
    """A cell of a CSV file (RFC 4180); Python's own writer leaves a carriage return unquoted, which ends a line."""
    text = str(value)
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if re.search('[,"\r\n]', text) else text


def tell(metrics: dict[str, float]) -> None:
    """Print the metrics a line per model, so that each key can be found again in metrics.json."""
    for name in MODELS:
        found = {key.removeprefix(f"{name}_"): value for key, value in metrics.items() if key.startswith(f"{name}_")}
        say(f"{name}: " + ", ".join(f"{key} {np.format_float_positional(value, 4, trim='-')}" for key, value in found.items()))


if __name__ == "__main__":
    run_stage("evaluate", main)
