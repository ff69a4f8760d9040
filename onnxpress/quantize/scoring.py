"""How much score a candidate costs, on rows that no model in question has learned from."""

from __future__ import annotations

from functools import cache

import numpy as np
import onnx

from onnxpress.evaluate.scores import score
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.candidates import Candidate
from onnxpress.quantize.trials import Trial, Trials
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema


class Scorer:
    """Scores candidates on the trials, against the plain model of each trial."""

    def __init__(self, trials: Trials, schema: Schema) -> None:
        """Make no trial yet: that may mean fitting clones."""
        self._make, self._schema = cache(trials.make), schema

    def drop(self, candidate: Candidate, plain: bytes, quantized: bytes) -> float:
        """How much of the plain model's score (accuracy or R2) a candidate loses.

        The mean over the trials. ``quantized`` is what the candidate has made of ``plain``; it is
        not made again for a trial of that very model.
        """
        drops = [self._drop(trial, candidate, plain, quantized) for trial in self._make()]
        return float(np.mean(drops))

    def _drop(self, trial: Trial, candidate: Candidate, plain: bytes, quantized: bytes) -> float:
        if trial.plain != plain:
            quantized = to_bytes(candidate.apply(onnx.load_from_string(trial.plain), trial.learn))
        return self._score(trial.plain, trial.score) - self._score(quantized, trial.score)

    def _score(self, model: bytes, rows: Rows) -> float:
        predictions = predict_onnx(open_session(model), rows.feeds)
        return score(self._schema, rows.target, predictions.values)
