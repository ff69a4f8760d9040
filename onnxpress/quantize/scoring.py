"""What a candidate loses, on rows that no model in question has learned from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.engine.engine import HERE
from onnxpress.graph.canonical import to_bytes
from onnxpress.limits import AVERAGE_PRECISION, DISAGREEMENT, SCORE
from onnxpress.quantize.candidates import Candidate
from onnxpress.quantize.terms import Terms
from onnxpress.quantize.trials import FEW_OF_CLASS, Trial, Trials
from onnxpress.runtime.predictions import Predictions, in_any_column
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.scores.bounds import lower_bound
from onnxpress.scores.losses import Loss, bounded, measured_losses
from onnxpress.scores.score import Label, as_classes


@dataclass(frozen=True)
class Compared:
    """The predictions of the plain model and of a candidate for the rows of all trials."""

    target: NDArray[Any]
    before: Predictions
    after: Predictions
    groups: NDArray[np.int64] | None = None
    """The number of each row's group, (rows,), where the rows have groups."""

    def lost_sign(self) -> str:
        """Say where a regressor is not above zero though the plain one is; empty if nowhere.

        A plain model that is below zero on some row is not one of positive answers, and nothing is
        asked of its candidates.
        """
        if self.before.scores is not None:
            return ""
        never_below = (self.before.values >= 0).all(axis=0)
        cells = (self.before.values > 0) & ~(self.after.values > 0) & never_below
        lost = in_any_column(cells)
        if not lost.any():
            return ""
        first = tuple(np.argwhere(cells)[0])
        before, after = self.before.values[first], self.after.values[first]
        rows = f"{int(lost.sum())} of {len(lost)} rows"
        return f"it predicts zero or less on {rows}, such as {after:.4g} instead of {before:.4g}"


@dataclass(frozen=True)
class Scorer:
    """Scores candidates on the trials, against the plain model of each trial.

    It makes no trial before it needs one: that may mean fitting clones.
    """

    trials: Trials
    terms: Terms

    @cached_property
    def _made(self) -> list[Trial]:
        made = self.trials.make(HERE)
        self.trials.warned.update(line for trial in made for line in trial.warned)
        return made

    def use_trials(self) -> list[Trial]:
        """Return the trials, and note what they warn about, as the first score does."""
        return self._made

    def compared(self, candidate: Candidate, plain: bytes, quantized: bytes) -> Compared:
        """Predict the rows of all trials, each with the models of its trial.

        ``quantized`` is what the candidate has made of ``plain``; it is not made again for a trial
        of that very model. Where it clearly fails the screen, the result is about those rows alone.
        """
        failed = self._failed_screen(quantized)
        if failed is not None:
            return failed
        target, before, groups = self._before
        after = []
        for trial in self._made:
            model = quantized
            if trial.plain != plain:
                model = to_bytes(candidate.apply(onnx.load_from_string(trial.plain), trial.learn))
            after.append(self._predicted(model, trial))
        return Compared(target, before, Predictions.joined(after), groups)

    def _failed_screen(self, quantized: bytes) -> Compared | None:
        """The comparison on the screen if it leaves no doubt that too many answers change."""
        trial, limit = self.trials.screen, self.terms.limits.get(DISAGREEMENT)
        if trial is None or limit is None:
            return None
        pair = self._predicted(trial.plain, trial), self._predicted(quantized, trial)
        score, target = self.terms.score, trial.score.target
        loss = measured_losses([DISAGREEMENT], score, target, *pair)[DISAGREEMENT]
        least = lower_bound(round(loss.value * loss.rows), loss.rows)
        return Compared(target, *pair, trial.score.groups) if least > limit else None

    def losses(self, compared: Compared) -> dict[str, Loss]:
        """Measure the loss of score, and of everything else that has a limit, over all rows.

        The average precision of a class with few rows has an upper bound: among many candidates
        some rank so few rows well by luck.
        """
        terms, target = self.terms, compared.target
        pair = compared.before, compared.after
        keys, score = dict.fromkeys([SCORE, *terms.limits]), terms.score.on(compared.groups)
        found = measured_losses(keys, score, target, *pair, limit=terms.tolerance)
        if terms.rare is not None:
            of_rare = replace(score, positive=terms.rare)
            loss = measured_losses([AVERAGE_PRECISION], of_rare, target, *pair)[AVERAGE_PRECISION]
            found[AVERAGE_PRECISION] = replace(loss, about=f"class {terms.rare!r}")
        ranked = score.positive if terms.rare is None else terms.rare
        classes = score.classes if ranked is None else (ranked,)
        if AVERAGE_PRECISION in found and _is_few(target, classes):
            found[AVERAGE_PRECISION] = bounded(found[AVERAGE_PRECISION])
        return found

    @cached_property
    def _before(self) -> tuple[NDArray[Any], Predictions, NDArray[np.int64] | None]:
        """The target of the rows of all trials, what the plain models predict, and the groups."""
        trials = self._made
        before = [self._predicted(trial.plain, trial) for trial in trials]
        target = np.concatenate([trial.score.target for trial in trials])
        groups = [each.score.groups for each in trials if each.score.groups is not None]
        return target, Predictions.joined(before), np.concatenate(groups) if groups else None

    def _predicted(self, model: bytes, trial: Trial) -> Predictions:
        """Predict the rows of a trial, with a column for every class of the original.

        A clone that was fitted on a fold does not know a class that is missing there.
        """
        found = predict_onnx(open_session(model), trial.score.feeds)
        classes = self.terms.score.classes
        if found.scores is None or found.scores.shape[1] == len(classes):
            return found
        own = as_classes(trial.learn.target)
        return found.spread(own, classes) if found.scores.shape[1] == len(own) else found


def _is_few(target: NDArray[Any], classes: Iterable[Label]) -> bool:
    """Whether any of the ``classes`` has too few rows of ``target`` (rows,)."""
    return any(np.count_nonzero(target == label) < FEW_OF_CLASS for label in classes)
