"""Ensembles at random: every rule of the tree operators, and by plain Python what they mean.

An ensemble is made from a :class:`Spec` and its seed. It is kept as Python objects, written from
those as any of the three operators, and answered from those, row by row, as the specification of
ai.onnx.ml says. Nothing here uses the code under test.
"""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import onnx
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Operator = Literal["TreeEnsembleRegressor", "TreeEnsembleClassifier", "TreeEnsemble"]
Row = NDArray[Any]

COMPARISONS = ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ")
NUMBERS = {name: number for number, name in enumerate((*COMPARISONS, "MEMBER"))}
AGGREGATES = {"AVERAGE": 0, "SUM": 1, "MIN": 2, "MAX": 3}
FEATURES = 3
TWO = 2
"""Classes whose base values may be one."""

SMALL = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
LARGE = (40.0, 41.0, 1e30, -1e30, 2.0**24, 2.0**32)
TINY = (-0.0, 1e-45, -1e-45, 1e-38)
ENDLESS = (math.inf, -math.inf)


@dataclass(frozen=True)
class Spec:
    """What an ensemble is like. Node by node it is drawn by numpy, from ``seed``."""

    operator: Operator = "TreeEnsembleRegressor"
    double: bool = False
    trees: int = 1
    depth: int = 1
    modes: tuple[str, ...] = ("LEQ",)
    thresholds: tuple[float, ...] = SMALL
    tracks: float = 0.0
    """The share of splits on which NaN takes the true branch."""
    shared: float = 0.0
    """The share of what may be shared that is.

    In version 5 that is a leaf, which may be one of the tree's former ones. In version 3 it is the
    true child of comparisons by EQ that follow each other, the one sharing that onnxruntime loads.
    """
    targets: int = 1
    """Targets, or classes."""
    texts: bool = False
    sparse: bool = False
    """A leaf may leave targets out."""
    single: int = -1
    """The only target that leaves add to; -1 for any."""
    weights: Literal["any", "positive", "few", "float"] = "any"
    aggregate: str = "SUM"
    post: str = "NONE"
    base: int = 0
    """How many base values."""
    twins: bool = False
    """Every tree comes twice, and a branch of the first tree is a tree of its own."""
    shuffled: bool = False
    """Nodes behind the first of a tree in any order, and node and tree ids with gaps."""
    opset: int = 12
    seed: int = 0


@dataclass(eq=False)
class Leaf:
    """What a leaf adds, by target."""

    weights: dict[int, float]


@dataclass(eq=False)
class Split:
    """A comparison of ``x[feature]`` with a number, or with a set of them for MEMBER."""

    feature: int
    mode: str
    value: float
    members: tuple[float, ...]
    tracks: bool
    yes: Node
    no: Node


Node = Leaf | Split


@dataclass
class Ensemble:
    """Trees, and what follows their sums."""

    spec: Spec
    roots: list[Node]
    base: list[float] = field(default_factory=list)

    @property
    def dtype(self) -> Any:
        """What is compared and added in."""
        return np.float64 if self.spec.double else np.float32


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """Specs whose fields go together."""
    operator: Operator = draw(
        st.sampled_from(("TreeEnsembleRegressor", "TreeEnsembleClassifier", "TreeEnsemble"))
    )
    newest, classes = operator == "TreeEnsemble", operator == "TreeEnsembleClassifier"
    known = (*COMPARISONS, "MEMBER") if newest else COMPARISONS
    targets = draw(st.integers(2 if classes else 1, 4))
    pools = st.lists(st.sampled_from((SMALL, LARGE, TINY, ENDLESS)), min_size=1, max_size=3)
    bases = (0, 1, 2) if classes and targets == TWO else (0, targets)
    posts = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
    return Spec(
        operator=operator,
        double=draw(st.booleans()),
        trees=draw(st.sampled_from((1, 2, 3, 7, 60))),
        depth=draw(st.integers(0, 5)),
        modes=tuple(draw(st.lists(st.sampled_from(known), min_size=1, max_size=4, unique=True))),
        thresholds=tuple(number for pool in draw(pools) for number in pool),
        tracks=draw(st.sampled_from((0.0, 0.5, 1.0))),
        shared=draw(st.sampled_from((0.0, 0.4))),
        targets=targets,
        texts=classes and draw(st.booleans()),
        sparse=not newest and draw(st.booleans()),
        single=draw(st.integers(-1, targets - 1)),
        weights=draw(st.sampled_from(("any", "positive", "few", "float"))),
        aggregate="SUM" if classes else draw(st.sampled_from(tuple(AGGREGATES))),
        post="NONE" if newest else draw(st.sampled_from(posts)),
        base=0 if newest else draw(st.sampled_from(bases)),
        twins=draw(st.booleans()),
        shuffled=draw(st.booleans()),
        opset=draw(st.sampled_from((9, 12, 13, 18, 21))),
        seed=draw(st.integers(0, 10_000)),
    )


