"""Why an ONNX model was not taken."""

from __future__ import annotations


class BadModel(ValueError):
    """A model that is not whole, not in one file, or that would run without end.

    The message is one clause without a path.
    """
