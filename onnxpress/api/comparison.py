"""How the predictions of two models differ."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.api.checks import check_number, check_seed, check_whole
from onnxpress.api.compared_scores import compared_scores
from onnxpress.api.conversion import converted
from onnxpress.api.group_arguments import group_numbers
from onnxpress.api.model_arguments import (
    GivenModel,
    check_classes,
    for_target,
    given_model,
    stand_in_target,
)
from onnxpress.api.rounding import rounding_doubts
from onnxpress.api.table_arguments import Features, features, targets
from onnxpress.conversion.converting import NEWEST_OPSET
from onnxpress.errors import UserError
from onnxpress.estimators.booster_estimator import is_ranker
from onnxpress.evaluate.agreement import count_disagreeing
from onnxpress.evaluate.loss_lines import worst_lines
from onnxpress.evaluate.predicted_rows import predict_with_all
from onnxpress.evaluate.probes import probe_rows as probing
from onnxpress.evaluate.relative_differences import numbers, relative_differences
from onnxpress.evaluate.scoring import Grouped, WantedScores
from onnxpress.runtime.predictions import Predict, Predictions
from onnxpress.scores.bounds import upper_bound
from onnxpress.scores.losses import Limit, Loss
from onnxpress.tables.column_types import Task
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Schema
from onnxpress.text import percent_up


@dataclass(frozen=True)
class Parity:
    """How far the predictions of two models for the same rows are apart."""

    rows: int

    agreement: float
    """Share of rows with the same label, or with predictions within the tolerance."""

    largest_difference: float
    """Largest difference of a score or prediction, relative to max(1, |value|); infinite if one
    model has other scores than the other."""

    disagreement_upper: float
    """The share of all rows like these on which the answers differ is at most this, with 95 %
    confidence (Clopper and Pearson 1934). A bound of 1 % takes 299 rows, even if none differs."""


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` found."""

    task: Task

    given: Parity
    """On the rows of ``X``."""

    probes: Parity | None
    """On rows made at the split thresholds of the original, and on mixed rows.

    None without such rows, or if the original refuses them.
    """

    thresholds: tuple[int, int]
    """Split thresholds that the probes hit, and all there are; (0, 0) without trees."""

    scores: tuple[float, float] | None
    """The score of the original and of the model on ``y``, the greater the better; None without
    ``y``."""

    warnings: tuple[str, ...] = ()
    """What limits these findings, a line each; empty if nothing does."""

    score: str | None = None
    """scikit-learn's name of the score; None without ``y``."""

    also: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """More scores of both models, by name: those asked for, and accuracy or R2."""

    losses: Mapping[str, Loss] = field(default_factory=dict)
    """What the model loses on ``y`` against the original, each loss with its standard error, by the
    keys of budgets: ``score``, ``disagreement``, ``recall_worst_loss``, ``log_loss``, ..."""

    @property
    def agreement(self) -> float:
        """Share of the rows of ``X`` that both models predict alike."""
        return self.given.agreement

    @property
    def score_drop(self) -> float | None:
        """What the model loses of the original's score; None without ``y``."""
        return self.scores[0] - self.scores[1] if self.scores else None

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON's types; what is infinite or undefined is null."""
        return {**_finite(asdict(self)), "score_drop": self.score_drop}

    def __str__(self) -> str:
        """The findings, a line each."""
        lines = [*(f"warning: {each}" for each in self.warnings)]
        lines += [f"same prediction on {_share(self.given)}"]
        if self.probes:
            lines += [f"same prediction on {_share(self.probes, 'probe rows')}"]
        if self.thresholds[1]:
            lines += ["{} of {} split thresholds probed".format(*self.thresholds)]
        if self.scores and self.score:
            lines += [_score_line(self.score, self.scores, self.losses["score"])]
        for name, pair in self.also.items():
            lines += [_score_line(name, pair, self.losses[name])]
        lines += worst_lines(self.losses)
        return "\n".join(lines)


def _score_line(name: str, pair: tuple[float, float], loss: Loss) -> str:
    error = "" if math.isnan(loss.error) else f" (standard error {loss.error:.2g})"
    before, after = pair
    return f"{name} {before:.4f} -> {after:.4f}{error}"


