"""The settings of the quantisation from params.yaml."""

from __future__ import annotations

from onnxpress.pipeline.params import Evaluate, Quantize
from onnxpress.quantize.options import Options
from onnxpress.quantize.terms import Words

WORDS = Words("evaluate.score", "quantize.max_drop")
DEVICE_WORDS = ("quantize.budget", "quantize.max_drop")


def options_of(quantize: Quantize, evaluate: Evaluate, seed: int) -> Options:
    """The section ``quantize``, the seed, and what score means."""
    settings = quantize.model_dump()
    settings["budgets"] = settings.pop("max_drop")
    device = settings.pop("budget") or {}
    settings["device"] = {key: value for key, value in device.items() if value is not None}
    settings["score"], settings["positive"] = evaluate.score, evaluate.positive
    return Options(**settings, tolerance=evaluate.tolerance, seed=seed)
