"""The scores and limits of params.yaml, refused where they do not fit before a model is fitted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from onnxpress.errors import UserError
from onnxpress.limits import is_scorer
from onnxpress.pipeline.inputs import read_training
from onnxpress.pipeline.outputs import PARAMS
from onnxpress.pipeline.params import Asked, load_asked
from onnxpress.runtime.predictions import Predictions
from onnxpress.scores.budgets import check_limits
from onnxpress.scores.score import Label, Score, as_classes, check_rows, find_score
from onnxpress.scores.scorers import Task
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema

SCORE_KEY = "evaluate.score"


Check = Callable[[Predictions], None]


def read_checked() -> tuple[Schema, Rows, Rows, Check]:
    """Read the schema, the training rows and the calibration rows, with a check of the scores.

    The check is for the predictions of a clone, which was fitted on a few rows of every class.

    Raises:
        UserError: as :func:`onnxpress.pipeline.inputs.read_training`, or a score or a limit of
            params.yaml does not fit these rows.
    """
    schema, rows, calibration = read_training()
    check = ScoreCheck(load_asked(), schema.task, rows, calibration)
    check.before_fit()
    return schema, rows, calibration, check.of_predictions


@dataclass(frozen=True)
class ScoreCheck:
    """What params.yaml asks for, held against the training and calibration rows."""

    asked: Asked
    task: Task
    train: Rows
    calibration: Rows
    """Without rows if none are set aside."""

    def before_fit(self) -> None:
        """Check names and rows, with a model in mind that gives probabilities.

        Raises:
            UserError: a score or a limit does not fit the task or the classes, or the score is
                undefined on the rows; one line that names the key.
        """
        with _in_params():
            self._check_names(proper=True, scored=True)
            limited = [name for name in self.asked.calibration if is_scorer(name)]
            kept = self.calibration if len(self.calibration) else self.train
            self._check_rows(limited, kept, "quantize.max_drop:")
            if self.asked.score is not None:
                self._check_rows([self.asked.score], kept, SCORE_KEY)
                self._check_rows([self.asked.score], self.train, SCORE_KEY)
            self._check_rows(self.asked.also, self.train, "evaluate.also")

    def of_predictions(self, predictions: Predictions) -> None:
        """Check what a clone predicts, which was fitted on a few rows of every class.

        Raises:
            UserError: a score or a limit needs probabilities or scores, and the model has none.
        """
        scores, n_classes = predictions.scores, len(self._classes)
        scored = scores is not None and scores.shape[1] == n_classes
        with _in_params():
            self._check_names(proper=predictions.proper and scored, scored=scored)

    @property
    def _classes(self) -> tuple[Label, ...]:
        return as_classes(self.train.target) if self.task == "classification" else ()

    def _check_names(self, *, proper: bool, scored: bool) -> None:
        can = {"proper": proper, "scored": scored}
        score = self._found(self.asked.score, SCORE_KEY, **can)
        for name in self.asked.also:
            self._found(name, "evaluate.also", **can)
        check_limits(self.asked.calibration, score, key="quantize.max_drop", **can)
        check_limits(self.asked.test, score, key="gate.max_drop", **can)

    def _found(self, name: str | None, key: str, **can: bool) -> Score:
        target = self.train.target
        return find_score(
            name,
            self.task,
            self._classes,
            self.asked.positive,
            targets=1 if target.ndim == 1 else target.shape[1],
            groups=self.train.groups,
            key=key,
            **can,
        )

    def _check_rows(self, names: Sequence[str], rows: Rows, key: str) -> None:
        what = "training" if rows is self.train else "calibration"
        for name in names:
            score = self._found(name, key).on(rows.groups)
            check_rows(score, rows.target, rows=f"the {len(rows)} {what} rows", key=key)


@contextmanager
def _in_params() -> Iterator[None]:
    """Name params.yaml before the key that an error of the block begins with."""
    try:
        yield
    except UserError as error:
        raise type(error)(f"{PARAMS}: {error}") from error
