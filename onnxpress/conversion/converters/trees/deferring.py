"""Leave converted tree operators empty until the model is whole, and fill them then.

skl2onnx copies a model eight times over while it builds it; empty operators cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from onnxpress.graph.trees.fields import replace

Array = npt.NDArray[Any]


class DeferredTrees:
    """The arrays that tree operators wait for, by the names of the operators."""

    def __init__(self) -> None:
        """Start with none."""
        self._pending: dict[str, dict[str, Array]] = {}

    def add(self, node: onnx.NodeProto, arrays: dict[str, Array]) -> None:
        """Keep ``arrays``, by the names of attributes, for the operator ``node``."""
        self._pending[node.name] = arrays

    def fill(self, model: onnx.ModelProto) -> None:
        """Write all arrays into the operators of ``model``, in place.

        Raises:
            RuntimeError: an operator that waits is not in the model under its own name.
        """
        for node in model.graph.node:
            fill(node, self._pending.pop(node.name, {}))
        if self._pending:
            names = sorted(self._pending)
            raise RuntimeError(f"tree operators {names} were converted but are not in the model")


_DEFERRED: ContextVar[DeferredTrees | None] = ContextVar("_DEFERRED", default=None)


@contextmanager
def deferred() -> Iterator[DeferredTrees]:
    """Leave the tree operators that are converted within this context empty.

    The caller fills the model at its end, by ``DeferredTrees.fill``.
    """
    trees = DeferredTrees()
    token = _DEFERRED.set(trees)
    try:
        yield trees
    finally:
        _DEFERRED.reset(token)


class FillingContainer:
    """A skl2onnx container that gives ``arrays``, one after the other, to its tree operators."""

    def __init__(self, container: Any, arrays: Iterable[dict[str, Array]]) -> None:
        """Pass everything but tree operators on to ``container``."""
        self._container, self._arrays = container, iter(arrays)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, op_type: str, *positional: Any, **named: Any) -> None:
        """Add an operator as the container does.

        While onnx checks and sorts the attributes, the first element of an array takes its place.
        """
        if not op_type.startswith("TreeEnsemble"):
            self._container.add_node(op_type, *positional, **named)
            return
        arrays = next(self._arrays)
        first = {name: array[:1].tolist() for name, array in arrays.items()}
        self._container.add_node(op_type, *positional, **{**named, **first})
        node, trees = self._container.nodes[-1], _DEFERRED.get()
        if trees is None:
            fill(node, arrays)
        else:
            trees.add(node, arrays)


def fill(node: onnx.NodeProto, arrays: dict[str, Array]) -> None:
    """Replace the elements of the attributes named in ``arrays``, in place; empties ``arrays``."""
    for attribute in node.attribute:
        if attribute.name in arrays:
            replace(attribute, np.asarray(arrays.pop(attribute.name)))
