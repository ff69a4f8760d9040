"""Layers in int8 with ranges from training rows; those that cost most stay in float32.

The first candidate treats all layers up to the last large one. Where it is over budget, a ladder of
others follows, in which some layers are in float32 again: those whose rounding, of one layer at a
time, moves the scores most.
"""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.graph.gemm import with_upright_weights
from onnxpress.quantize.candidates import Candidate, Floats, Form, Method, NotApplicable
from onnxpress.quantize.dense.int8_layers import Range, in_int8, prepared, sources
from onnxpress.quantize.dense.layers import Layer, layers_of
from onnxpress.quantize.dense.ranges import calibration_feeds, channel_peaks, ranges
from onnxpress.quantize.dense.smoothing import pairs_of, smoothed
from onnxpress.quantize.options import Options
from onnxpress.quantize.task import Task
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Feeds, Rows

MIN_STATIC_WEIGHTS = 256 * 128
"""A smaller matrix is slower in int8 than in float32.

Quantising its input costs more than the product saves.
"""
MIN_CHANNELS = 16
MIN_WEIGHTS_OF_A_CHANNEL = 128
"""A convolution with less of both is not faster in int8: too little is shared by its sums."""

LADDER = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""So many layers stay in float32: the sizes of the candidates, ascending."""


def static_candidates(model: onnx.ModelProto, _options: Options) -> list[Candidate]:
    """All layers in int8, and a ladder of some in float32 where that is over budget."""
    found = [Candidate(Method.STATIC, partial(static, floats=0))]
    layers = large_layers(with_upright_weights(model))
    for count in LADDER:
        if count < len(layers):
            apply = partial(static, floats=count)
            unless = (Method.STATIC, "")
            rung = Floats(count)
            found.append(Candidate(Method.STATIC, apply, Form.MIXED, rung, unless))
    return found


def static(model: onnx.ModelProto, rows: Rows, *, floats: int = 0) -> onnx.ModelProto:
    """Weights and activations in int8 (QDQ), but for the ``floats`` layers that cost most.

    Raises:
        NotApplicable: the graph has no layer large enough to gain.
    """
    plan = static_plan(model, rows)
    treated = plan.without(floats) if floats else plan.layers
    return in_int8(plan.model, plan.ranges, treated)


def static_plan(model: onnx.ModelProto, rows: Rows) -> StaticPlan:
    """Find which layers are treated, and with which ranges.

    Raises:
        NotApplicable: the graph has no layer large enough to gain.
    """
    if not large_layers(with_upright_weights(model)):
        raise NotApplicable("the graph has no layer that int8 would make faster")
    return _plan(Task(model, rows, 0))


def large_layers(model: onnx.ModelProto) -> list[Layer]:
    """Return the layers of a graph with upright weights up to the last large one.

    Small ones between are among them: a value would have to be float32 and int8 again.
    """
    layers = layers_of(model)
    large = [place for place, layer in enumerate(layers) if _is_large(layer)]
    return layers[: large[-1] + 1] if large else []


def _is_large(layer: Layer) -> bool:
    if not layer.is_convolution:
        return layer.size >= MIN_STATIC_WEIGHTS
    channels = layer.shape[0]
    return channels >= MIN_CHANNELS and layer.size >= channels * MIN_WEIGHTS_OF_A_CHANNEL


class StaticPlan:
    """The layers to treat, and the form and the ranges that move the scores least.

    Tried are the net as it is and with smoothed channels, each with ranges by each calibration.
    """

    def __init__(self, task: Task) -> None:
        """Try them on the rows of ``task``."""
        plain = prepared(task.model)
        self.layers = large_layers(plain)
        self.feeds = calibration_feeds(task.rows)
        self.scores = _scores(plain, self.feeds)
        names = sorted(set(sources(plain, self.layers).values()))
        forms = [plain]
        pairs = pairs_of(plain, self.layers)
        if pairs:
            peaks = channel_peaks(plain, [pair.value for pair in pairs], self.feeds)
            forms.append(smoothed(plain, pairs, peaks))
        tried = [(form, found) for form in forms for found in self._ranges(form, names)]
        self.model, self.ranges = min(tried, key=lambda pair: self._error(self.layers, *pair))
        self._costly: list[Layer] | None = None

    def _ranges(self, model: onnx.ModelProto, names: list[str]) -> list[dict[str, Range]]:
        return list(ranges(model, names, self.feeds).values())

    def without(self, floats: int) -> list[Layer]:
        """The layers to treat if ``floats`` are to stay in float32, those that cost most.

        A matrix product in float32 keeps all layers behind it there: its sums differ in the last
        bit between batch sizes, and rounding to 8 bits would make a whole step of that. One that
        would keep more than ``floats`` is passed over.
        """
        if self._costly is None:
            costs = {layer: self._error([layer], self.model, self.ranges) for layer in self.layers}
            self._costly = sorted(self.layers, key=lambda layer: -costs[layer])
        kept: set[Layer] = set()
        for layer in self._costly:
            more = kept | {layer}
            if not layer.is_convolution:
                more.update(each for each in self.layers if each.position > layer.position)
            if len(more) <= floats:
                kept = more
        return [layer for layer in self.layers if layer not in kept]

    def _error(
        self, treated: list[Layer], model: onnx.ModelProto, tried: dict[str, Range]
    ) -> float:
        """The mean square by which the scores move, each on its own scale."""
        moved = _scores(in_int8(model, tried, treated), self.feeds) - self.scores
        scale = np.maximum(self.scores.std(axis=0), np.finfo(np.float32).tiny)
        return float(np.nan_to_num(np.square(moved / scale).mean(), nan=np.inf))


def _scores(model: onnx.ModelProto, feeds: Feeds) -> NDArray[np.float64]:
    """All outputs that are numbers, (rows, numbers)."""
    found = open_session(model.SerializeToString()).run(None, feeds)
    floats = [np.asarray(values, np.float64) for values in found if values.dtype.kind == "f"]
    return np.hstack([values.reshape(len(values), -1) for values in floats])


@lru_cache(maxsize=6)  # the rungs of a ladder share a model and its rows, and those of a fold
def _plan(task: Task) -> StaticPlan:
    return StaticPlan(task)
