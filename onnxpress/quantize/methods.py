"""The table of methods: from a graph and the params to the candidates worth trying on it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import onnx

from onnxpress.conversion.plain_inputs import under_plain_inputs
from onnxpress.pipeline.params import Quantize
from onnxpress.quantize import dense, forest, products, runtime_quantizers
from onnxpress.quantize.candidates import Candidate, NotApplicable
from onnxpress.quantize.dense.dynamic import dynamic
from onnxpress.tables.rows import Rows

Method = Callable[[onnx.ModelProto, Quantize, int], list[Candidate]]


def _forest(model: onnx.ModelProto, params: Quantize, seed: int) -> list[Candidate]:
    return forest.candidates(
        model, level=params.level, objective=params.objective, ml_opset=params.ml_opset, seed=seed
    )


METHODS: dict[str, Method] = {
    "dynamic": lambda _model, _params, _seed: [Candidate("dynamic", dynamic)],
    "static": lambda _model, _params, _seed: [
        Candidate("static", under_plain_inputs(runtime_quantizers.static))
    ],
    "dense": lambda model, _params, _seed: dense.candidates(model),
    "float16": lambda _model, _params, _seed: [Candidate("float16", dense.float16)],
    "forest": _forest,
    "kernel": lambda model, _params, _seed: products.kernel_candidates(model),
    "neighbors": lambda model, _params, _seed: products.neighbors_candidates(model),
}
"""Every method by its name in ``quantize.method``, of those that store alike the fastest first.

The part of a candidate's name before ``/`` is its method.
"""

PARTIAL = {
    "dense": dense.SMALL,
    "forest": "the graph has no tree ensemble",
    "kernel": "the graph has no support vector machine",
    "neighbors": "the graph has no nearest neighbours by a metric that a matrix product covers",
}
"""Methods that treat their own part of a graph and leave the rest, and what to say where that part is missing."""


def list_candidates(model: onnx.ModelProto, params: Quantize, seed: int) -> list[Candidate]:
    """The candidates of ``params.method``: of one method, of all (``auto``), or none.

    In a graph with parts for several methods ``auto`` also tries these methods together.
    """
    if params.method == "none":
        return []
    if params.method != "auto":
        found = METHODS[params.method](model, params, seed)
        return found or [_missing(params.method)]
    by_method = {name: method(model, params, seed) for name, method in METHODS.items()}
    return [candidate for found in by_method.values() for candidate in found] + _together(by_method)


def _together(by_method: dict[str, list[Candidate]]) -> list[Candidate]:
    """All methods that have a part in the graph on their parts, named like ``forest+kernel/lossless+int8``.

    Rungs of a ladder replace the whole graph and are left out.
    """
    parts = {name: [item for item in by_method[name] if "-" not in item.name] for name in PARTIAL}
    present = [found for found in parts.values() if found]
    return [_sequence(steps) for steps in product(*present)] if len(present) > 1 else []


def _sequence(steps: tuple[Candidate, ...]) -> Candidate:
    """The steps one after another as one candidate, which is judged as a whole."""
    methods, forms = zip(*(step.name.split("/") for step in steps), strict=True)

    def apply(model: onnx.ModelProto, rows: Rows) -> onnx.ModelProto:
        for step in steps:
            model = step.apply(model, rows)
        return model

    return Candidate(f"{'+'.join(methods)}/{'+'.join(forms)}", apply)


def _missing(method: str) -> Candidate:
    """What stands in the record of a method that was asked for and has no part in the graph."""

    def apply(_model: onnx.ModelProto, _rows: Rows) -> onnx.ModelProto:
        raise NotApplicable(PARTIAL[method])

    return Candidate(method, apply)
