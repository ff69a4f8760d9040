"""What a rule of the grammar is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from onnxpress.estimators.stored.nodes import Made

Build = Callable[[Any], Any]
"""Makes the object of a node, once: asked again, the same object."""


class Rule(Protocol):
    """Makes the object that ``made`` describes, from checked arguments.

    Raises:
        Damaged: arguments, state or items are none that the original writes.
    """

    def __call__(self, made: Made, build: Build, /) -> Any:
        """Make it."""
