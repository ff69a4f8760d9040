"""The whole evaluation: three models predict test rows and probe rows, and metrics follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import onnx

from onnxpress.engine.engine import HERE, Engine
from onnxpress.errors import ServerError
from onnxpress.estimators.booster_estimator import is_ranker
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.lines import (
    Names,
    metric_lines,
    prediction_warnings,
    rounding_lines,
    threshold_lines,
)
from onnxpress.evaluate.loss_lines import loss_lines, worst_lines
from onnxpress.evaluate.loss_metrics import losses_of
from onnxpress.evaluate.metrics import (
    compare_losses,
    compare_models,
    compare_on_probes,
    compare_scores,
    count_thresholds,
    in_unit_of_target,
)
from onnxpress.evaluate.metrics_detail import metrics_detail, scores_of_targets
from onnxpress.evaluate.predicted_rows import (
    PredictedRows,
    in_pieces,
    one_line,
    predict_with_all,
)
from onnxpress.evaluate.probes.probe_rows import Probes, probe_rows
from onnxpress.evaluate.scoring import Grouped, Scoring, WantedScores, find_scoring
from onnxpress.limits import is_ndcg
from onnxpress.models import ONNX, ORIGINAL, QUANTIZED
from onnxpress.runtime.predictions import Predict, Predictions
from onnxpress.runtime.sessions import OnnxModel
from onnxpress.scores.losses import Loss
from onnxpress.scores.score import check_rows
from onnxpress.tables.rows import Feeds, Rows
from onnxpress.tables.schema import Schema


@dataclass(frozen=True)
class ThreeModels:
    """The three forms of a model, and what lines call them."""

    original: Any
    """A fitted estimator."""
    onnx: bytes
    quantized: bytes
    names: Names
    """By :data:`onnxpress.models.MODEL_KEYS`; :data:`onnxpress.evaluate.lines.TITLES` will do."""

    def predictors(self, schema: Schema, engine: Engine) -> dict[str, Predict]:
        """Return how each predicts, by its name, the original first."""
        found: dict[str, Predict] = {
            ORIGINAL: partial(predict_original, self.original, schema=schema),
            ONNX: OnnxModel(self.onnx),
            QUANTIZED: OnnxModel(self.quantized),
        }
        return {self.names[key]: in_pieces(predict, engine) for key, predict in found.items()}


@dataclass(frozen=True)
class EvaluationSettings:
    """How closely the models are compared."""

    tolerance: float
    """Regressors agree within so many standard deviations of the training rows' target."""
    probe_rows: int
    """How many probe rows to make; none if 0."""
    seed: int
    """Of the probe rows."""
    scores: WantedScores = field(default_factory=WantedScores)


@dataclass(frozen=True)
class Evaluation:
    """What was found, and the rows on which it was found."""

    compared: list[PredictedRows]
    """The test rows; then the probe rows, unless none were wanted or the original refuses them."""
    metrics: dict[str, float]
    """All of metrics.json that follows from predictions."""
    detail: dict[str, Any]
    """The content of metrics_detail.json."""
    warnings: list[str]
    remarks: list[str]

    @property
    def tested(self) -> PredictedRows:
        """The test rows."""
        return self.compared[0]

    def lines(self, metrics: Mapping[str, float]) -> list[str]:
        """Return all that is to be said, with these ``metrics`` between warnings and remarks."""
        return [*self.warnings, *metric_lines(metrics), *loss_lines(metrics), *self.remarks]


def evaluate(
    models: ThreeModels,
    train: Feeds,
    test: Rows,
    schema: Schema,
    settings: EvaluationSettings,
    engine: Engine = HERE,
) -> Evaluation:
    """Have the three models predict ``test`` rows, and probe rows made from ``train`` rows.

    Pieces of many rows are predicted by ``engine``.

    Raises:
        UserError: a model refuses the rows, or a score does not fit the original or the rows.
        ServerError: the engine fails.
    """
    predictors = models.predictors(schema, engine)
    predictions = predict_with_all(predictors, test.feeds, "the test rows")
    tested = PredictedRows("test", test.feeds, predictions)
    scoring = _scoring(models.original, schema, test, predictions[0], settings)
    losses = _losses(scoring, schema, test, predictions, settings)
    metrics = {
        **compare_models(schema, test.target, predictions, settings.tolerance, scoring),
        **compare_losses(losses, test.target, predictions, scoring),
        **compare_scores(models.original, test.feeds, schema, predictions),
    }
    detail = metrics_detail(scoring, test.target, predictions, metrics, losses)
    if schema.has_several_targets:
        by_target = scores_of_targets(scoring.score, schema.targets, test.target, predictions)
        detail["targets"] = by_target
    remarks = [*worst_lines(losses), *rounding_lines(metrics, len(test))]
    probes = _probes(models, predictors[models.names[ORIGINAL]], train, settings)
    compared, warnings = [tested], list[str]()
    if probes is not None and (refused := _refusal(probes, predictors)):
        warnings.append(refused)
    elif probes is not None:
        predictions = predict_with_all(predictors, probes.feeds, "the probe rows")
        compared.append(PredictedRows("probe", probes.feeds, predictions, probes.column))
        metrics |= compare_on_probes(schema, predictions, settings.tolerance)
        metrics |= count_thresholds(probes.at_thresholds)
        remarks += threshold_lines(probes.at_thresholds, models.names[ONNX])
    warnings += prediction_warnings(schema, test.target, compared, models.names, scoring)
    return Evaluation(compared, metrics, detail, warnings, remarks)


def _scoring(
    original: Any,
    schema: Schema,
    test: Rows,
    predictions: Predictions,
    settings: EvaluationSettings,
) -> Scoring:
    classes = original.classes_ if schema.task == "classification" else ()
    grouped = Grouped(test.groups, is_ranker(original))
    wanted = settings.scores
    scoring = find_scoring(wanted, schema.task, classes, predictions, "evaluate.", grouped)
    if wanted.score is not None or is_ndcg(scoring.score.name):
        rows = f"the {len(test)} test rows"
        check_rows(scoring.score, test.target, rows=rows, key="evaluate.score")
    return scoring


def _losses(
    scoring: Scoring,
    schema: Schema,
    test: Rows,
    predictions: list[Predictions],
    settings: EvaluationSettings,
) -> dict[str, Loss]:
    original, _, quantized = predictions
    limit = in_unit_of_target(settings.tolerance, schema)
    return losses_of(scoring, test.target, original, quantized, limit)


def _probes(
    models: ThreeModels, original: Predict, train: Feeds, settings: EvaluationSettings
) -> Probes | None:
    """Make the probe rows, if any are wanted."""
    if not settings.probe_rows:
        return None
    graph = onnx.load_from_string(models.onnx)
    return probe_rows(graph, train, original, settings.probe_rows, settings.seed)


def _refusal(probes: Probes, predictors: Mapping[str, Predict]) -> str | None:
    """Return a warning if the original refuses the probes, as some do rare values; else None."""
    name, original = next(iter(predictors.items()))
    try:
        original(probes.feeds)
    except ServerError:
        raise
    except Exception as error:  # each library has its own
        refused = f"{name} refuses rows made from training rows, so nothing is probed"
        return f"warning: {refused}: {one_line(error)}"
    return None
