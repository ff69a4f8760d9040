"""The forms of one model on one split: original, ONNX, lossless and refined.

They are made and chosen as the pipeline does.

``one_node`` is the refined forest in a single tree node, which ``objective: latency`` tries.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import joblib
import numpy as np
import onnx
from onnx import numpy_helper

from bench.data import FORESTS, Split, unfitted
from onnxpress.conversion.converting import to_onnx
from onnxpress.estimators.fitting import fit
from onnxpress.estimators.parts import set_threads
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.probes.probe_rows import probe_rows
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.candidates import Candidate, Form, Size
from onnxpress.quantize.choice import choose
from onnxpress.quantize.forest.levels import forest_candidates
from onnxpress.quantize.options import Options
from onnxpress.quantize.terms import terms_of
from onnxpress.quantize.trials import Clones, Trials, cross_fits, held_out
from onnxpress.runtime.predictions import Predictions
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.scores.score import default_score
from onnxpress.tables.rows import Rows

OPSET = 12
SCORE_TOLERANCE = 1e-6
FORMS = ("joblib", "onnx", "lossless", "refined", "one_node")


@dataclass(frozen=True)
class Models:
    """The forms as bytes by their name in ``FORMS``, the estimator, and the refined candidate."""

    estimator: Any
    forms: Mapping[str, bytes]
    candidate: str


def make(estimator: str, part: Split, trees: int, budget: float) -> Models:
    """Fit, convert, and quantise both ways; ``budget`` is ``quantize.max_drop.score``."""
    fresh = unfitted(estimator, part, trees)
    if estimator in FORESTS:
        fresh.set_params(n_jobs=-1)  # only the fit, which is not measured
    fit(fresh, part.train)
    fitted = set_threads(fresh, None)
    plain_model = to_onnx(fitted, part.schema, OPSET)
    plain = to_bytes(plain_model)
    lossless = _lossless(plain_model, part)
    refined, chosen = _refined(plain, plain_model, fitted, part, budget)
    one_node = _one_node(plain_model, part, chosen.rung) if chosen else None
    candidate = str(chosen.rung) if chosen else "lossless"
    ours = {"lossless": lossless, "refined": refined or lossless, "one_node": one_node or lossless}
    return Models(fitted, {"joblib": dumped(fitted), "onnx": plain, **ours}, candidate)


def _lossless(plain: onnx.ModelProto, part: Split) -> bytes:
    (candidate,) = forest_candidates(plain, Options(level="lossless", seed=part.seed))
    return to_bytes(candidate.apply(plain, part.train), packed=True)


def _refined(
    plain: bytes, model: onnx.ModelProto, fitted: Any, part: Split, budget: float
) -> tuple[bytes | None, Candidate | None]:
    """The smallest refined model within the budget, and its candidate; None if there is none."""
    options = Options(method="forest", level="refined", seed=part.seed, budgets={"score": budget})
    candidates = forest_candidates(model, options)
    made = trials(plain, fitted, part)
    terms = terms_of(options, part.schema, plain, made)
    choice = choose(plain, candidates, made, terms, options)
    if choice.chosen is None:
        return None, None
    return choice.model, choice.chosen.candidate


def _one_node(model: onnx.ModelProto, part: Split, rung: Size | None) -> bytes | None:
    """The refined forest of this size in one tree node; None where that is slower for a row."""
    options = Options(level="refined", objective="latency", seed=part.seed)
    for item in forest_candidates(model, options):
        if (item.form, item.rung) == (Form.REFINED_NODE, rung):
            return to_bytes(item.apply(model, part.train), packed=True)
    return None


def trials(plain: bytes, fitted: Any, part: Split) -> Trials:
    """Where candidates for ``plain`` are scored: on calibration rows, or by cross-fitting."""
    if len(part.calibration):
        return held_out(plain, part.train, part.calibration)
    return cross_fits(Clones(lambda: fitted, part.schema, OPSET, part.seed), part.train)


def dumped(estimator: Any) -> bytes:
    """The joblib file of an estimator."""
    buffer = io.BytesIO()
    joblib.dump(estimator, buffer)
    return buffer.getvalue()


def predictions(models: Models, part: Split, rows: Rows) -> dict[str, Predictions]:
    """What each form predicts for ``rows``, by form; ``joblib`` is scikit-learn itself."""
    original = predict_original(models.estimator, rows.feeds, part.schema)
    found = {name: predict_onnx(open_session(models.forms[name]), rows.feeds) for name in FORMS[1:]}
    return {"joblib": original} | found


def scores(models: Models, part: Split) -> dict[str, float]:
    """Accuracy or R2 of each form on the test rows."""
    return {
        name: default_score(part.schema.task, part.test.target, found.values)
        for name, found in predictions(models, part, part.test).items()
    }


def probe_agreement(models: Models, part: Split, rows: int) -> float:
    """Share of probe rows on which lossless keeps its promise.

    Labels are equal, and scores within 1e-6 of the ONNX model's. Predictions of a regressor are
    within 1e-6 of the largest of them: float32 has no finer steps for large targets.
    """
    plain = onnx.load_from_string(models.forms["onnx"])
    predict = partial(predict_original, models.estimator, schema=part.schema)
    probes = probe_rows(plain, part.test.feeds, predict, rows, part.seed).feeds
    one, other = (
        predict_onnx(open_session(models.forms[name]), probes) for name in ("onnx", "lossless")
    )
    if one.scores is None or other.scores is None:
        near = np.abs(one.values - other.values) <= SCORE_TOLERANCE * max(
            1.0, float(np.abs(one.values).max())
        )
        return float(np.mean(near))
    near = (np.abs(one.scores - other.scores) <= SCORE_TOLERANCE).all(axis=1)
    return float(np.mean((one.values == other.values) & near))


def count_nodes(data: bytes) -> int:
    """Splits and leaves of a model: tree nodes, or thresholds and leaf rows of a refined one."""
    model, total = onnx.load_from_string(data), 0
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        lengths = {
            item.name: len(item.ints) or int(np.prod(item.t.dims)) for item in node.attribute
        }
        if node.op_type == "TreeEnsemble":
            total += lengths["nodes_featureids"] + lengths["leaf_weights"]
        elif node.op_type.startswith("TreeEnsemble"):
            total += lengths["nodes_featureids"]
        elif node.op_type == "Less":
            total += (
                int(np.prod(constants[node.input[1]].dims)) if node.input[1] in constants else 0
            )
    tables = [
        tensor
        for tensor in constants.values()
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 2
    ]
    return total + sum(len(numpy_helper.to_array(tensor)) for tensor in tables)
