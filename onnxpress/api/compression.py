"""The smallest or fastest ONNX model within a budget."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
import pandas as pd

from onnxpress.api.checks import check_choice, check_seed
from onnxpress.api.conversion import converted
from onnxpress.api.faithfulness import conversion_doubts
from onnxpress.api.group_arguments import group_numbers, numbers_of_both
from onnxpress.api.model_arguments import (
    GivenModel,
    OnnxHolder,
    check_classes,
    for_target,
    given_model,
)
from onnxpress.api.rounding import rounding_doubts
from onnxpress.api.table_arguments import Features, features, targets
from onnxpress.bodies.device import device_of
from onnxpress.errors import UserError
from onnxpress.estimators.layout import original_input
from onnxpress.progress import Progress, show_nothing
from onnxpress.quantize.choice import choose
from onnxpress.quantize.methods import list_candidates
from onnxpress.quantize.options import Level, MethodName, MlOpset, Objective, Options
from onnxpress.quantize.terms import needed_by, terms_of
from onnxpress.quantize.trials import (
    Clones,
    Needed,
    Trials,
    can_be_fitted,
    cross_fits,
    held_out,
    too_few,
    trials_of,
)
from onnxpress.quantize.verdicts import Verdict
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema
from onnxpress.tables.split import CALIBRATION_SHARE, calibration_share, split_off
from onnxpress.text import shortened

CHOICES: dict[str, Any] = {
    "method": MethodName,
    "objective": Objective,
    "level": Level,
    "ml_opset": MlOpset,
}


@dataclass(frozen=True)
class Compressed(OnnxHolder):
    """What :func:`compress` made."""

    data: bytes = field(repr=False)
    """The compressed model: the bytes of an ONNX file."""

    plain: bytes = field(repr=False)
    """The model in ONNX before; the same as ``data`` if no candidate was chosen."""

    candidate: str
    """The candidate that was chosen, such as ``forest/lossless``; ``none`` if none was."""

    summary: str
    """The conclusion in one line."""

    scoring: str
    """The rows that candidates were scored on."""

    verdicts: tuple[Verdict, ...] = field(repr=False)
    """What became of each candidate, and why, in the order of trying."""

    warnings: tuple[str, ...]
    """What to know before the model is used, a line each; empty if nothing is."""

    record: dict[str, Any] = field(repr=False)

    @property
    def model(self) -> onnx.ModelProto:
        """The compressed model, to look at.

        Use ``data`` or :meth:`save` for files: onnx itself writes the lists of a forest in up to
        twice the space.
        """
        return onnx.load_from_string(self.data)

    @property
    def times_smaller(self) -> float:
        """Bytes before over bytes after."""
        return len(self.plain) / len(self.data)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the compressed model to a file."""
        Path(path).write_bytes(self.data)

    def to_json(self) -> dict[str, Any]:
        """Return all verdicts, and what runs the model, as JSON's types."""
        return {**self.record, "warnings": list(self.warnings)}

    def __str__(self) -> str:
        """The verdicts and the conclusion, a line each."""
        lines = [f"{each.name}: {each.outcome}, {each.reason}" for each in self.verdicts]
        return "\n".join([*lines, *self.warnings, self.summary])


