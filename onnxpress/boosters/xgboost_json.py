"""Read XGBoost's native files, JSON and UBJSON, of XGBoost 1.3 to 3.2, as the library reads them.

Source: src/learner.cc, src/gbm/gbtree.cc and src/tree/tree_model.cc of XGBoost 3.2.

1. ``base_score`` is a number or, since 3.1, a list with one for each output (xgboost_objectives).
2. Trees of the gbtree and dart boosters count, dart's times their weight. gblinear is refused.
3. A model that scikit-learn's wrapper has saved after early stopping predicts with the rounds up to
   the best one, as the wrapper does. A Booster saved by itself predicts with all, as Booster does.
4. Trees are read by :mod:`xgboost_trees`, categories by :mod:`xgboost_categories`.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from onnxpress.boosters.model import BoosterModel, Feature, Unreadable, Unsupported
from onnxpress.boosters.xgboost_categories import categories_of, encoding_of, with_columns
from onnxpress.boosters.xgboost_document import Part, read_document
from onnxpress.boosters.xgboost_objectives import base_margin, objective_of
from onnxpress.boosters.xgboost_trees import RawTree, read_tree

OLDEST, NEWEST = (1, 3), (3, 2)
"""Versions whose files are read: JSON is stable since 1.3; 3.3 stores dart in another way."""
LEARNER = frozenset(
    {
        *("attributes", "feature_names", "feature_types", "gradient_booster"),
        *("learner_model_param", "objective"),
    }
)
MODEL = frozenset({"cats", "gbtree_model_param", "iteration_indptr", "tree_info", "trees"})
"""Parts that may be in the file; another one may change what it predicts."""
TWO = 2


def read_xgboost(content: bytes) -> BoosterModel:
    """Read the bytes of a ``.json`` or ``.ubj`` file.

    Raises:
        Unreadable: the bytes are no whole file of XGBoost.
        Unsupported: a part of the model has no exact form here.
    """
    document = read_document(content)
    version = _version(document)
    learner = document.part("learner")
    learner.only(LEARNER)
    params = learner.part("learner_model_param")
    name = learner.part("objective").text("name")
    objective = objective_of(name, version[0])
    targets, classes = params.whole("num_target", 1), params.whole("num_class")
    outputs = max(targets, classes, 1)
    if objective.classifies and targets > 1:
        raise Unsupported(f"has {targets} labels a row; one label a row is possible")
    if outputs > 1 and not objective.classifies and classes > 1:
        raise Unsupported(f"has {classes} classes and the objective {name}, which has none")
    booster, weights = _booster(learner.part("gradient_booster"))
    ends = _round_ends(booster, len(booster.parts("trees")), outputs)
    counted, notes = _counted_rounds(learner, len(ends))
    trees = _read_trees(booster, weights, outputs, ends[counted - 1])
    features = _features(learner, booster, encoding_of(learner), params.whole("num_feature"))
    arrays, memberships = with_columns(trees, len(features))
    return BoosterModel(
        library="xgboost",
        features=features,
        trees=tuple(arrays),
        base=base_margin(objective, _base_score(params, outputs)),
        objective=name,
        link=objective.link,
        classes=max(classes, TWO) if objective.classifies else 0,
        memberships=tuple(memberships),
        floored=True,
        missing_in_columns=True,
        notes=notes,
    )


def _version(document: Part) -> tuple[int, ...]:
    found = tuple(int(part) for part in document.numbers("version", np.int64))
    if not OLDEST <= found[:2] <= NEWEST:
        own, first, last = (".".join(map(str, one)) for one in (found, OLDEST, NEWEST))
        wanted = f"files of {first} to {last} are read"
        raise Unsupported(f"is of XGBoost {own}, and {wanted}; fit it with one of these")
    return found


def _base_score(params: Part, outputs: int) -> NDArray[np.float32]:
    """Return the base scores (outputs,): "5E-1" is one for all, "[1E0,2E0]" is one for each."""
    try:
        values = np.atleast_1d(np.asarray(json.loads(params.text("base_score"))))
    except (ValueError, RecursionError):
        values = np.empty(0)
    if values.dtype.kind not in "fi" or values.shape not in ((1,), (outputs,)):
        raise params.error("base_score", f"a number, or a list of {outputs} as text")
    return np.broadcast_to(values.astype(np.float32), (outputs,))


def _booster(found: Part) -> tuple[Part, NDArray[np.float32] | None]:
    """Return the trees' part, and the weights of the trees of dart."""
    name = found.text("name")
    if name not in ("gbtree", "dart"):
        raise Unsupported(f"has the booster {name[:40]!r}, not gbtree or dart, so no trees")
    found.only({"gbtree", "name", "weight_drop"} if name == "dart" else {"model", "name"})
    model = (found.part("gbtree") if name == "dart" else found).part("model")
    model.only(MODEL)
    return model, found.numbers("weight_drop", np.float32) if name == "dart" else None


