"""Choose the best quantised model within the budget, and record a verdict on every candidate."""

from __future__ import annotations

import onnx

from onnxpress.models import PLAIN
from onnxpress.pipeline import outputs
from onnxpress.pipeline.console import progress, say
from onnxpress.pipeline.files import write_bytes, write_folder, write_json
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.pipeline.onnx_inputs import read_onnx
from onnxpress.pipeline.params import Params, load_params
from onnxpress.pipeline.running import run_stage
from onnxpress.pipeline.trained_model import load_trained
from onnxpress.quantize.choice import choose
from onnxpress.quantize.methods import list_candidates
from onnxpress.quantize.options import Options
from onnxpress.quantize.trials import Trials, cross_fits, held_out
from onnxpress.tables.schema import Schema


def main() -> None:
    """Read model.onnx and rows; write the quantised model, the candidates and the verdicts."""
    params, schema = load_params(), read_schema()
    plain = read_onnx(outputs.ONNX_MODEL, schema)
    trials = trials_of(plain, schema, params)
    options = options_of(params)
    candidates = list_candidates(onnx.load_from_string(plain), options)
    choice = choose(plain, candidates, trials, schema, options, progress=progress)
    models = {PLAIN: plain, **choice.models()}
    files = {outputs.candidate_path(name).name: model for name, model in models.items()}
    write_bytes(outputs.QUANTIZED_MODEL, choice.model)
    write_folder(outputs.CANDIDATES, files)
    write_json(outputs.QUANTIZATION, choice.to_json())
    for line in sorted(trials.warned):
        say(f"scikit-learn warns of clones fitted on folds: {line}")
    for line in choice.lines():
        say(line)


def trials_of(plain: bytes, schema: Schema, params: Params) -> Trials:
    """Score on calibration rows if there are any, else by cross-fitting."""
    train, calibration = (read_rows(path, schema) for path in (outputs.TRAIN, outputs.CALIBRATION))
    if len(calibration):
        return held_out(plain, train, calibration)
    trusted, opset = params.train.trusted, params.convert.target_opset
    return cross_fits(lambda: load_trained(schema, trusted), train, schema, opset, params.seed)


def options_of(params: Params) -> Options:
    """The section ``quantize`` and the seed."""
    settings = params.quantize.model_dump()
    limit = settings.pop("max_drop")["score"]
    max_drop = float("inf") if limit is None else limit
    return Options(**settings, max_drop=max_drop, seed=params.seed)


if __name__ == "__main__":
    run_stage("quantize", main)
