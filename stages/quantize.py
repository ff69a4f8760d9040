"""Choose the best quantised model within the budget, and record a verdict on every candidate."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import onnx

from onnxpress.bodies.device import device_of
from onnxpress.models import PLAIN
from onnxpress.pipeline import outputs
from onnxpress.pipeline.console import progress, say
from onnxpress.pipeline.engine import engine_of
from onnxpress.pipeline.files import write_bytes, write_folder, write_json
from onnxpress.pipeline.gated_runtimes import gated_runtimes, portable
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.pipeline.onnx_inputs import read_onnx
from onnxpress.pipeline.params import load_params
from onnxpress.pipeline.quantize_options import DEVICE_WORDS, WORDS, options_of
from onnxpress.pipeline.running import run_stage
from onnxpress.pipeline.trained_model import load_trained
from onnxpress.quantize.choice import choose
from onnxpress.quantize.methods import list_candidates
from onnxpress.quantize.terms import needed_by, terms_of
from onnxpress.quantize.trials import Clones, trials_of


def main() -> None:
    """Read model.onnx and rows; write the quantised model, the candidates and the verdicts."""
    params, schema = load_params(), read_schema()
    plain = read_onnx(outputs.ONNX_MODEL, schema)
    train, calibration = (read_rows(path, schema) for path in (outputs.TRAIN, outputs.CALIBRATION))
    load = cache(lambda: load_trained(schema, params.train.trusted))
    clones = Clones(load, schema, params.convert.target_opset, params.seed)
    runtimes = gated_runtimes(params.gate.runtimes, plain, (calibration, train))
    options = portable(options_of(params.quantize, params.evaluate, params.seed), plain, runtimes)
    candidates = list_candidates(onnx.load_from_string(plain), options)
    needed = needed_by(options, candidates)
    with engine_of(params) as engine:
        trials = trials_of(plain, train, calibration, clones, needed, engine)
        terms = terms_of(options, schema, plain, trials, original=load, words=WORDS)
        device = device_of(options, train, DEVICE_WORDS)
        terms = replace(terms, device=device, runtimes=runtimes)
        choice = choose(plain, candidates, trials, terms, options, engine=engine, progress=progress)
    models = {PLAIN: plain, **choice.models()}
    files = {outputs.candidate_path(name).name: model for name, model in models.items()}
    write_bytes(outputs.QUANTIZED_MODEL, choice.model)
    write_folder(outputs.CANDIDATES, files)
    write_json(outputs.QUANTIZATION, choice.to_json())
    for line in (*sorted(trials.warned), *choice.lines()):
        say(line)


if __name__ == "__main__":
    run_stage("quantize", main)
