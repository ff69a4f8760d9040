"""Have all three models predict the test rows and probe rows, and write how they compare."""

from __future__ import annotations

from onnxpress.errors import UserError
from onnxpress.evaluate.evaluation import Evaluation, EvaluationSettings, ThreeModels, evaluate
from onnxpress.evaluate.lossless_check import NotLossless, check_lossless, is_lossless
from onnxpress.evaluate.metrics import compare_sizes
from onnxpress.evaluate.predicted_rows import predictions_csv
from onnxpress.evaluate.scoring import WantedScores
from onnxpress.pipeline import outputs
from onnxpress.pipeline.console import say, working
from onnxpress.pipeline.engine import engine_for
from onnxpress.pipeline.files import read_json, write_json, write_parts
from onnxpress.pipeline.inputs import read_many_rows, read_rows, read_schema
from onnxpress.pipeline.onnx_inputs import read_onnx
from onnxpress.pipeline.params import load_params
from onnxpress.pipeline.running import run_stage
from onnxpress.pipeline.trained_model import load_trained, original_kb
from onnxpress.tables.mapped import arrays_in
from onnxpress.tables.schema import Schema


@arrays_in(outputs.TEST.parent)
def main() -> None:
    """Test rows and three models in, metrics, their details and predictions.csv out."""
    params, schema = load_params(), read_schema()
    train, test = read_rows(outputs.TRAIN, schema), read_many_rows(outputs.TEST, schema)
    plain, quantized = (read_onnx(path, schema) for path in outputs.CONVERTED)
    original = load_trained(schema, params.train.trusted)
    models = ThreeModels(original, plain, quantized, outputs.NAMES)
    chosen, asked = read_json(outputs.QUANTIZATION, "modified", "candidate"), params.evaluate
    scores = WantedScores(asked.score, tuple(asked.also), asked.positive)
    settings = EvaluationSettings(asked.tolerance, asked.probe_rows, params.seed, scores)
    with working(f"predicting {len(test)} test rows"), engine_for(len(test), params) as engine:
        found = evaluate(models, train.feeds, test, schema, settings, engine)
    metrics = compare_sizes(original_kb(original), *map(outputs.size_kb, outputs.CONVERTED))
    metrics |= found.metrics | {"quantized_modified": int(chosen["modified"])}
    write_json(outputs.METRICS, metrics)
    write_json(outputs.METRICS_DETAIL, found.detail)
    write_parts(outputs.PREDICTIONS, predictions_csv(test.target, found.tested.predictions, schema))
    for line in found.lines(metrics):
        say(line)
    if is_lossless(chosen["candidate"]):
        say_lossless(chosen["candidate"], found, models, schema)


def say_lossless(candidate: str, found: Evaluation, models: ThreeModels, schema: Schema) -> None:
    """Fail, with the keys of params.yaml, if a lossless model predicts something else."""
    pair = models.onnx, models.quantized
    try:
        for line in check_lossless(candidate, pair, found.compared, schema, outputs.NAMES):
            say(line)
    except NotLossless as error:
        cure = "set quantize.method to none, or quantize.level to refined, in params.yaml"
        raise UserError(f"{error}; {cure}, and report this model") from error


if __name__ == "__main__":
    run_stage("evaluate", main)
