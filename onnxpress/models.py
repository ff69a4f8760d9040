"""The three models that everything compares, in one table: keys, titles, and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass

ORIGINAL, ONNX, QUANTIZED = MODEL_KEYS = ("original", "onnx", "quantized")
"""The estimator as it was fitted or given, model.onnx, and model_quantized.onnx."""

PLAIN = "none"
"""The candidate that is model.onnx itself: nothing was gained by quantising."""

LOSSLESS = "forest/lossless"
"""The candidate that promises the predictions of model.onnx on every row."""

ACCENT = "#b3400a"
"""The one colour of the pictures, for what was chosen; shape or place marks it too."""


@dataclass(frozen=True)
class Model:
    """What a model is called and how its curve is drawn."""

    key: str
    """The prefix of its metric names: ``onnx_size_kb``."""
    title: str
    """In pictures and tables."""
    short: str
    """In a line of text."""
    line: str
    """Marker and dash of its curve in matplotlib's short form; they differ without colour too."""
    colour: str = "black"


MODELS = {
    model.key: model
    for model in (
        Model(ORIGINAL, "original", "original", "o-"),
        Model(ONNX, "ONNX", "ONNX", "s--"),
        Model(QUANTIZED, "ONNX, quantised", "quantised", "^:", ACCENT),
    )
}
"""The three models by their keys, in the order of the chain."""

FLOOR = Model("floor", "empty graph", "floor", "|-", "0.6")
"""A graph of one Identity: the latency that no model in the same runtime can beat."""

TIMED = {**MODELS, FLOOR.key: FLOOR}
"""Every model that the benchmark times, by its key."""


@dataclass(frozen=True)
class Speedup:
    """The latency of one model over that of another."""

    key: str
    """Its name in latency.json."""
    slow: str
    fast: str
    title: str
    line: str
    colour: str = "black"


SPEEDUPS = {
    speedup.key: speedup
    for speedup in (
        Speedup("onnx_speedup", ORIGINAL, ONNX, "ONNX over original", "s--"),
        Speedup("quantized_speedup", ORIGINAL, QUANTIZED, "quantised over original", "^:"),
        Speedup("quantized_vs_onnx_speedup", ONNX, QUANTIZED, "quantised over ONNX", "D-", ACCENT),
    )
}
"""The three ratios that are published, by their keys."""
