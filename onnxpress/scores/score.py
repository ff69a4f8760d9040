"""A score by the name of scikit-learn's scorer, on the predictions of any model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.limits import (
    NDCG,
    SCORERS,
    is_ndcg,
    is_scorer,
    ndcg_depth,
    nearest,
    pinball_quantile,
)
from onnxpress.runtime.predictions import Predictions, as_labels
from onnxpress.scores.cells import counted_cells
from onnxpress.scores.curves import OF_DECISIONS, rank_score
from onnxpress.scores.fractions import OF_PROBABILITIES, number_score, probability_score
from onnxpress.scores.ndcg import ndcg_of_groups, why_no_ndcg
from onnxpress.scores.scorers import (
    MEANS_OVER_ROWS,
    SHARES_OF_ROWS,
    Task,
    fits,
    fitting,
    kind_of,
    scored,
    tells_classes,
    why_not_numbers,
)
from onnxpress.tables.mapped import PIECE_ROWS, different, finite, row_by_row, spans, where
from onnxpress.text import shortened

Label = int | str
"""A class, as int64 or str labels have it."""

DEFAULTS: dict[str, str] = {"classification": "accuracy", "regression": "r2"}
"""The score of each task where none is named."""

TRUTHS = {True: ("true", "yes", "on", "y"), False: ("false", "no", "off", "n")}
"""What YAML reads as a truth, in lower case."""

LOGARITHMIC = ("neg_log_loss", "d2_log_loss_score")
"""Scores of the logarithm of a probability, which zero has none of."""

ROUNDING = 1e-3
"""How far probabilities of a row may be from adding up to 1: float32, and quantised leaves."""

REFUSED = 1e-5
"""How far from 1 scikit-learn refuses them."""


@dataclass(frozen=True)
class Score:
    """One of scikit-learn's scores: the greater, the better."""

    name: str
    """scikit-learn's name of the scorer."""
    task: Task
    classes: tuple[Label, ...] = ()
    """The original's classes, sorted, in the order of its scores; empty for regression."""
    positive: Label | None = None
    """Of two classes, the one that recall, precision and the like are about."""
    targets: int = 1
    """Regression: how many numbers a row has. scikit-learn averages the scores of several."""
    groups: NDArray[np.int64] | None = field(default=None, compare=False, repr=False)
    """The number of each row's group, (rows,), where the rows that are scored have groups."""

    def __call__(self, target: NDArray[Any], predictions: Predictions) -> float:
        """Return the score of predictions against ``target`` (rows,), the greater the better.

        Of several targets it is (rows, targets).

        It is scikit-learn's own, asked of an estimator that answers with the predictions. NaN where
        it is undefined on these rows, or where the predictions lack what it needs.
        """
        if self.undefined(target):
            return math.nan
        if is_ndcg(self.name):
            of_groups = self.of_groups(target, predictions)
            counted = where(of_groups, row_by_row(np.isfinite, of_groups))
            return float(counted.mean()) if len(counted) else math.nan
        if len(target) > PIECE_ROWS:
            found = self._of_many(target, predictions)
            return found if math.isfinite(found) else math.nan
        return scored(self.name, len(self.classes), *self.answering(target, predictions))

    def _of_many(self, target: NDArray[Any], predictions: Predictions) -> float:
        """Return the score of more rows than a piece, without an array of all in memory."""
        if self.name in MEANS_OVER_ROWS:
            return self._mean_of_pieces(target, predictions)
        if self.name == DEFAULTS["regression"]:
            return _r2_of_pieces(target, predictions.values)
        if self.task == "regression":
            return number_score(self.name, np.asarray(target, np.float64), predictions.values)
        if not self.needs_scores:
            return self._of_cells(target, predictions)
        codes = self.encoded(target)
        if codes.max() >= len(self.classes):  # scikit-learn decides what an unknown label means
            return scored(self.name, len(self.classes), *self.answering(target, predictions))
        return self._of_scores(codes, predictions)

    def _of_scores(self, codes: NDArray[np.int64], predictions: Predictions) -> float:
        """Return a score of ranks or probabilities, of rows of these classes."""
        scores = self.columns(predictions)
        if scores is None or not (predictions.proper or self.name in OF_DECISIONS):
            return math.nan
        if self.name in OF_PROBABILITIES:
            return probability_score(self.name, codes, scores)
        if scores.shape[1] == 2 and predictions.proper:
            scores = scores[:, 1]
        elif scores.shape[1] == 2:
            scores = row_by_row(np.subtract, scores[:, 1], scores[:, 0])
        return rank_score(self.name, codes, scores)

    def _of_cells(self, target: NDArray[Any], predictions: Predictions) -> float:
        """Return a score of labels from a row for each cell, weighted with the rows in it."""
        from onnxpress.scores.answers import AnsweringClassifier

        codes = self.encoded(target), self.encoded(predictions.values)
        (truth, labels), rows = counted_cells(*codes)
        n_classes = len(self.classes)
        return scored(self.name, n_classes, AnsweringClassifier(n_classes, labels), truth, rows)

    def _mean_of_pieces(self, target: NDArray[Any], predictions: Predictions) -> float:
        """Return a score that is a mean over the rows, from those of pieces of them."""
        found = []
        for span in spans(len(target)):
            part = target[span]
            answers = self.answering(part, predictions.take(span))
            value = len(part) * scored(self.name, len(self.classes), *answers)
            found.append(np.rint(value) if self.name in SHARES_OF_ROWS else value)
        return math.fsum(found) / len(target)

    def of_groups(self, target: NDArray[Any], predictions: Predictions) -> NDArray[np.float64]:
        """Return the NDCG of each group, whose mean is the score: (groups,).

        NaN of groups that do not count (:func:`onnxpress.scores.ndcg.ndcg_of_groups`), and of all
        where a prediction is NaN or infinite.

        Raises:
            ValueError: the rows are in no groups.
        """
        if self.groups is None:
            raise ValueError("the rows should be in groups, got none")
        values = predictions.values
        found = ndcg_of_groups(target, values, self.groups, ndcg_depth(self.name))
        return found if finite(values) else np.full_like(found, np.nan)

    def on(self, groups: NDArray[np.int64] | None) -> Score:
        """Return the same score for other rows, which have these groups, (rows,)."""
        return replace(self, groups=groups)

    @property
    def needs_probabilities(self) -> bool:
        """Whether labels and decision scores are not enough."""
        return self.task == "classification" and not self._fits(proper=False, has_scores=True)

    @property
    def needs_scores(self) -> bool:
        """Whether labels are not enough."""
        return self.task == "classification" and not self._fits(proper=False, has_scores=False)

    def _fits(self, *, proper: bool, has_scores: bool) -> bool:
        n_classes = len(self.classes)
        return fits(self.name, self.task, n_classes, proper=proper, has_scores=has_scores)

    def undefined(self, target: NDArray[Any]) -> str:
        """Say why no model has this score on rows with this target (rows,); empty if it has one."""
        if not len(target):
            return "there are no rows"
        if is_ndcg(self.name):
            return why_no_ndcg(target, self.groups)
        if self.task == "regression":
            return why_not_numbers(self.name, np.asarray(target, np.float64))
        codes = self.encoded(target)
        present = np.flatnonzero(np.bincount(codes))
        if tells_classes(self.name, len(self.classes), frozenset(present.tolist())):
            return ""
        return self._missing(target, codes)

    def _missing(self, target: NDArray[Any], codes: NDArray[np.int64]) -> str:
        unknown = as_labels(target)[codes >= len(self.classes)]
        if len(unknown):
            return f"the model does not know the label {unknown[0].item()!r}"
        present = set(different(codes).tolist())
        absent = [each for at, each in enumerate(self.ordered) if at not in present]
        names = ", ".join(repr(label) for label in absent[:5])
        return f"no row is of the class {names}" if absent else "every answer would score alike"

    @property
    def ordered(self) -> tuple[Label, ...]:
        """The classes in the order of their codes: of two, the positive one is last."""
        return self.classes[::-1] if self._is_reversed else self.classes

    @property
    def _is_reversed(self) -> bool:
        return len(self.classes) == 2 and self.positive == self.classes[0]

    def encoded(self, labels: NDArray[Any]) -> NDArray[np.int64]:
        """Return labels (rows,) as codes from 0; of two classes, 1 is the positive one.

        A label that is none of the classes gets a code of its own after theirs.
        """
        labels = as_labels(labels)
        codes = row_by_row(self._known_codes, labels)
        if codes.min(initial=0) < 0:
            _, others = np.unique(labels[codes < 0], return_inverse=True)
            codes[codes < 0] = len(self.classes) + others
        return codes

    def _known_codes(self, labels: NDArray[Any]) -> NDArray[np.int64]:
        """Return the codes of labels (rows,), -1 for one that is none of the classes."""
        classes = np.array(self.classes)
        if labels.dtype.kind != classes.dtype.kind:
            classes = classes[:0].astype(labels.dtype)
        # classes [a, c], labels [c, b, a]: found at [1, 1, 0], and b is not what lies there
        codes = np.searchsorted(classes, labels).astype(np.int64)
        known = np.zeros(len(labels), bool)
        inside = codes < len(classes)
        known[inside] = classes[codes[inside]] == labels[inside]
        if self._is_reversed:
            codes = 1 - codes
        codes[~known] = -1
        return codes

    def answering(self, target: NDArray[Any], predictions: Predictions) -> tuple[Any, NDArray[Any]]:
        """Return an estimator that answers the predictions, and the target as it is scored."""
        from onnxpress.scores.answers import AnsweringClassifier, AnsweringRegressor

        if self.task == "regression":
            return AnsweringRegressor(predictions.values), np.asarray(target, np.float64)
        scores = self.columns(predictions)
        probabilities = scores if predictions.proper else None
        decisions = None if predictions.proper else scores
        n_classes, values = len(self.classes), self.encoded(predictions.values)
        estimator = AnsweringClassifier(n_classes, values, probabilities, decisions)
        return estimator, self.encoded(target)

    def columns(self, predictions: Predictions) -> NDArray[np.float64] | None:
        """Return the scores (rows, classes) in the order of the codes; None without them.

        None too if probabilities are NaN or outside [0, 1].
        """
        scores = predictions.scores
        if scores is None or scores.shape[1] != len(self.classes):
            return None
        ordered = scores[:, ::-1] if self._is_reversed else scores
        if not predictions.proper:
            return ordered
        mended = _mended(ordered)
        if mended is not None and self.name in LOGARITHMIC:
            return row_by_row(_off_zero, mended)
        return mended


