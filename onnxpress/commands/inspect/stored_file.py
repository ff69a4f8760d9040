"""What a pickle, joblib or skops file holds.

A file is read into an inert description first (:mod:`onnxpress.estimators.stored`). Only if all
that it names is known or trusted is the estimator built, by constructors of ours; else its class
and the reason are all that can be said.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onnxpress.errors import UserError
from onnxpress.estimators import stored
from onnxpress.estimators.loading import load_original
from onnxpress.estimators.parts import parts_of
from onnxpress.estimators.stored.nodes import Global, Made
from onnxpress.estimators.written_by import written_by


def describe_stored(data: bytes, file: Path, trust: Sequence[str]) -> dict[str, Any]:
    """Return the facts about a stored estimator, of which nothing runs.

    Raises:
        UserError: the bytes are not a whole pickle, joblib or skops file.
    """
    found = {
        "kind": file.suffix.removeprefix("."),
        "bytes": len(data),
        **_root(data, file, trust),
        "scikit_learn": written_by(file),
    }
    try:
        estimator = load_original(file, trust)
    except UserError as error:
        return {**found, "loads": False, "because": str(error)}
    return {**found, "loads": True, **_described(estimator)}


def _root(data: bytes, file: Path, trust: Sequence[str]) -> dict[str, str]:
    """The class of the object in the file, or the function that would make it; by its name there.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        if file.suffix == ".skops":
            from onnxpress.estimators.stored.skops_reader import read_skops

            root = read_skops(data)
        else:
            from onnxpress.estimators.stored.pickle_reader import read

            root = read(data)
    except stored.Damaged:
        load_original(file, trust)  # says what the file is instead
        raise
    if isinstance(root, Made) and isinstance(root.maker, Global):
        return {"class" if root.how == "new" else "calls": root.maker.path}
    return {}


def _described(estimator: Any) -> dict[str, Any]:
    """What the fitted attributes of an estimator say."""
    columns = getattr(estimator, "feature_names_in_", None)
    classes = getattr(estimator, "classes_", None)
    steps = getattr(estimator, "steps", None)
    return {
        "steps": [f"{name}: {type(step).__name__}" for name, step in steps or ()],
        "features": getattr(estimator, "n_features_in_", None),
        "columns": [] if columns is None else [str(name) for name in columns],
        "classes": [] if classes is None else _plain(classes),
        "trees": _trees(estimator),
    }


def _plain(values: Any) -> list[Any]:
    """The values of an array, or of a list of arrays, as JSON has them."""
    return [value.tolist() if hasattr(value, "tolist") else value for value in values]


def _trees(estimator: Any) -> dict[str, int]:
    """How many trees, splits and leaves the estimator and its parts have; empty without trees."""
    nodes: list[int] = []
    for part in parts_of(estimator):
        if hasattr(part, "tree_"):
            nodes.append(part.tree_.node_count)
        for round_of_trees in getattr(part, "_predictors", ()):
            nodes += [len(tree.nodes) for tree in round_of_trees]
    if not nodes:
        return {}
    splits = sum((count - 1) // 2 for count in nodes)  # every split has two children
    return {"trees": len(nodes), "splits": splits, "leaves": sum(nodes) - splits}