def compress(
    model: Any,
    X: Any,
    y: Any,
    *,
    groups: Any = None,
    calibration: tuple[Any, ...] | None = None,
    score: str | None = None,
    positive: int | str | None = None,
    budgets: Mapping[str, float | None] | None = None,
    device: Mapping[str, float] | None = None,
    method: MethodName = "auto",
    objective: Objective = "size",
    level: Level = "auto",
    opset: int = 12,
    ml_opset: MlOpset = 5,
    trust: Collection[str] = (),
    seed: int = 0,
    progress: Progress = show_nothing,
) -> Compressed:
    """Find the smallest or fastest ONNX model within all ``budgets``.

    Every candidate is judged on rows that it has not learned from: those of ``calibration``, else a
    fifth of ``X`` from 1,000 rows on. From fewer rows, clones of the estimator are fitted on five
    folds, compressed in the same way, and each is scored on the fold that it has not seen. If
    nothing is smaller within the budget, the result is the plain ONNX model.

    The fifth of ``X`` is new to the candidates, but not to a model that was fitted on all of ``X``.
    On rows that it has memorised the model scores higher than on new ones, a candidate that does as
    well on new rows seems to lose, and often only lossless ones pass. So pass ``calibration`` for
    such a model; the same holds for an ONNX model with any number of rows. ``scoring`` of the
    result says which rows were used.

    The result takes numbers in the order of ``X``'s columns, as float32.

    Args:
        model: A fitted classifier or regressor, an ONNX model, or the path of a file of either.
        X: Training rows, an array or a DataFrame; candidates learn from them. For a net also
            tensors: an array (rows, ...), or a mapping from the names of inputs to arrays.
        y: Their classes or values; of a regressor of several targets (rows, targets).
        groups: What says which rows of ``X`` belong together, such as those of a query, (rows,):
            no split divides them, and ``ndcg`` ranks the rows of each.
        calibration: ``X`` and ``y`` of rows that the model was not fitted on; with ``groups``, also
            their groups.
        score: scikit-learn's name of a scorer, the greater the better, such as ``roc_auc`` or
            ``neg_mean_absolute_error``, or ``ndcg`` or ``ndcg_at_10`` of rows in groups; None:
            accuracy of classifiers, R2 of regressors, NDCG of boosters that rank rows in groups.
        positive: Of two classes, the one that recall, average precision and the like are about;
            None: the greater.
        budgets: The most that may be lost, by key: ``score`` (0 by default),
            ``recall_worst_loss`` (of any class, 0.02 by default), ``average_precision`` (0.01 by
            default of a class with less than a fifth of the rows, if there are two),
            ``target_worst_loss`` (of any of several targets, as much as ``score`` by default),
            ``disagreement`` (share of rows with another prediction), ``log_loss``, ``brier``, any
            name of a scorer; of regressors also ``within_tolerance``, ``max_abs_error`` and
            ``max_abs_error_p95`` (in the unit of ``y``). None switches a key off.
        device: What the device has that the model is for, by key: ``flash_kb`` and ``ram_kb`` of
            1024 bytes for the C of ``onnxpress export-c`` on a Cortex-M4F, ``row_us`` for a row, at
            ``clock_mhz`` (64 by default). Of what fits, the best score within ``budgets`` is
            chosen. With ``row_us`` alone, a call of onnxruntime is timed on this machine.
        method: Try one method only, or ``none``.
        objective: What the best is chosen by: ``size``, or the measured time of one row
            (``latency``) or of a batch (``throughput``).
        level: How far forests may be changed: ``lossless``, ``faithful``, ``refined``, or
            ``auto`` for all.
        opset: Version of the ai.onnx operator set, 11 to 22.
        ml_opset: Version of ai.onnx.ml for forests: 5 is the smallest, 3 runs in older runtimes.
        trust: Classes that a stored estimator may hold besides scikit-learn's.
        seed: Of every random choice.
        progress: Shows how many candidates are done.

    Raises:
        UserError: an argument is not what it should be, the model has no ONNX form, or nothing
            fits the ``device`` within ``budgets``.

    >>> import onnxpress
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> forest = RandomForestClassifier(30, random_state=0).fit(X, y)
    >>> result = onnxpress.compress(forest, X, y, level="lossless")
    >>> result.candidate, result.times_smaller > 2
    ('forest/lossless', True)
    >>> result.save("forest.onnx")
    """
    limits, has = _mapping(budgets, "budgets"), _mapping(device, "device")
    options = Options(method, objective, level, ml_opset, seed, limits, has, score, positive)
    _check(options)
    given, table = for_target(given_model(model, "model", trust), y), features(X)
    job = _job(given, table, y, groups, opset)
    doubts = conversion_doubts(job.estimator, job.plain, job.rows.feeds, job.schema, given.name)
    doubts += rounding_doubts(job.estimator, table, job.schema, given.name)
    target = device_of(options, job.rows)
    candidates = list_candidates(onnx.load_from_string(job.plain), options)
    kept = None
    if calibration is not None:
        job, kept = _with_calibration(job, calibration, groups)
    trials = _trials(job, kept, opset, seed, needed_by(options, candidates))
    terms = terms_of(options, job.schema, job.plain, trials, original=lambda: job.estimator)
    terms = replace(terms, device=target)
    choice = choose(job.plain, candidates, trials, terms, options, progress=progress)
    return Compressed(
        choice.model,
        job.plain,
        choice.candidate,
        choice.summary.replace("model_quantized.onnx", "the result"),
        choice.scoring,
        tuple(choice.verdicts),
        (*doubts, *sorted(trials.warned)),
        choice.to_json(),
    )


@dataclass(frozen=True)
class _Job:
    """A model to compress, its plain ONNX form, and the rows that candidates may learn from."""

    given: GivenModel
    estimator: Any
    plain: bytes
    rows: Rows
    schema: Schema


def _job(given: GivenModel, table: Features, y: Any, groups: Any, opset: int) -> _Job:
    """Convert the model.

    Raises:
        UserError: it does not fit ``X`` and ``y``, or has no ONNX form.
    """
    rows = replace(_rows(given, table, y), groups=group_numbers(groups, len(table)))
    schema = table.schema(given.task, rows.target)
    estimator = given.as_estimator(rows, schema)
    rows = _with_known_classes(estimator, rows, given)
    return _Job(given, estimator, converted(estimator, schema, opset), rows, schema)