def _finite(found: Any) -> Any:
    """``found`` with None in place of numbers that JSON does not have."""
    if isinstance(found, dict):
        return {name: _finite(each) for name, each in found.items()}
    if isinstance(found, (tuple, list)):
        return [_finite(each) for each in found]
    return None if isinstance(found, float) and not math.isfinite(found) else found


def _share(found: Parity, what: str = "rows") -> str:
    count = round(found.agreement * found.rows)
    largest = f"largest difference of a score {found.largest_difference:.2g}"
    bound = f"another one on at most {percent_up(found.disagreement_upper)} % of such rows"
    return f"{count} of {found.rows} {what}, {largest}; {bound} (95 % bound)"


def compare(
    original: Any,
    model: Any,
    X: Any,
    y: Any = None,
    *,
    groups: Any = None,
    score: str | None = None,
    also: Collection[str] = (),
    positive: int | str | None = None,
    probe_rows: int = 2000,
    tolerance: float = 1e-3,
    trust: Collection[str] = (),
    seed: int = 0,
) -> Comparison:
    """Compare the predictions of two models for the rows of ``X``, and for probe rows.

    Probe rows are made from the rows of ``X``: pairs on both sides of every split threshold of the
    original's trees, and mixed rows with missing and unseen values where the original takes them.

    Both models get ``X`` as float32, which is what ONNX takes. ``warnings`` of the result says so
    where an estimator predicts something else from ``X`` as it came.

    Args:
        original: A fitted estimator, an ONNX model, or the path of a file of either.
        model: What is compared with it: any of these, or what :func:`onnxpress.compress` returned.
        X: Rows, an array or a DataFrame, better ones that neither was fitted on.
        y: Their true classes or values, for the scores; of regressors of several targets (rows,
            targets).
        groups: What says which rows belong together, such as those of a query, (rows,): ``ndcg``
            ranks the rows of each, and standard errors count groups.
        score: What is compared on ``y``: the name of one of scikit-learn's scorers that the models
            can answer, such as ``average_precision``, or ``ndcg`` or ``ndcg_at_10`` with
            ``groups``; by default accuracy or R2, or NDCG of boosters that rank rows in groups.
        also: Names of more scorers.
        positive: Of two classes the one that recall, precision and the like are about; by default
            the greater of the two.
        probe_rows: How many probe rows to make; 0 for none.
        tolerance: Regression: predictions are alike within so many standard deviations of ``y``, or
            of the original's predictions without ``y``.
        trust: Classes that a stored estimator may hold besides scikit-learn's.
        seed: Of the probe rows.

    Raises:
        UserError: a model or ``X`` or ``y`` is not what it should be, they do not fit together, or
            a score does not fit them.

    >>> import onnxpress
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> tree = DecisionTreeClassifier(random_state=0).fit(X, y)
    >>> found = onnxpress.compare(tree, onnxpress.convert(tree, X), X, y)
    >>> found.agreement, found.score_drop
    (1.0, 0.0)
    """
    check_whole("probe_rows", probe_rows, 0)
    check_number("tolerance", tolerance, "a number from 0 on", least=0, most=math.inf)
    check_seed(seed)
    wanted = _wanted(score, also, positive, has_target=y is not None)
    if groups is not None and y is None:
        raise UserError("groups are for scores on y; pass y, or no groups")
    pair = (
        for_target(given_model(original, "original", trust), y),
        for_target(given_model(model, "model", trust), y),
    )
    if pair[0].task != pair[1].task:
        raise UserError(f"original is for {pair[0].task}, model for {pair[1].task}; pass a pair")
    task, table = pair[0].task, features(X)
    grouped = Grouped(group_numbers(groups, len(table)), is_ranker(pair[0].estimator))
    truth = None if y is None else _truth(pair[0], y, len(table))
    rows = table.rows(stand_in_target(pair[0], table) if truth is None else truth, task)
    schema = table.schema(task, targets=_count_targets(pair, table, truth))
    first, second = (each.predictor(rows, schema) for each in pair)
    predict = {"original": first, "model": second}
    found = predict_with_all(predict, rows.feeds, "X")
    limit = _limit(task, tolerance, found[0].values if truth is None else truth)
    probes, thresholds = None, (0, 0)
    if probe_rows:
        graph = _thresholds_of(pair, schema)
        made = probing.probe_rows(graph, rows.feeds, first, probe_rows, seed)
        probes = _probed(predict, made.feeds, limit)
        thresholds = made.at_thresholds.hit, made.at_thresholds.thresholds
    doubts, given = _rounding(pair, table, schema), _parity(found, limit)
    if truth is None:
        return Comparison(task, given, probes, thresholds, None, doubts)
    scored = compared_scores(wanted, pair[0], truth, found, limit, grouped)
    others = {name: each for name, each in scored.pairs.items() if name != scored.name}
    scores = scored.pairs[scored.name]
    return Comparison(
        task, given, probes, thresholds, scores, doubts, scored.name, others, scored.losses
    )