def _r2_of_pieces(target: NDArray[Any], values: NDArray[np.float64]) -> float:
    """Return R2, of several targets the mean, from sums over pieces of the rows."""
    mean = target.mean(axis=0)
    errors, spread = np.float64(0), np.float64(0)
    with np.errstate(all="ignore"):
        for span in spans(len(target)):
            errors = errors + ((target[span] - values[span]) ** 2).sum(axis=0)
            spread = spread + ((target[span] - mean) ** 2).sum(axis=0)
        found = float(np.mean(1 - errors / spread))
    return found if math.isfinite(found) else math.nan


def _mended(probabilities: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return probabilities (rows, classes) without the rounding that scikit-learn refuses.

    1. None if one is NaN, or outside [0, 1] by more than rounding.
    2. One outside by less becomes 0 or 1.
    3. Rows that scikit-learn would refuse, and that add up to 1 but for rounding, are divided by
       their sum. All others stay: a division would make different numbers of equal ones, and a
       score of ranks counts ties.
    """
    outside = row_by_row(lambda part: np.abs(np.clip(part, 0, 1) - part).max(axis=1), probabilities)
    if not outside.max(initial=0) <= ROUNDING:  # also if that is NaN
        return None
    return row_by_row(_divided, probabilities)


def _divided(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    within = np.clip(probabilities, 0, 1)
    sums = within.sum(axis=1, keepdims=True)
    off = np.abs(sums - 1)
    divided = (off > REFUSED / 10) & (off <= ROUNDING)
    return np.asarray(within / np.where(divided, sums, 1))


def _off_zero(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities (rows, classes) of float32's rounding or more, that add up to 1.

    scikit-learn takes a zero for the rounding of its type. The original answers an exact zero as
    float64, where that is 36 of log loss, and its float32 form 1e-7, which is 16: so both get what
    scikit-learn itself makes of float32.

    >>> _off_zero(np.array([[0.0, 1.0], [0.25, 0.75]])).round(8).tolist()
    [[1.2e-07, 0.99999988], [0.25, 0.75]]
    """
    rounding = float(np.finfo(np.float32).eps)
    within = np.clip(probabilities, rounding, 1 - rounding)
    return np.asarray(within / within.sum(axis=1, keepdims=True))


def as_classes(labels: NDArray[Any]) -> tuple[Label, ...]:
    """Return the different labels, sorted, as int or str: those of a target, or ``classes_``."""
    return tuple(different(as_labels(labels)).tolist())


def default_score(task: Task, target: NDArray[Any], values: NDArray[Any]) -> float:
    """Return the accuracy or R2 of ``values`` against ``target``, of the same shape."""
    classes = as_classes(target) if task == "classification" else ()
    return Score(DEFAULTS[task], task, classes)(target, Predictions(values, None))


def fitting_scores(
    task: Task, n_classes: int, *, proper: bool = True, scored: bool = True
) -> tuple[str, ...]:
    """Return the names of scikit-learn's scorers that such a model can answer, sorted.

    ``proper`` says whether it gives probabilities, ``scored`` whether it gives scores at all.
    """
    return fitting(task, n_classes, proper=proper, has_scores=scored)


def chosen_name(name: str | None, *, ranks: bool, groups: NDArray[np.int64] | None) -> str | None:
    """Return the name of the score that counts; None is accuracy or R2.

    Where none is named, it is NDCG for a model that ranks rows in ``groups``.
    """
    return NDCG if name is None and ranks and groups is not None else name


def find_score(  # noqa: PLR0913 - keywords with defaults say what the model can
    name: str | None,
    task: Task,
    classes: tuple[Label, ...] = (),
    positive: Label | None = None,
    *,
    proper: bool = True,
    scored: bool = True,
    targets: int = 1,
    groups: NDArray[np.int64] | None = None,
    key: str = "score",
) -> Score:
    """Find a score by scikit-learn's name, or NDCG; None is accuracy or R2.

    Args:
        name: of the scorer.
        task: of the model.
        classes: of the original, sorted; empty for regression.
        positive: of two classes, the one that recall and the like are about; None: the greater.
        proper: whether the model gives probabilities.
        scored: whether it gives scores at all.
        targets: how many numbers it predicts for a row.
        groups: the number of each row's group, (rows,); None if the rows are in no groups.
        key: what an error calls the name.

    Raises:
        UserError: no such scorer, or it does not fit the task, the number of classes or the model;
            or ``positive`` is not one of two classes.
    """
    positive = _positive(positive, task, classes, f"{key.rpartition('.')[0]}.positive".lstrip("."))
    if name is None:
        return Score(DEFAULTS[task], task, classes, positive, targets, groups)
    valid = fitting(task, len(classes), proper=proper, has_scores=scored, targets=targets)
    named = task == "regression" and isinstance(name, str)
    of_groups = named and targets == 1 and is_ndcg(name)
    if of_groups and groups is None:
        raise UserError(
            f"{key} {name!r} compares rows of one group, and these are in no groups; name the "
            "column that says which rows belong together (`group`)"
        )
    if name not in valid and not of_groups and not (named and pinball_quantile(name)):
        raise UserError(f"{key} {_complaint(name, task, len(classes), valid)}")
    return Score(name, task, classes, positive, targets, groups)


def _complaint(name: Any, task: Task, n_classes: int, valid: tuple[str, ...]) -> str:
    choose = f"choose one of {', '.join(valid)}"
    shown = shortened(repr(name))
    if not isinstance(name, str) or not is_scorer(name):
        near = nearest(str(name), valid) or nearest(str(name), SCORERS)
        hint = f"did you mean {near!r}? Else {choose}" if near else choose
        return f"should name a scorer of scikit-learn, got {shown}; {hint}"
    kind = kind_of(name)
    if kind == "clustering":
        return f"{shown} compares clusterings, not predictions; {choose}"
    if kind == "multilabel":
        return f"{shown} is for several labels a row, and a row has one; {choose}"
    if kind != task:
        target = "classes" if task == "classification" else "numbers"
        return f"{shown} is for {kind}, and the target has {target}; {choose}"
    if task == "regression" or not fits(name, task, n_classes, proper=True, has_scores=True):
        wanted = "two classes" if n_classes != 2 else "three or more classes"
        came = f"{wanted}, and the target has {n_classes}"
        if task == "regression":
            came = "one target, and there are several"
        return f"{shown} is for {came}; {choose}"
    needs_scores = fits(name, task, n_classes, proper=False, has_scores=True)
    what = "scores" if needs_scores else "probabilities"
    return f"{shown} needs {what}, and this model gives none; {choose}"


def _positive(positive: Any, task: Task, classes: tuple[Label, ...], key: str) -> Label | None:
    """Return the positive of two classes, None for another number of them."""
    if positive is None:
        return classes[1] if len(classes) == 2 else None
    shown = shortened(repr(positive))
    if task == "regression":
        raise UserError(f"{key} should be null, got {shown}: the target has numbers, not classes")
    if len(classes) != 2:
        raise UserError(
            f"{key} should be null, got {shown}: it is for two classes, "
            f"and the target has {len(classes)}"
        )
    for label in classes:
        if label == positive or str(label) == str(positive):
            return label
    # YAML reads `yes` as a truth, where the target has the text
    words = TRUTHS[positive] if isinstance(positive, bool) else ()
    meant = [label for label in classes if str(label).lower() in words]
    if len(meant) == 1:
        return meant[0]
    names = " or ".join(repr(label) for label in classes)
    raise UserError(f"{key} should be a class of the target, {names}, got {shown}")


def check_rows(
    score: Score, target: NDArray[Any], *, rows: str = "these rows", key: str = "score"
) -> None:
    """Check that the score is defined on rows with this target (rows,).

    ``rows`` and ``key`` are what an error calls the rows and the score.

    Raises:
        UserError: it is undefined, whatever a model answers.
    """
    if reason := score.undefined(target):
        names = fitting(
            score.task, len(score.classes), proper=True, has_scores=True, targets=score.targets
        )
        others = [name for name in names if not replace(score, name=name).undefined(target)]
        choose = f"; choose one of {', '.join(others)}" if others else ""
        raise UserError(f"{key} {score.name!r} is undefined on {rows}: {reason}{choose}")