@lru_cache(maxsize=1)
def made(spec: Spec) -> Ensemble:
    """The ensemble of ``spec``; several checks in a row ask for the same."""
    random = np.random.default_rng(spec.seed)
    roots = []
    for _ in range(spec.trees):
        leaves: list[Leaf] = []
        roots.append(_grown(spec, random, spec.depth, leaves))
    if spec.twins:
        branches = [root.yes for root in roots[:1] if isinstance(root, Split)]
        roots += [copy.deepcopy(node) for node in (*roots, *branches)]
    base = [float(random.integers(-8, 9) / 4) for _ in range(spec.base)]
    return Ensemble(spec, roots, base)


def _grown(spec: Spec, random: np.random.Generator, depth: int, leaves: list[Leaf]) -> Node:
    newest, root = spec.operator == "TreeEnsemble", not leaves
    if depth == 0 or (random.random() < 0.15 and not (newest and root)):
        if newest and leaves and random.random() < spec.shared:
            return leaves[random.integers(len(leaves))]
        leaves.append(Leaf(_weights(spec, random)))
        return leaves[-1]
    mode = str(random.choice(spec.modes))
    if mode == "EQ" and not newest and random.random() < spec.shared:
        return _chain(spec, random, depth, leaves)
    members: tuple[float, ...] = ()
    if mode == "MEMBER":
        codes = [value for value in spec.thresholds if value and value == int_or_nan(value)]
        pool = np.unique(np.array(codes or [1.0], np.float32))
        members = tuple(map(float, random.permutation(pool)[: random.integers(1, 5)]))
    return Split(
        feature=int(random.integers(FEATURES)),
        mode=mode,
        value=_number(spec, random),
        members=members,
        tracks=bool(random.random() < spec.tracks),
        yes=_grown(spec, random, depth - 1, leaves),
        no=_grown(spec, random, depth - 1, leaves),
    )


def _chain(spec: Spec, random: np.random.Generator, depth: int, leaves: list[Leaf]) -> Node:
    """Splits by EQ on one feature, each the false child of the former, with one true child."""
    feature, tracks = int(random.integers(FEATURES)), bool(random.random() < spec.tracks)
    yes = _grown(spec, random, depth - 1, leaves)
    node = _grown(spec, random, depth - 1, leaves)
    for _ in range(random.integers(2, 5)):
        node = Split(feature, "EQ", _number(spec, random), (), tracks, yes, node)
    return node


def _number(spec: Spec, random: np.random.Generator) -> float:
    """A threshold: in float64 sometimes one that no float32 is equal to."""
    value = float(random.choice(spec.thresholds))
    if spec.double:
        return value + 0.1 if random.random() < 0.5 else value
    return float(np.float32(value))


def int_or_nan(value: float) -> float:
    """The whole number that onnxruntime loads as a member of a set, else NaN."""
    return float(int(value)) if abs(value) < 2**31 else math.nan


def _weights(spec: Spec, random: np.random.Generator) -> dict[int, float]:
    targets = [spec.single] if spec.single >= 0 else list(range(spec.targets))
    if spec.operator == "TreeEnsemble" and len(targets) > 1:
        targets = [int(random.choice(targets))]
    if spec.sparse and len(targets) > 1:
        targets = sorted(random.permutation(targets)[: random.integers(1, len(targets) + 1)])
    return {int(target): float(np.float32(_weight(spec, random))) for target in targets}


def _weight(spec: Spec, random: np.random.Generator) -> float:
    if spec.weights == "positive":
        return float(random.integers(0, 16) / 16)
    if spec.weights == "few":
        return float(random.integers(-1, 2))
    if spec.weights == "float":
        return float(random.normal() * 10.0 ** random.integers(-3, 4))
    return float(random.integers(-50, 50) / 16)


def splits(ensemble: Ensemble) -> Iterator[Split]:
    """Every split, once for each way that leads to it."""
    waiting = list(ensemble.roots)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Split):
            yield node
            waiting += [node.yes, node.no]


def rows(ensemble: Ensemble, count: int = 150) -> Row:
    """Rows of thresholds, their neighbours, halves between codes, NaN and infinities.

    Each feature takes the thresholds of its own splits more often than those of others.
    """
    random = np.random.default_rng(ensemble.spec.seed + 1)
    dtype = ensemble.dtype
    own: list[list[float]] = [[] for _ in range(FEATURES)]
    for split in splits(ensemble):
        own[split.feature] += split.members or [split.value]
    columns = []
    for numbers in own:
        value = np.array(sorted(set(numbers)) or [0.0], dtype)
        with np.errstate(over="ignore"):
            up, down = np.nextafter(value, dtype(np.inf)), np.nextafter(value, dtype(-np.inf))
            near = np.concatenate([value, value, up, down, value + dtype(0.5)])
        odd = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e10], dtype)
        column = random.choice(near, count)
        rare = random.random(count) < 0.2
        column[rare] = random.choice(odd, int(rare.sum()))
        columns.append(column)
    return np.stack(columns, axis=1)


