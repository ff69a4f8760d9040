"""Memory that no fit has written: skops makes objects anew, and what it leaves open differs between two loads."""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.common.parts import parts_of


def settled(estimator: Any) -> Any:
    """Give an estimator that skops has made the same bytes each time, in place; it computes what it did.

    Between the fields of a tree's nodes there is padding, which is zeroed. A random state was made with a seed from the
    system before it got its own state; that seed is dumped too, and is replaced by 0.
    """
    from sklearn.tree._tree import Tree

    for part in parts_of(estimator):
        for name, value in vars(part).items():
            if isinstance(value, Tree):
                _zero_padding(value.__getstate__()["nodes"])
            elif isinstance(value, np.random.RandomState):
                seeded = np.random.RandomState(0)
                seeded.set_state(value.get_state(legacy=False))
                setattr(part, name, seeded)
            elif isinstance(value, np.random.Generator):
                source = type(value.bit_generator)(0)
                source.state = value.bit_generator.state
                setattr(part, name, np.random.Generator(source))
    return estimator


def _zero_padding(nodes: Any) -> None:
    """``nodes`` are the tree's own memory, a structured array."""
    used = np.zeros(nodes.dtype.itemsize, bool)
    for kind, offset in nodes.dtype.fields.values():
        used[offset : offset + kind.itemsize] = True
    nodes.view(np.uint8).reshape(len(nodes), -1)[:, ~used] = 0
