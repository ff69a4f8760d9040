"""Trying one candidate: apply it, check what it made, and score that."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import onnx

from onnxpress.evaluate.row_dependence import TOLERANCE, Dependence, row_dependence
from onnxpress.graph.canonical import same_computation, to_bytes
from onnxpress.limits import SCORE
from onnxpress.onnx_file import judge
from onnxpress.quantize.candidates import Candidate, NotApplicable
from onnxpress.quantize.scoring import Scorer
from onnxpress.quantize.terms import Terms
from onnxpress.quantize.verdicts import Drop, Outcome, Verdict
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.scores.budgets import exceeded
from onnxpress.scores.losses import Loss, bounded
from onnxpress.tables.rows import Rows, take

NOISE = 10
"""How many times the plain model's own rounding a candidate may round more."""

REASON_LENGTH = 200
"""Characters of an error message that are kept as the reason."""


@dataclass(frozen=True)
class _Made:
    """What a candidate has made of the plain model."""

    candidate: Candidate
    before: onnx.ModelProto
    after: onnx.ModelProto
    data: bytes

    @property
    def size_kb(self) -> float:
        return len(self.data) / 1024


@dataclass(frozen=True)
class Attempts:
    """What all candidates of one choice are tried on."""

    plain: bytes
    """The model to quantise, as ONNX."""
    train: Rows
    """Rows that a candidate may learn from."""
    scorer: Scorer

    @property
    def terms(self) -> Terms:
        """What every candidate is held to."""
        return self.scorer.terms

    def verdict(self, candidate: Candidate) -> Verdict:
        """Try a candidate; whatever it raises becomes its verdict.

        The rules, in this order:

        1. The model must be valid and run.
        2. It must not compute the same with the same weights (``unchanged``).
        3. It must be smaller (``not smaller``).
        4. Its prediction for a row must not depend on other rows of the same call.
        5. It must answer equally in the runtimes asked for (``not everywhere``).
        6. It must fit the device, if there is one (``does not fit``).
        7. A regressor must predict numbers above zero where the plain model does, if that never
           predicts any below (``not positive``).
        8. What it loses must be within every budget, or it is ``over budget``. Where few rows
           score, a distilled model is held to them by upper bounds: another model may look as good
           on few rows by luck.
        """
        try:
            made = self._made(candidate)
            return self._rejected(made) or self._fitting(made)
        except NotApplicable as reason:
            return Verdict(candidate, Outcome.NOT_APPLICABLE, str(reason))
        except Exception as error:  # quantisers raise whatever they raise; the others go on
            words = " ".join(f"{type(error).__name__}: {error}".split())
            return Verdict(candidate, Outcome.FAILED, words[:REASON_LENGTH])

    def _made(self, candidate: Candidate) -> _Made:
        """Apply a candidate, check its model in full, and predict one row with it."""
        before = onnx.load_from_string(self.plain)
        after = candidate.apply(before, self.train)
        onnx.checker.check_model(after, full_check=True)
        judge(after)
        data = to_bytes(after, packed=True)
        predict_onnx(open_session(data), take(self.train.feeds, np.arange(1)))
        return _Made(candidate, before, after, data)

    def _rejected(self, made: _Made) -> Verdict | None:
        """The verdict on a model that is not worth scoring; None if it is."""
        if same_computation(made.before, made.after):
            reason = "it left every operator and every weight as it was"
            return Verdict(made.candidate, Outcome.UNCHANGED, reason)
        if len(made.data) >= len(self.plain):
            reason = f"{made.size_kb:.1f} KB against {len(self.plain) / 1024:.1f} KB"
            return Verdict(made.candidate, Outcome.NOT_SMALLER, reason, made.size_kb)
        mixed = self._mixed_rows(made.data)
        if mixed:
            outcome = Outcome.DEPENDS_ON_OTHER_ROWS
            return Verdict(made.candidate, outcome, mixed, made.size_kb)
        for runtime, what in self.terms.runtimes.failures(made.data).items():
            reason = f"{runtime}: {what}"[:REASON_LENGTH]
            return Verdict(made.candidate, Outcome.NOT_EVERYWHERE, reason, made.size_kb)
        return None

    def _fitting(self, made: _Made) -> Verdict:
        """What becomes of a model on the device; its score if it fits."""
        device = self.terms.device
        if device is None:
            return self._scored(made)
        needs, reason = device.needs(made.data)
        over = ", ".join(str(need) for need in needs if need.exceeded)
        if not over:
            return replace(self._scored(made), needs=needs)
        outcome = Outcome.DOES_NOT_FIT
        return Verdict(made.candidate, outcome, reason or over, made.size_kb, needs=needs)

    def _mixed_rows(self, model: bytes) -> str:
        """What shows that predictions depend on other rows of the call; empty if nothing does.

        The plain model's own rounding is the measure: a candidate may round ``NOISE`` times more.
        """
        difference = _dependence(model, self.train, TOLERANCE).difference
        if difference <= TOLERANCE:
            return ""
        rounding = _dependence(self.plain, self.train, TOLERANCE).difference
        limit = max(TOLERANCE, NOISE * rounding)
        return "" if difference <= limit else str(_dependence(model, self.train, limit))

    def _scored(self, made: _Made) -> Verdict:
        """Within all budgets or over one."""
        compared = self.scorer.compared(made.candidate, self.plain, made.data)
        reason = compared.lost_sign()
        if reason:
            return Verdict(made.candidate, Outcome.NOT_POSITIVE, reason, made.size_kb)
        losses = self.scorer.losses(compared)
        if self.scorer.trials.few and made.candidate.is_distilled:
            losses = {key: bounded(loss) for key, loss in losses.items()}
        same, limits = made.candidate.keeps_all, self.terms.limits
        drops = tuple(_drop(losses[key], limit, same=same) for key, limit in limits.items())
        over = [drop for drop in drops if drop.exceeded]
        shown = over or [drop for drop in drops if drop.loss.key == SCORE] or drops[:1]
        reason = ", ".join([f"{made.size_kb:.1f} KB", *map(str, shown)])
        return Verdict(
            made.candidate,
            Outcome.OVER_BUDGET if over else Outcome.WITHIN_BUDGET,
            reason.replace("-0.0000", "0.0000"),
            made.size_kb,
            losses[SCORE].value,
            drops=drops,
            model=made.data,
        )


def _drop(loss: Loss, limit: float, *, same: bool) -> Drop:
    """Hold a loss against its limit.

    What has an upper bound is judged by that, for a model is chosen among many here. ``same`` says
    that the candidate keeps every prediction by construction: the rows need not show it, and a loss
    that they cannot tell is none.
    """
    over = exceeded(loss, limit, by_bound=not same)
    return Drop(loss, limit, over and not (same and math.isnan(loss.value)))


def _dependence(model: bytes, rows: Rows, tolerance: float) -> Dependence:
    return row_dependence(partial(predict_onnx, open_session(model)), rows.feeds, tolerance)