def leaf_of(node: Node, row: Row) -> Leaf:
    """The leaf that ``row`` reaches, by IEEE comparisons in the dtype of the row."""
    while isinstance(node, Split):
        node = node.yes if _taken(node, row[node.feature]) else node.no
    return node


TAKEN: dict[str, Callable[[Any, Any], Any]] = {
    "LEQ": operator.le,
    "LT": operator.lt,
    "GTE": operator.ge,
    "GT": operator.gt,
    "EQ": operator.eq,
    "NEQ": operator.ne,
}


def _taken(split: Split, value: Any) -> bool:
    if split.tracks and np.isnan(value):
        return True
    if split.mode == "MEMBER":
        return bool(value in np.array(split.members, value.dtype))
    return bool(TAKEN[split.mode](value, value.dtype.type(split.value)))


def reached(ensemble: Ensemble, x: Row) -> NDArray[np.float64]:
    """What each tree adds to each target, (rows, trees, targets); NaN where it adds nothing."""
    found = np.full((len(x), len(ensemble.roots), ensemble.spec.targets), np.nan)
    for i, row in enumerate(x):
        for j, root in enumerate(ensemble.roots):
            for target, weight in leaf_of(root, row).weights.items():
                found[i, j, target] = weight
    return found


def aggregated(ensemble: Ensemble, x: Row) -> NDArray[Any]:
    """Raw scores before base values, (rows, targets): 0 for a target that nothing adds to.

    Added in the dtype of the ensemble, tree after tree.
    """
    added = reached(ensemble, x)
    nothing = np.isnan(added).all(axis=1)
    aggregate = ensemble.spec.aggregate
    if aggregate in ("MIN", "MAX"):
        limit, reduce = (np.inf, np.min) if aggregate == "MIN" else (-np.inf, np.max)
        total = reduce(np.where(np.isnan(added), limit, added), axis=1).astype(ensemble.dtype)
    else:
        total = np.zeros(nothing.shape, ensemble.dtype)
        for tree in range(added.shape[1]):
            total += np.nan_to_num(added[:, tree], nan=0.0).astype(ensemble.dtype)
        if aggregate == "AVERAGE":
            total = total / ensemble.dtype(added.shape[1])
    total[nothing] = 0
    return np.asarray(total)


def model(ensemble: Ensemble) -> onnx.ModelProto:
    """The ensemble as a model of one tree operator."""
    spec = ensemble.spec
    if spec.operator == "TreeEnsemble":
        attributes, version = _version_5(ensemble), 5
    else:
        attributes, version = _version_3(ensemble), 3
    outputs = []
    if spec.operator == "TreeEnsembleClassifier":
        kind = TensorProto.STRING if spec.texts else TensorProto.INT64
        outputs.append(helper.make_tensor_value_info("label", kind, [None]))
    newest = spec.operator == "TreeEnsemble"
    score_type = TensorProto.DOUBLE if newest and spec.double else TensorProto.FLOAT
    outputs.append(helper.make_tensor_value_info("scores", score_type, [None, spec.targets]))
    x_type = TensorProto.DOUBLE if spec.double else TensorProto.FLOAT
    node = helper.make_node(
        spec.operator, ["X"], [item.name for item in outputs], domain="ai.onnx.ml", **attributes
    )
    x = helper.make_tensor_value_info("X", x_type, [None, FEATURES])
    imports = [helper.make_opsetid("", spec.opset), helper.make_opsetid("ai.onnx.ml", version)]
    graph = helper.make_graph([node], "g", [x], outputs)
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