def _check(options: Options) -> None:
    """See that each option has one of its values.

    Raises:
        UserError: one has not.
    """
    for name, kind in CHOICES.items():
        check_choice(name, getattr(options, name), get_args(kind))
    check_seed(options.seed)


def _mapping(budgets: Any, name: str) -> dict[str, Any]:
    """The budgets as a dictionary.

    Raises:
        UserError: they are no mapping from names.
    """
    if budgets is None:
        return {}
    if not isinstance(budgets, Mapping) or not all(isinstance(key, str) for key in budgets):
        example = {"budgets": "{'score': 0.01}", "device": "{'flash_kb': 32}"}[name]
        expected = f"a mapping from names to numbers, such as {example}"
        raise UserError(f"{name} should be {expected}, got {shortened(repr(budgets))}")
    return dict(budgets)


def _rows(given: GivenModel, table: Features, y: Any) -> Rows:
    return table.rows(targets(y, given.task, len(table)), given.task)


def _with_known_classes(estimator: Any, rows: Rows, given: GivenModel) -> Rows:
    """The rows with their target in the form of the model's predictions.

    Raises:
        UserError: it holds a class that the model does not know.
    """
    if given.task == "regression":
        return rows
    return replace(rows, target=check_classes(estimator, rows.target, given.name))


def _trials(job: _Job, calibration: Rows | None, opset: int, seed: int, needed: Needed) -> Trials:
    """How candidates are scored: on given rows, on rows set aside, or by cross-fitting."""
    inputs = partial(original_input, job.estimator, schema=job.schema)
    clones = Clones(partial(copy.copy, job.estimator), job.schema, opset, seed, inputs)
    if calibration is not None:
        return trials_of(job.plain, job.rows, calibration, clones, needed)
    share, refits = calibration_share(len(job.rows)), can_be_fitted(job.estimator)
    if not share and refits:
        return cross_fits(clones, job.rows)
    learn, kept = _set_aside(job, share or CALIBRATION_SHARE, seed)
    few = bool(too_few(learn, kept, needed))
    if few and refits:
        return trials_of(job.plain, learn, kept, clones, needed)
    name = f"{len(kept)} rows set aside, which the model itself may have been fitted on"
    return replace(held_out(job.plain, learn, kept), name=name, few=few)


def _with_calibration(job: _Job, calibration: tuple[Any, ...], groups: Any) -> tuple[_Job, Rows]:
    """The job, and the rows of the ``calibration`` argument; their groups are numbered together.

    Raises:
        UserError: it is not a pair, or a triple where there are ``groups``; or it has other columns
            than ``X``.
    """
    parts = 2 if groups is None else 3
    if not (isinstance(calibration, (tuple, list)) and len(calibration) == parts):
        what = "a pair of X and y" if groups is None else "X, y and groups, as X has groups"
        raise UserError(f"calibration should be {what}")
    table = features(calibration[0])
    came, expected = (
        [(c.name, c.kind in ("number", "tensor"), c.shape, c.dtype) for c in each]
        for each in (table.columns, job.schema.columns)
    )
    if came != expected:
        raise UserError("calibration should have the columns of X: same names, order and types")
    rows = _rows(job.given, table, calibration[1])
    rows = _with_known_classes(job.estimator, rows, job.given)
    if groups is None:
        return job, rows
    own, kept = numbers_of_both(groups, len(job.rows), calibration[2], len(rows))
    return replace(job, rows=replace(job.rows, groups=own)), replace(rows, groups=kept)


def _set_aside(job: _Job, share: float, seed: int) -> tuple[Rows, Rows]:
    """Split the rows as the pipeline does: at random, by whole groups, stratified by class.

    Raises:
        UserError: a class is too rare, or the rows are of one group.
    """
    labels = job.rows.target if job.schema.task == "classification" else np.arange(len(job.rows))
    frame, schema = pd.DataFrame({job.schema.target_name: labels}), job.schema
    if job.rows.groups is not None:
        frame, schema = frame.assign(groups=job.rows.groups), replace(schema, group="groups")
    try:
        parts = split_off(frame, schema, share, "share", seed)
    except UserError as error:
        if schema.group is not None:
            raise UserError(
                f"groups are too few, or a class is in too few of them, to set {share:.0%} of the "
                "rows aside; pass calibration=(X, y, groups)"
            ) from error
        raise UserError(
            f"y has a class that is too rare to set {share:.0%} of the rows aside; "
            "pass calibration=(X, y)"
        ) from error
    learn, kept = (job.rows.take(part.index.to_numpy()) for part in parts)
    return learn, kept
