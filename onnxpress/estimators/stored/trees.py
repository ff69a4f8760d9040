"""Scikit-learn's decision trees.

Compiled code follows their nodes without looking, so every index is checked here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.estimators.stored.arrays import seen
from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Array, Made, Mapping

LEAF, NO_FEATURE = -1, -2
"""What a leaf has for its children and for its feature."""
MOST = 2**31 - 1


def tree(made: Made, build: Callable[[Any], Any]) -> Any:
    """Make a ``sklearn.tree._tree.Tree``.

    It is given the number of features, the number of classes of each output, and its nodes.

    Raises:
        Damaged: sizes that do not fit, or nodes that are no tree.
    """
    from sklearn.tree._tree import Tree

    if made.how != "call" or made.keywords or len(made.arguments) != 3 or len(made.states) != 1:
        raise Damaged("a decision tree should have three arguments and one state")
    n_features, n_classes, n_outputs = (build(argument) for argument in made.arguments)
    whole(n_features, "a tree's number of features", 1, MOST)
    whole(n_outputs, "a tree's number of outputs", 1, MOST)
    if (
        type(n_classes) is not np.ndarray
        or n_classes.dtype != np.intp
        or n_classes.shape != (n_outputs,)
    ):
        raise Damaged("a tree should have a number of classes for each output")
    if n_classes.min() < 1 or n_classes.max() > MOST:
        raise Damaged("a tree's numbers of classes should be positive")
    state = _state(made.states[0], build)
    nodes, values = _arrays(state, n_outputs, int(n_classes.max()))
    check_nodes(nodes, int(n_features))
    made_tree = Tree(int(n_features), n_classes, int(n_outputs))
    made_tree.__setstate__(
        {
            "max_depth": state["max_depth"],
            "node_count": len(nodes),
            "nodes": nodes,
            "values": values,
        }
    )
    clear_padding(made_tree.__getstate__()["nodes"])
    return made_tree


def _state(node: Any, build: Callable[[Any], Any]) -> dict[str, Any]:
    """The parts of a state, the arrays as they lie in the file: the tree copies them."""
    if not isinstance(node, Mapping) or not all(type(key) is str for key, _ in node.pairs):
        raise Damaged("a tree should have one state, by names")
    return {
        key: seen(part, build) if isinstance(part, Array) else build(part)
        for key, part in node.pairs
    }


def _arrays(state: Any, n_outputs: int, most_classes: int) -> tuple[NDArray[Any], NDArray[Any]]:
    from sklearn.tree._tree import NODE_DTYPE

    if type(state) is not dict or set(state) != {"max_depth", "node_count", "nodes", "values"}:
        raise Damaged("a tree's state should be its depth, node count, nodes and values")
    nodes, values = state["nodes"], state["values"]
    if (
        type(nodes) is not np.ndarray
        or nodes.dtype != NODE_DTYPE
        or nodes.ndim != 1
        or not 1 <= len(nodes) <= MOST
    ):
        raise Damaged("a tree's nodes should be records of scikit-learn's own layout")
    if (
        type(values) is not np.ndarray
        or values.dtype != np.float64
        or values.shape != (len(nodes), n_outputs, most_classes)
    ):
        raise Damaged("a tree should have a value for each node, output and class")
    whole(state["node_count"], "a tree's node count", len(nodes), len(nodes))
    whole(state["max_depth"], "a tree's depth", 0, len(nodes))
    return nodes, np.ascontiguousarray(values)


def check_nodes(nodes: NDArray[Any], n_features: int) -> None:
    """Raise Damaged unless inner nodes use existing features and form a tree.

    Each node but the first is the child of one before it.
    """
    left, right, feature = (
        np.ascontiguousarray(nodes[name]) for name in ("left_child", "right_child", "feature")
    )
    leaf = left == LEAF
    if (right[leaf] != LEAF).any() or (feature[leaf] != NO_FEATURE).any():
        raise Damaged("a leaf of a tree has a child or a feature")
    inner = np.flatnonzero(~leaf)
    asked = feature[inner]
    if len(inner) and (asked.min() < 0 or asked.max() >= n_features):
        raise Damaged(f"a tree asks about a feature that is none of its {n_features}")
    if (nodes["missing_go_to_left"] > 1).any():
        raise Damaged("a tree sends missing values neither left nor right")
    check_children(left[inner], right[inner], inner, len(nodes))


def check_children(
    left: NDArray[Any], right: NDArray[Any], parents: NDArray[Any], count: int
) -> None:
    """Raise Damaged unless the ``count`` nodes are one tree, numbered from the root down.

    Three nodes, the first with two leaves: left [1], right [2], parents [0]. Children after their
    parent rule out circles, and each number but 0 once rules out nodes that have two parents, or
    none.
    """
    left, right = (
        left.astype(np.int64, copy=False),
        right.astype(np.int64, copy=False),
    )  # they may be unsigned
    if any((side <= parents).any() or (side >= count).any() for side in (left, right)):
        raise Damaged("a tree has a child before its parent, or none of its nodes")
    found = np.zeros(count, bool)
    found[left] = found[right] = True
    if count != 1 + 2 * len(parents) or not found[1:].all():
        raise Damaged("a tree has a node with two parents, or with none")


def clear_padding(nodes: NDArray[Any]) -> None:
    """Write zeros behind the last field of each of a tree's own nodes.

    What lies there is no data.
    """
    last, offset = max(
        (field[:2] for field in (nodes.dtype.fields or {}).values()), key=lambda field: field[1]
    )
    nodes.view(np.uint8).reshape(len(nodes), nodes.dtype.itemsize)[:, offset + last.itemsize :] = 0


def whole(number: Any, what: str, least: int, most: int) -> int:
    """The whole number, if it is one within limits.

    Raises:
        Damaged: it is not.
    """
    if (
        type(number) not in (int, *np.sctypeDict.values())
        or not isinstance(number, int | np.integer)
        or isinstance(number, bool)
    ):
        raise Damaged(f"{what} should be a whole number, got {type(number).__name__}")
    if not least <= number <= most:
        raise Damaged(f"{what} should be from {least} to {most}, got {number}")
    return int(number)


RULES = {"sklearn.tree._tree.Tree": tree}
UNMADE = tuple(RULES)
"""The tree copies its arrays, so they are not copied before."""