def _version_3(ensemble: Ensemble) -> dict[str, Any]:
    """The attributes of the operators that list splits and leaves together, by ids."""
    spec, random = ensemble.spec, np.random.default_rng(ensemble.spec.seed + 2)
    kind = "class" if spec.operator == "TreeEnsembleClassifier" else "target"
    nodes: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    tree_ids = np.arange(len(ensemble.roots))
    if spec.shuffled:
        tree_ids = np.sort(random.permutation(3 * len(tree_ids))[: len(tree_ids)])
    for tree, root in zip(tree_ids, ensemble.roots, strict=True):
        listed = _listed(root)
        numbers = list(range(len(listed)))
        if spec.shuffled:
            listed[1:] = [listed[1:][i] for i in random.permutation(len(listed) - 1)]
            numbers = [int(number) for number in random.permutation(len(listed))]
        number = {id(node): numbers[place] for place, node in enumerate(listed)}
        for node in listed:
            nodes.append(
                {"treeids": int(tree), "nodeids": number[id(node)], **_fields(node, number)}
            )
            if isinstance(node, Leaf):
                for target, weight in node.weights.items():
                    owner = {"treeids": int(tree), "nodeids": number[id(node)]}
                    entries.append({**owner, "ids": target, "weights": weight})
    lists: dict[str, Any] = {f"nodes_{name}": [item[name] for item in nodes] for name in nodes[0]}
    lists |= {f"{kind}_{name}": [item[name] for item in entries] for name in entries[0]}
    if ensemble.base:
        lists["base_values"] = ensemble.base
    if spec.double:
        _store_doubles(lists, ("nodes_values", f"{kind}_weights", "base_values"))
    lists["post_transform"] = spec.post
    if kind == "target":
        return {**lists, "n_targets": spec.targets, "aggregate_function": spec.aggregate}
    labels = labels_of(spec)
    return {**lists, "classlabels_strings" if spec.texts else "classlabels_int64s": labels}


def _store_doubles(lists: dict[str, Any], names: tuple[str, ...]) -> None:
    """Write the lists of ``names`` as tensors of float64, in place."""
    for name in names:
        if name in lists:
            values = np.array(lists.pop(name), np.float64)
            lists[f"{name}_as_tensor"] = numpy_helper.from_array(values)


def labels_of(spec: Spec) -> list[Any]:
    """Class labels that are not their own positions."""
    codes = [5, -3, 9, 2][: spec.targets]
    return [f"c{code}" for code in codes] if spec.texts else codes


def _listed(root: Node) -> list[Node]:
    """The nodes of a tree, the root first, each once."""
    found: dict[int, Node] = {}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) not in found:
            found[id(node)] = node
            if isinstance(node, Split):
                waiting += [node.no, node.yes]
    return list(found.values())


def _fields(node: Node, number: dict[int, int]) -> dict[str, Any]:
    if isinstance(node, Leaf):
        names = ("featureids", "truenodeids", "falsenodeids", "missing_value_tracks_true")
        return {"modes": "LEAF", "values": 0.0, **dict.fromkeys(names, 0)}
    return {
        "featureids": node.feature,
        "values": node.value,
        "modes": f"BRANCH_{node.mode}",
        "truenodeids": number[id(node.yes)],
        "falsenodeids": number[id(node.no)],
        "missing_value_tracks_true": int(node.tracks),
    }


def _as_split(root: Node) -> Split:
    """A tree of one leaf as a split whose sides are that leaf."""
    if isinstance(root, Split):
        return root
    return Split(0, "LEQ", 0.0, (), tracks=False, yes=root, no=root)


def _version_5(ensemble: Ensemble) -> dict[str, Any]:
    """The attributes of TreeEnsemble: splits in preorder, so that the sets of a tree are too."""
    spec = ensemble.spec
    inner: list[Split] = []
    leaves: dict[int, tuple[int, Leaf]] = {}
    roots = []
    for root in ensemble.roots:
        roots.append(len(inner))
        found = _listed(_as_split(root))
        inner += [node for node in found if isinstance(node, Split)]
        for node in reversed(found) if spec.shuffled else found:
            if isinstance(node, Leaf):
                leaves[id(node)] = len(leaves), node
    position = {id(node): place for place, node in enumerate(inner)}
    position |= {key: place for key, (place, _) in leaves.items()}
    entries = [next(iter(leaf.weights.items())) for _, leaf in leaves.values()]
    sets = [[*split.members, math.nan] for split in inner if split.mode == "MEMBER"]

    def tensor(values: list[Any], dtype: Any = ensemble.dtype) -> onnx.TensorProto:
        return numpy_helper.from_array(np.array(values, dtype))

    attributes: dict[str, Any] = {
        "n_targets": spec.targets,
        "aggregate_function": AGGREGATES[spec.aggregate],
        "tree_roots": roots,
        "nodes_featureids": [split.feature for split in inner],
        "nodes_modes": tensor([NUMBERS[split.mode] for split in inner], np.uint8),
        "nodes_splits": tensor([0.0 if split.members else split.value for split in inner]),
        "nodes_missing_value_tracks_true": [int(split.tracks) for split in inner],
        "leaf_targetids": [target for target, _ in entries],
        "leaf_weights": tensor([weight for _, weight in entries]),
    }
    for side, children in (
        ("true", [split.yes for split in inner]),
        ("false", [split.no for split in inner]),
    ):
        attributes[f"nodes_{side}nodeids"] = [position[id(child)] for child in children]
        attributes[f"nodes_{side}leafs"] = [int(isinstance(child, Leaf)) for child in children]
    if sets:
        attributes["membership_values"] = tensor([number for part in sets for number in part])
    return attributes
