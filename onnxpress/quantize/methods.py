"""The table of methods: from a graph and the options to the candidates worth trying on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import onnx

from onnxpress.quantize.candidates import Candidate, Method, NotApplicable, in_sequence
from onnxpress.quantize.dense.dynamic import dynamic
from onnxpress.quantize.dense.qat import qat_candidates, static_qat_candidates
from onnxpress.quantize.dense.static import static_candidates
from onnxpress.quantize.dense.stored import SMALL, dense_candidates, float16
from onnxpress.quantize.dense.trained import trained_candidates
from onnxpress.quantize.forest.levels import forest_candidates
from onnxpress.quantize.kernel.machines import kernel_candidates
from onnxpress.quantize.neighbors.stored_rows import neighbors_candidates
from onnxpress.quantize.options import Options
from onnxpress.tables.rows import Rows

Lister = Callable[[onnx.ModelProto, Options], list[Candidate]]
"""From a model and the options to the candidates of one method; an empty list if none fits."""


TRAINING = ("auto", "refined")
"""The levels at which nets are trained anew."""


def _dynamic(_model: onnx.ModelProto, _options: Options) -> list[Candidate]:
    return [Candidate(Method.DYNAMIC, dynamic)]


def _float16(_model: onnx.ModelProto, _options: Options) -> list[Candidate]:
    return [Candidate(Method.FLOAT16, float16)]


def _dense(model: onnx.ModelProto, options: Options) -> list[Candidate]:
    """Nets that are trained, where the level lets answers differ, and weights in fewer bits."""
    found = dense_candidates(model, options)
    if found and options.level in TRAINING:
        return trained_candidates(model, options) + found + qat_candidates(model, options)
    return found


def _static(model: onnx.ModelProto, options: Options) -> list[Candidate]:
    """int8 with ranges, trained in that form where the level lets answers differ."""
    first, *rungs = static_candidates(model, options)
    trained = static_qat_candidates(model, options) if options.level in TRAINING else []
    return [first, *trained, *rungs]


METHODS: dict[str, Lister] = {
    Method.DYNAMIC: _dynamic,
    Method.STATIC: _static,
    Method.DENSE: _dense,
    Method.FLOAT16: _float16,
    Method.FOREST: forest_candidates,
    Method.KERNEL: kernel_candidates,
    Method.NEIGHBORS: neighbors_candidates,
}
"""Every method by its name in ``Options.method``, of those that store alike the fastest first."""

PARTIAL: dict[str, str] = {
    Method.DENSE: SMALL,
    Method.FOREST: "the graph has no tree ensemble",
    Method.KERNEL: "the graph has no support vector machine",
    Method.NEIGHBORS: (
        "the graph has no nearest neighbours by a metric that a matrix product covers"
    ),
}
"""Methods that treat their own part of a graph, and the reason to give where there is none."""


def list_candidates(model: onnx.ModelProto, options: Options) -> list[Candidate]:
    """The candidates of ``options.method``: of one method, of all (``auto``), or none.

    In a graph with parts for several methods ``auto`` also tries these methods together.
    """
    if options.method == "none":
        return []
    if options.method != "auto":
        found = METHODS[options.method](model, options)
        return found or [_missing(options.method)]
    by_method = {name: list_of(model, options) for name, list_of in METHODS.items()}
    alone = [candidate for found in by_method.values() for candidate in found]
    return alone + _together(by_method)


def _together(by_method: dict[str, list[Candidate]]) -> list[Candidate]:
    """Candidates that treat every part of the graph, each by its own method.

    Rungs of a ladder replace the whole graph and are left out, and so is what only takes the place
    of another candidate.
    """
    parts = []
    for name in PARTIAL:
        found = [
            candidate
            for candidate in by_method[name]
            if candidate.rung is None and candidate.unless is None
        ]
        if found:
            parts.append(found)
    if len(parts) < 2:
        return []
    return [in_sequence(steps) for steps in product(*parts)]


def _missing(method: str) -> Candidate:
    """Records that a method was asked for and has no part in the graph."""
    return Candidate(method, partial(_no_part, method=method))


def _no_part(_model: onnx.ModelProto, _rows: Rows, *, method: str) -> onnx.ModelProto:
    raise NotApplicable(PARTIAL[method])