def _wanted(
    score: str | None, also: Collection[str], positive: int | str | None, *, has_target: bool
) -> WantedScores:
    """The scores that are asked for.

    Raises:
        UserError: some are, and there is no target to score against.
    """
    also = (also,) if isinstance(also, str) else tuple(also)
    for name, value in {"score": score, "also": also, "positive": positive}.items():
        if value not in (None, ()) and not has_target:
            raise UserError(f"{name} takes the true classes or values; pass y, or no {name}")
    return WantedScores(score, also, positive)


def _rounding(pair: tuple[GivenModel, ...], table: Features, schema: Schema) -> tuple[str, ...]:
    """A line for each estimator that predicts something else once ``X`` is float32."""
    lines: list[str] = []
    for each in pair:
        if each.estimator is not None:
            lines += rounding_doubts(each.estimator, table, schema, each.name)
    return tuple(lines)


def _count_targets(
    pair: tuple[GivenModel, GivenModel], table: Features, truth: NDArray[Any] | None
) -> int:
    """How many numbers both models predict for a row.

    Raises:
        UserError: one predicts more than the other, or than ``truth``, (rows, targets), has.
    """
    first, second = (each.count_targets(table) for each in pair)
    if first != second:
        raise UserError(
            f"original predicts {first} values per row, model {second}; pass a pair of models"
        )
    if truth is not None and pair[0].task == "regression":
        came = 1 if truth.ndim == 1 else truth.shape[1]
        if came != first:
            raise UserError(f"y has {came} values per row, and original predicts {first}")
    return first


def _limit(task: Task, tolerance: float, values: NDArray[Any]) -> Limit:
    """How far apart predictions of regressors may be to count as alike, for each target."""
    if task != "regression":
        return 0.0
    return np.asarray(tolerance * np.std(values, axis=0))


def _probed(predict: Mapping[str, Predict], feeds: Feeds, limit: Limit) -> Parity | None:
    """How far the predictions for probe rows are apart; None if the original refuses them.

    Raises:
        UserError: the original predicts them, and the model refuses them.
    """
    try:
        predict["original"](feeds)
    except Exception:  # a refusal: each library has its own
        return None
    return _parity(predict_with_all(predict, feeds, "probe rows"), limit)


def _truth(original: GivenModel, y: Any, rows: int) -> NDArray[Any]:
    """``y`` in the form of the original's predictions."""
    target = targets(y, original.task, rows)
    if original.task == "regression" or original.estimator is None:
        return target
    return check_classes(original.estimator, target, original.name)


def _parity(found: list[Predictions], limit: Limit) -> Parity:
    """How far two predictions are apart; regressors agree within ``limit``."""
    first, second = found
    task: Task = "regression" if first.scores is None else "classification"
    rows = len(first.values)
    differ = count_disagreeing(task, first, second, limit)
    largest = float(relative_differences(numbers(first), numbers(second)).max())
    return Parity(rows, 1 - differ / rows, largest, upper_bound(differ, rows))


def _thresholds_of(pair: tuple[GivenModel, GivenModel], schema: Schema) -> onnx.ModelProto:
    """The graph whose thresholds are probed: the original's, else the model's."""
    original, model = pair
    if original.data:
        return original.proto
    try:
        plain = converted(original.estimator, schema, NEWEST_OPSET)
    except UserError:
        if model.data:
            return model.proto
        raise
    graph: onnx.ModelProto = onnx.load_from_string(plain)
    return graph
