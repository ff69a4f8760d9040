"""The models under load: a fitted forest, its ONNX form, the quantised one, and none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data import Split, split_of, unfitted
from bench.serving.no_model import without_model
from onnxpress import compress
from onnxpress.commands.open_inference import infer_request
from onnxpress.estimators.fitting import fit
from onnxpress.estimators.predicting import predict_original
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.names import NUMERIC_INPUT
from onnxpress.tables.rows import Feeds, take

TREES = 100
BODIES = 64
"""Different requests, sent in turn."""
ORIGINAL, ONNX, QUANTISED = "original", "model.onnx", "model_quantized.onnx"
NOTHING = "no model"
FORMS = (ORIGINAL, ONNX, QUANTISED, NOTHING)


@dataclass(frozen=True)
class Subject:
    """A forest in three forms, with rows to send."""

    part: Split
    estimator: Any
    onnx: dict[str, bytes]
    """The ONNX forms by name."""
    summary: str
    """What the quantised form is, in a line."""

    def feeds(self, request: int, rows: int) -> Feeds:
        """Return the rows of a request: test rows in turn, from the first again after the last."""
        test = self.part.test
        return take(test.feeds, np.arange(request * rows, (request + 1) * rows) % len(test))

    def predictions(self, form: str, feeds: Feeds) -> NDArray[Any]:
        """Return what a form predicts in this process, (rows,)."""
        if form == ORIGINAL:
            return predict_original(self.estimator, feeds, self.part.schema).values
        return predict_onnx(open_session(self.onnx[form]), feeds).values

    def bodies(self, rows: int, *, for_mlflow: bool) -> list[str]:
        """Return the JSON bodies of all requests of ``rows`` rows."""
        made = map(partial(self.feeds, rows=rows), range(BODIES))
        return [
            json.dumps(_for_mlflow(each) if for_mlflow else infer_request(each)) for each in made
        ]


def _for_mlflow(feeds: Feeds) -> dict[str, Any]:
    """Return rows as MLflow parses them fastest: without names, as for an array."""
    return {"inputs": feeds[NUMERIC_INPUT].astype(np.float64).tolist()}


def subject(name: str) -> Subject:
    """Fit a random forest on a data set of the suite, convert it, and quantise it by default."""
    part = split_of(name, 0)
    fitted = unfitted("RandomForest", part, TREES)
    fit(fitted, part.train)
    calibration = (part.calibration.feeds[NUMERIC_INPUT], part.calibration.target)
    made = compress(
        fitted,
        part.train.feeds[NUMERIC_INPUT],
        part.train.target,
        calibration=calibration if len(part.calibration) else None,
    )
    forms = {ONNX: made.plain, QUANTISED: made.data, NOTHING: without_model(made.plain)}
    return Subject(part, fitted, forms, made.summary)