def _counted_rounds(learner: Part, rounds: int) -> tuple[int, tuple[str, ...]]:
    """Return how many rounds predict, and a note where early stopping has found fewer."""
    attributes = learner.part("attributes") if "attributes" in learner else Part({}, "")
    if "best_iteration" not in attributes:
        return rounds, ()
    best = min(attributes.whole("best_iteration") + 1, rounds)
    if best == rounds:
        return rounds, ()
    if "scikit_learn" in attributes:
        note = f"was stopped early: {best} of its {rounds} rounds count, as in scikit-learn's class"
        return best, (note,)
    note = f"counts all {rounds} rounds, as Booster.predict does; booster[:{best}] has the best"
    return rounds, (note,)


def _read_trees(
    booster: Part, weights: NDArray[np.float32] | None, outputs: int, count: int
) -> list[RawTree]:
    parts = booster.parts("trees")
    output_of = booster.numbers("tree_info", np.int64, len(parts))
    if weights is not None and len(weights) != len(parts):
        raise Unreadable(f"is damaged: {len(weights)} weights of dart for {len(parts)} trees")
    trees = []
    for number, part in enumerate(parts[:count]):
        tree = read_tree(part, int(output_of[number]), outputs)
        trees.append(tree if weights is None else _weighted(tree, weights[number]))
    return trees


def _weighted(tree: RawTree, weight: np.float32) -> RawTree:
    """Multiply the leaves by a weight of dart, in float32 as XGBoost does."""
    value = (tree.arrays.value.astype(np.float32) * weight).astype(np.float64)
    return replace(tree, arrays=replace(tree.arrays, value=value))


def _round_ends(booster: Part, trees: int, outputs: int) -> list[int]:
    """Return the number of trees up to the end of each round; older files do not say it."""
    if not trees:
        raise Unsupported("has no trees: it was saved before it was fitted")
    if "iteration_indptr" in booster:
        ends = booster.numbers("iteration_indptr", np.int64)
        if len(ends) < TWO or ends[0] != 0 or ends[-1] != trees or (np.diff(ends) < 0).any():
            raise booster.error("iteration_indptr", f"numbers that grow from 0 to {trees}")
        return [int(end) for end in ends[1:]]
    each = max(booster.part("gbtree_model_param").whole("num_parallel_tree", 1), 1) * outputs
    if trees % each:
        raise Unreadable(f"is damaged: {trees} trees are no whole number of rounds of {each}")
    return list(range(each, trees + 1, each))


def _features(learner: Part, booster: Part, encoding: str, count: int) -> tuple[Feature, ...]:
    names = learner.texts("feature_names") or [""] * count
    categories = categories_of(booster, encoding) or [None] * count
    if len(names) != count or len(categories) != count:
        raise Unreadable(
            f"is damaged: {len(names)} names and categories of {len(categories)} features, of "
            f"{count} that it has"
        )
    return tuple(map(Feature, names, categories))
