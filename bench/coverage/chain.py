"""One case through the chain's functions, as a record of plain values."""

from __future__ import annotations

import warnings
from time import perf_counter
from typing import Any

import numpy as np
import onnx

from bench.coverage.cases import SEED, Case, Data, data_of, unfitted
from onnxpress.benchmark.latency_statistics import ratio, values
from onnxpress.benchmark.measure import Plan, measure
from onnxpress.benchmark.timed_calls import batches, calls, limited_threads, sessions
from onnxpress.conversion.converting import to_onnx
from onnxpress.conversion.rehearsal import rehearse
from onnxpress.errors import UserError
from onnxpress.estimators.fitting import fit
from onnxpress.estimators.parts import set_threads
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.score_differences import ScoreDifferences, score_differences
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.choice import Choice, choose
from onnxpress.quantize.methods import list_candidates
from onnxpress.quantize.options import Options
from onnxpress.quantize.terms import terms_of
from onnxpress.quantize.trials import Clones, cross_fits, held_out
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Feeds, Rows

Record = dict[str, Any]
OPSET = 12
BATCHES = (1, 32, 1024)
BRIEF = Plan(20, 0.4)
TOLERANCE = 1e-3
"""Regression predictions closer than this are the same.

In standard deviations of the target, as ``evaluate.tolerance``.
"""


def record(case: Case, options: Options) -> Record:
    """Build, rehearse, fit, convert, compare, quantise and time.

    Where that ends early, ``outcome`` and ``reason`` say so.
    """
    start = perf_counter()
    with limited_threads(1), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # scikit-learn's about these fits; whether they are good ones is not the question
        found = _through(case, data_of(case.data), options)
    head = {"kind": case.kind, "estimator": case.estimator, "place": case.place, "data": case.data}
    return {**head, "split": 0, "seconds": perf_counter() - start, **found}


def _through(case: Case, data: Data, options: Options) -> Record:
    try:
        estimator = unfitted(case, data.schema)
        rehearse(estimator, data.train, data.schema)
    except UserError as error:
        return {"outcome": "refused", "reason": str(error)}
    try:
        fit(estimator, data.train)
        predict_original(estimator, data.test.feeds, data.schema)
    except Exception as error:  # of fit or predict, on data that do not suit the estimator
        return {"outcome": "does not fit the data", "reason": " ".join(str(error).split())}
    estimator = set_threads(estimator, 1)
    try:
        plain = to_bytes(to_onnx(estimator, data.schema, OPSET))
        agreement, error_of_scores = compared(estimator, plain, data)
        scores = differences(estimator, plain, data)
    except (
        Exception
    ) as error:  # UserError, or whatever onnxruntime raises on a graph that skl2onnx got wrong
        return {"outcome": "fails", "reason": " ".join(str(error).split())}
    choice = quantised(estimator, plain, data, options)
    return {
        "outcome": "converts",
        "agreement": agreement,
        "score_error": error_of_scores,
        "score_difference": max(found.largest for found in scores),
        "step_rows": sum(found.steps for found in scores),
        "rounded_rows": sum(found.rounded for found in scores),
        "onnx_kb": len(plain) / 1024,
        "candidate": choice.candidate,
        "quantized_kb": len(choice.model) / 1024,
        **speeds(estimator, plain, choice.model, data.test.feeds),
    }


def compared(estimator: Any, model: bytes, data: Data) -> tuple[float, float]:
    """Share of test and mixed rows with scikit-learn's prediction, and the largest difference.

    A difference is in units of the largest score (of probabilities: 1), or of the target's
    standard deviation.
    """
    session = open_session(model)
    pairs = [
        (predict_original(estimator, rows.feeds, data.schema), predict_onnx(session, rows.feeds))
        for rows in _compared_rows(data)
    ]
    one, other = (np.concatenate([pair[side].values for pair in pairs]) for side in (0, 1))
    if data.schema.task == "regression":
        difference = np.abs(one - other) / np.std(data.train.target)
        return float(np.mean(difference <= TOLERANCE)), float(difference.max())
    scores = [np.concatenate([np.asarray(pair[side].scores) for pair in pairs]) for side in (0, 1)]
    scale = max(1.0, float(np.abs(scores[0][np.isfinite(scores[0])]).max()))
    return float(np.mean(one == other)), float(np.nanmax(np.abs(scores[0] - scores[1])) / scale)


def differences(estimator: Any, model: bytes, data: Data) -> list[ScoreDifferences]:
    """What gate.max_score_diff would be held against, on test and on mixed rows."""
    session, schema = open_session(model), data.schema
    found = []
    for rows in _compared_rows(data):
        original = predict_original(estimator, rows.feeds, schema)
        predictions = predict_onnx(session, rows.feeds)
        found.append(score_differences(estimator, rows.feeds, schema, original, predictions))
    return found


def _compared_rows(data: Data) -> tuple[Rows, Rows]:
    return data.test, data.mixed


def quantised(estimator: Any, plain: bytes, data: Data, options: Options) -> Choice:
    """What the quantize stage would pass on."""
    candidates = list_candidates(onnx.load_from_string(plain), options)
    if len(data.calibration):
        trials = held_out(plain, data.train, data.calibration)
    else:
        trials = cross_fits(Clones(lambda: estimator, data.schema, OPSET, SEED), data.train)
    terms = terms_of(options, data.schema, plain, trials)
    return choose(plain, candidates, trials, terms, options)


def speeds(estimator: Any, plain: bytes, quantized: bytes, feeds: Feeds) -> Record:
    """Speed-ups by batch size.

    ``onnx`` is over scikit-learn, ``quantized`` over ONNX, with the upper end of its interval.
    """
    opened = sessions({"onnx": plain, "quantized": quantized}, threads=1)
    found: Record = {}
    for rows in BATCHES:
        timed = measure(calls(estimator, opened, batches(feeds, rows)), BRIEF, SEED)
        found[f"onnx_speedup_{rows}"] = ratio(
            values(timed["original"]), values(timed["onnx"])
        ).median
        against = ratio(values(timed["onnx"]), values(timed["quantized"]))
        found[f"quantized_speedup_{rows}"] = 1.0 if plain == quantized else against.median
        found[f"quantized_speedup_{rows}_high"] = 1.0 if plain == quantized else against.high
    return found
