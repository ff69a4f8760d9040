"""Try what fits the graph, keep the best that costs nothing it may not cost, and record every verdict."""

from __future__ import annotations

import onnx

from onnxpress.models import PLAIN
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import write_bytes, write_folder, write_json
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.pipeline.model_files import load_trained, read_onnx
from onnxpress.pipeline.outputs import (
    CALIBRATION,
    CANDIDATES,
    ONNX_MODEL,
    QUANTIZATION,
    QUANTIZED_MODEL,
    TRAIN,
    candidate_path,
)
from onnxpress.pipeline.params import load_params
from onnxpress.pipeline.running import run_stage
from onnxpress.quantize.choice import Choice, choose
from onnxpress.quantize.methods import list_candidates
from onnxpress.quantize.trials import cross_fits, held_out


def main() -> None:
    """model.onnx in; model_quantized.onnx, the models to choose from, and quantization.json out."""
    params, schema = load_params(), read_schema()
    plain, train, calibration = (
        read_onnx(ONNX_MODEL, schema),
        read_rows(TRAIN, schema),
        read_rows(CALIBRATION, schema),
    )
    candidates = list_candidates(onnx.load_from_string(plain), params.quantize, params.seed)
    if len(calibration):
        trials = held_out(plain, train, calibration)
    else:
        trials = cross_fits(
            lambda: load_trained(schema, params.train.trusted),
            train,
            schema,
            params.convert.target_opset,
            params.seed,
        )
    choice = choose(plain, candidates, trials, schema, params.quantize)
    write_bytes(QUANTIZED_MODEL, choice.model)
    models = {PLAIN: plain, **choice.models()}
    write_folder(CANDIDATES, {candidate_path(name).name: model for name, model in models.items()})
    write_json(QUANTIZATION, choice.to_json())
    for line in sorted(trials.warned):
        say(f"scikit-learn warns of clones fitted on folds: {line}")
    tell(choice)


def tell(choice: Choice) -> None:
    """Print the verdict of every candidate, and the conclusion."""
    for verdict in choice.verdicts:
        say(f"{verdict.name}: {verdict.outcome}, {verdict.reason}")
    say(choice.summary)


if __name__ == "__main__":
    run_stage("quantize", main)
