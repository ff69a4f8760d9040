"""Refined forests: a small forest that has learned from the original, in place of the original's trees."""

from __future__ import annotations

from onnxpress.quantize.forest.refined.ladder import (
    LADDER,
    Settings,
    learned,
    refined,
    refined_candidates,
)

__all__ = ["LADDER", "Settings", "learned", "refined", "refined_candidates"]
