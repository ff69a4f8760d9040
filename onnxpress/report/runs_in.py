"""Say in words what was chosen, and in which onnxruntime releases it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def chosen_and_runs_in(quantization: Mapping[str, Any]) -> str:
    """Return the summary of quantization.json, the oldest release, and releases that are wrong."""
    return f"{quantization['summary']}; {_oldest(quantization)}{_but(quantization)}"


def _oldest(quantization: Mapping[str, Any]) -> str:
    oldest = quantization["min_onnxruntime"]
    if oldest == "unknown":
        return "the oldest onnxruntime that runs it is not known"
    return f"runs in onnxruntime {oldest} and newer"


def _but(quantization: Mapping[str, Any]) -> str:
    bad = quantization.get("bad_onnxruntime", [])
    return f", but gives wrong answers in {', '.join(bad)}" if bad else ""
