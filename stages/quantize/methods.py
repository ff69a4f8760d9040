"""The table of methods: from a graph and the params to the candidates worth trying on it."""

from __future__ import annotations

from collections.abc import Callable

import onnx

from stages.common.params import Quantize
from stages.quantize import forest, runtime_quantizers
from stages.quantize.candidates import Candidate

Method = Callable[[onnx.ModelProto, Quantize, int], list[Candidate]]


def _forest(model: onnx.ModelProto, params: Quantize, seed: int) -> list[Candidate]:
    return forest.candidates(model, level=params.level, objective=params.objective, ml_opset=params.ml_opset, seed=seed)


METHODS: dict[str, Method] = {
    "dynamic": lambda _model, _params, _seed: [Candidate("dynamic", runtime_quantizers.dynamic)],
    "static": lambda _model, _params, _seed: [Candidate("static", runtime_quantizers.static)],
    "float16": lambda _model, _params, _seed: [Candidate("float16", runtime_quantizers.float16)],
    "forest": _forest,
}
"""Every method by its name in ``quantize.method``; the part of a candidate's name before ``/`` is its method."""


def list_candidates(model: onnx.ModelProto, params: Quantize, seed: int) -> list[Candidate]:
    """The candidates of ``params.method``: of one method, of all (``auto``), or none."""
    if params.method == "none":
        return []
    names = list(METHODS) if params.method == "auto" else [params.method]
    return [candidate for name in names for candidate in METHODS[name](model, params, seed)]
