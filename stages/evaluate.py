"""Ask all three models about the test rows and the probe rows, and write what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import onnx

from onnxpress.errors import UserError
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.lossless_check import check_lossless
from onnxpress.evaluate.metrics import (
    compare_models,
    compare_on_probes,
    compare_scores,
    compare_sizes,
    count_thresholds,
)
from onnxpress.evaluate.predicted_rows import PredictedRows
from onnxpress.evaluate.probes.probe_rows import Probes, probe_rows
from onnxpress.evaluate.warning_lines import prediction_warnings, threshold_lines
from onnxpress.pipeline.console import say, working
from onnxpress.pipeline.files import read_json, write_bytes, write_json
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.pipeline.model_files import load_trained, read_onnx
from onnxpress.pipeline.outputs import (
    METRICS,
    MODEL_FILES,
    ONNX_MODEL,
    ORIGINAL_MODEL,
    PREDICTIONS,
    QUANTIZATION,
    QUANTIZED_MODEL,
    TEST,
    TRAIN,
    size_kb,
)
from onnxpress.pipeline.params import load_params
from onnxpress.pipeline.running import run_stage
from onnxpress.runtime.predictions import Predictions
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.cells import cell
from onnxpress.tables.rows import Feeds, Rows

Asking = Mapping[Path, Callable[[Feeds], Predictions]]
"""How each model is asked, by its file; the original first."""


def main() -> None:
    """Test rows and three models in, metrics.json and predictions.csv out."""
    params, schema = load_params(), read_schema()
    train, test = read_rows(TRAIN, schema).feeds, read_rows(TEST, schema)
    plain, quantized = (read_onnx(path, schema) for path in (ONNX_MODEL, QUANTIZED_MODEL))
    original = load_trained(schema, params.train.trusted)
    asking: Asking = {
        ORIGINAL_MODEL: partial(predict_original, original, schema=schema),
        ONNX_MODEL: partial(predict_onnx, open_session(plain)),
        QUANTIZED_MODEL: partial(predict_onnx, open_session(quantized)),
    }
    chosen = read_json(QUANTIZATION, "modified", "candidate")
    wanted = params.evaluate.probe_rows
    with working(f"asking three models about {len(test)} test rows and {wanted} probe rows"):
        tested = PredictedRows(
            "test", test.feeds, ask(asking, test.feeds, "the test rows of data.source")
        )
        probes = probe_rows(
            onnx.load_from_string(plain), train, asking[ORIGINAL_MODEL], wanted, params.seed
        )
        probed = ask_probes(asking, probes) if wanted else None
    metrics = {
        **compare_sizes(*(size_kb(path) for path in MODEL_FILES.values())),
        **compare_models(schema, test.target, tested.predictions, params.evaluate.tolerance),
        **compare_scores(original, test.feeds, schema, tested.predictions),
        **(
            compare_on_probes(schema, probed.predictions, params.evaluate.tolerance)
            if probed
            else {}
        ),
        **(count_thresholds(probes.at_thresholds) if probed else {}),
        "quantized_modified": int(chosen["modified"]),
    }
    write_json(METRICS, metrics)
    write_bytes(PREDICTIONS, as_csv(test, tested.predictions))
    asked = [tested, *([probed] if probed else [])]
    for line in prediction_warnings(schema, test.target, asked):
        say(line)
    tell(metrics)
    if rows := metrics.get("onnx_step_rows"):
        say(
            f"warning: on {rows:.0f} of {len(test)} test rows the original's scores are at a step, and ONNX has those beside it"
        )
    if rows := metrics.get("onnx_rounded_rows"):
        say(
            f"warning: on {rows:.0f} of {len(test)} test rows float32 rounds the original's own scores; scaled columns help"
        )
    for line in threshold_lines(probes.at_thresholds) if probed else ():
        say(line)
    check_lossless(chosen["candidate"], (plain, quantized), asked, schema)


def ask(asking: Asking, feeds: Feeds, what: str) -> list[Predictions]:
    """The predictions of all models.

    Raises:
        UserError: one refuses the rows, as scikit-learn does a category that its encoder has not seen.
    """
    predictions = []
    for path, answer in asking.items():
        try:
            predictions.append(answer(feeds))
        except UserError:
            raise
        except Exception as error:  # each library has its own
            raise UserError(f"{path} refuses {what}: {' '.join(str(error).split())}") from error
    return predictions


def ask_probes(asking: Asking, probes: Probes) -> PredictedRows | None:
    """The predictions of all models; None, with a warning, if the original refuses the rows that probes are made of.

    Raises:
        UserError: the original answers, and another model refuses.
    """
    try:
        asking[ORIGINAL_MODEL](probes.feeds)
    except Exception as error:  # each library has its own
        reason = " ".join(str(error).split())
        say(
            f"warning: {ORIGINAL_MODEL} refuses rows made from training rows, so nothing is probed: {reason}"
        )
        return None
    return PredictedRows(
        "probe", probes.feeds, ask(asking, probes.feeds, "the probe rows"), probes.column
    )


def as_csv(test: Rows, predictions: list[Predictions]) -> bytes:
    """The target and the three models' predictions, a line per test row: the data behind the plots; see :func:`cell`."""
    columns = [test.target.tolist(), *(answer.values.tolist() for answer in predictions)]
    lines = [("target", *MODEL_FILES), *zip(*columns, strict=True)]
    return "".join(f"{','.join(map(cell, line))}\n" for line in lines).encode()


def tell(metrics: dict[str, float]) -> None:
    """Print the metrics a line per model, so that each key can be found again in metrics.json."""
    for name in MODEL_FILES:
        found = {
            key.removeprefix(f"{name}_"): value
            for key, value in metrics.items()
            if key.startswith(f"{name}_")
        }
        say(
            f"{name}: "
            + ", ".join(
                f"{key} {np.format_float_positional(value, 4, trim='-')}"
                for key, value in found.items()
            )
        )


if __name__ == "__main__":
    run_stage("evaluate", main)
