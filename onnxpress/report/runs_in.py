"""Say in words what was chosen, and in which onnxruntime releases it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_LISTED = 4


def chosen_and_runs_in(quantization: Mapping[str, Any]) -> str:
    """Return the summary of quantization.json, the oldest release, and releases that are wrong."""
    return f"{quantization['summary']}; {_oldest(quantization)}{_but(quantization)}"


def _oldest(quantization: Mapping[str, Any]) -> str:
    oldest = quantization["min_onnxruntime"]
    if oldest == "unknown":
        return "the oldest onnxruntime that runs it is not known"
    return f"runs in onnxruntime {oldest} to {quantization.get('max_onnxruntime', 'newer')}"


def _but(quantization: Mapping[str, Any]) -> str:
    bad = quantization.get("bad_onnxruntime", [])
    untried = quantization.get("untried_operators", [])
    return _not_in(bad) + (f"; {_listed(untried)} was not tried in them" if untried else "")


def _not_in(bad: list[str]) -> str:
    return f", but not in {_listed(bad)}" if bad else ""


def _listed(names: list[str]) -> str:
    """Return names as a list; of many the first and the last."""
    if len(names) <= MOST_LISTED:
        return ", ".join(names)
    return f"{names[0]} ... {names[-1]} ({len(names)} in all)"
