"""What a candidate costs: its score against the plain model's, on rows that neither has learned from."""

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
        """Mean over the trials of what the candidate loses of the plain model's score (accuracy or R2).

        ``quantized`` is what the candidate has made of ``plain``, and is not made again for a trial of that very model.
        """
        return float(
            np.mean([self._drop(trial, candidate, plain, quantized) for trial in self._make()])
        )

    def _drop(self, trial: Trial, candidate: Candidate, plain: bytes, quantized: bytes) -> float:
        if trial.plain != plain:
            quantized = to_bytes(candidate.apply(onnx.load_from_string(trial.plain), trial.learn))
        return self._score(trial.plain, trial.score) - self._score(quantized, trial.score)

    def _score(self, model: bytes, rows: Rows) -> float:
        return score(
            self._schema, rows.target, predict_onnx(open_session(model), rows.feeds).values
        )
