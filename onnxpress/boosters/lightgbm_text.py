"""Read LightGBM's text format, versions 3 and 4, that ``Booster.save_model`` writes.

The source is ``src/io/tree.cpp`` and ``src/boosting/gbdt_model_text.cpp`` of LightGBM 4. A tree of
n leaves has n - 1 splits; a child c below 0 is the leaf ~c. In our rows leaves follow the splits:

    left_child=1 -1       row 0  split, left 1, right 3
    right_child=-2 -3     row 1  split, left 2, right 4
    leaf_value=5 6 7      rows 2, 3, 4 with 5, 6, 7
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from onnxpress.boosters.lightgbm_categories import CategorySplits, pandas_features
from onnxpress.boosters.lightgbm_header import Header, read_header
from onnxpress.boosters.lightgbm_linear import LinearLeaves, linear_features, with_linear_leaves
from onnxpress.boosters.lightgbm_objective import read_objective
from onnxpress.boosters.model import BoosterModel, Unreadable, Unsupported
from onnxpress.graph.trees.arrays import Array, TreeArrays

TREE, END = "\nTree=", "\nend of trees"

CATEGORY, DEFAULT_LEFT = 1, 2
"""Bits of ``decision_type``."""
MISSING_SHIFT, MISSING_ZERO, MISSING_NAN = 2, 1, 2
"""Where ``decision_type`` has the kind of missing values, 0 to 2; 0 is none: NaN counts as 0."""

ZERO = np.float32(1e-35)
"""``kZeroThreshold``."""

KEYS = frozenset(
    [
        "num_leaves",
        "num_cat",
        "split_feature",
        "split_gain",
        "threshold",
        "decision_type",
        "left_child",
        "right_child",
        "leaf_value",
        "leaf_weight",
        "leaf_count",
        "internal_value",
        "internal_weight",
        "internal_count",
        "cat_boundaries",
        "cat_threshold",
        "is_linear",
        "leaf_const",
        "num_features",
        "leaf_features",
        "leaf_coeff",
        "shrinkage",
    ]
)


def read_lightgbm(data: bytes) -> BoosterModel:
    """Read the bytes of a text file.

    Raises:
        Unreadable: they are no whole file of these versions.
        Unsupported: a part of the model is not known.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("is no text, as LightGBM's save_model writes it") from error
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # numpy's about text that is no number
        try:
            return _read(text)
        except (ValueError, DeprecationWarning) as error:
            raise Unreadable(f"is no whole LightGBM file: {error}") from error


def _read(text: str) -> BoosterModel:
    head, *blocks = text.split(TREE)
    header = read_header(head)
    if not blocks or END not in blocks[-1]:
        raise Unreadable("is cut: expected LightGBM trees and `end of trees`")
    blocks[-1], _, tail = blocks[-1].partition(END)
    _check_sizes(blocks, header)
    if len(blocks) % header.per_iteration:
        raise Unreadable(f"has {len(blocks)} trees for {header.per_iteration} outputs")
    objective = read_objective(header)
    parsed = [_Block(block, number) for number, block in enumerate(blocks)]
    features = pandas_features(header, tail)
    _check_features(parsed, len(features))
    splits = CategorySplits(len(features))
    shared = linear_features([block.linear for block in parsed])
    trees = tuple(
        with_linear_leaves(
            block.tree(splits, number % header.per_iteration), block.linear, block.leaves, shared
        )
        for number, block in enumerate(parsed)
    )
    memberships, columns = splits.memberships()
    iterations = len(blocks) // header.per_iteration
    return BoosterModel(
        library="lightgbm",
        features=features,
        trees=tuple(splits.on_columns(tree, columns) for tree in trees),
        base=np.zeros(header.per_iteration),
        objective=objective.name,
        link=objective.link,
        scale=objective.slope / (iterations if header.averages else 1),
        classes=objective.classes,
        memberships=memberships,
        truncated=True,
        zero_as_missing=_zero_features(parsed, header),
        linear=shared,
    )


def _check_sizes(blocks: list[str], header: Header) -> None:
    """Raise Unreadable unless trees are numbered, and have the sizes that the file says.

    LightGBM reads trees at the places that follow from these sizes, and crashes at others.
    """
    for number, block in enumerate(blocks):
        if block.partition("\n")[0] != str(number):
            raise Unreadable(f"is damaged: expected `Tree={number}`, got `Tree={block[:20]!r}`")
    if header.sizes is None:
        return
    sizes = [len(f"{TREE}{block}".encode()) for block in blocks]
    if header.sizes != tuple(sizes):
        raise Unreadable("is damaged: its trees have not the sizes in `tree_sizes`")


@dataclass
class _Fields:
    """The lines ``key=value`` of a tree, and their numbers."""

    lines: dict[str, str]
    number: int

    def numbers(self, key: str, count: int, dtype: type[np.generic] = np.float64) -> Array:
        """Return ``count`` numbers of a line."""
        text = self.lines.get(key, "").strip()
        found = np.fromstring(text, dtype, sep=" ") if text else np.zeros(0, dtype)
        if len(found) != count:
            raise Unreadable(
                f"is damaged: tree {self.number} should have {count} numbers in `{key}`, "
                f"got {len(found)}"
            )
        return found

    def whole(self, key: str, default: str | None = None) -> int:
        """Return the whole number of a line."""
        value = self.lines.get(key, default)
        if value is None or not value.isdecimal():
            raise Unreadable(f"is damaged: tree {self.number} should have a number in `{key}`")
        return int(value)


class _Block:
    """One tree as the file has it."""

    def __init__(self, text: str, number: int) -> None:
        """Read the lines of a tree."""
        lines = {}
        for line in text.split("\n")[1:]:
            if line:
                key, _, value = line.partition("=")
                if key not in KEYS or key in lines:
                    raise Unreadable(
                        f"has `{line[:40]}` in tree {number}, expected LightGBM's keys"
                    )
                lines[key] = value
        fields = _Fields(lines, number)
        self.leaves = fields.whole("num_leaves")
        if self.leaves < 1:
            raise Unreadable(f"is damaged: tree {number} has no leaves")
        inner = self.leaves - 1
        self.feature = fields.numbers("split_feature", inner, np.int64)
        self.threshold = fields.numbers("threshold", inner)
        self.decision = fields.numbers("decision_type", inner, np.int64)
        children = [fields.numbers(f"{side}_child", inner, np.int64) for side in ("left", "right")]
        self.left, self.right = (np.where(one < 0, inner + ~one, one) for one in children)
        self.value = fields.numbers("leaf_value", self.leaves)
        self.is_category = (self.decision & CATEGORY) != 0
        self.missing = self.decision >> MISSING_SHIFT
        if bool(((self.decision < 0) | (self.missing > MISSING_NAN)).any()):
            raise Unsupported(f"has decision types in tree {number} that LightGBM 4 does not write")
        categories = fields.whole("num_cat", "0")
        self.boundaries, self.words = None, np.zeros(0, np.int64)
        if categories:
            self.boundaries = fields.numbers("cat_boundaries", categories + 1, np.int64)
            self.words = fields.numbers("cat_threshold", int(self.boundaries[-1]), np.int64)
        is_linear = fields.whole("is_linear", "0")
        self.linear = LinearLeaves.of(fields, self.leaves) if is_linear else None

    def tree(self, splits: CategorySplits, output: int) -> TreeArrays:
        """Return the tree; the thresholds of category splits are numbers in ``splits``."""
        threshold = np.where(self.is_category, self.threshold, _around_zero(self.threshold))
        missing_left = (self.decision & DEFAULT_LEFT) != 0
        missing_left = np.where(self.missing == 0, self.threshold >= 0, missing_left)
        at = np.flatnonzero(self.is_category)
        threshold[at] = splits.add(self.feature[at], threshold[at], self.boundaries, self.words)
        missing_left[at] = False
        leaves = np.zeros(self.leaves)
        split = np.arange(2 * self.leaves - 1) < self.leaves - 1
        feature = np.concatenate([self.feature, leaves]).astype(np.int64)
        feature[at] += splits.mark
        return TreeArrays(
            split=split,
            feature=feature,
            threshold=np.concatenate([threshold, leaves]),
            left=np.concatenate([self.left, leaves]).astype(np.int64),
            right=np.concatenate([self.right, leaves]).astype(np.int64),
            missing_left=np.concatenate([missing_left, leaves != 0]),
            value=np.concatenate([np.zeros(self.leaves - 1), self.value])[:, None],
            first_id=output,
        )


def _check_features(blocks: list[_Block], count: int) -> None:
    """Raise Unreadable unless splits and linear leaves read features 0 to ``count - 1``."""
    for number, block in enumerate(blocks):
        linear = () if block.linear is None else block.linear.features
        for feature in (block.feature, *linear):
            if len(feature) and not 0 <= feature.min() <= feature.max() < count:
                raise Unreadable(f"is damaged: tree {number} reads a feature above {count - 1}")


def _around_zero(threshold: Array) -> Array:
    """Return thresholds that compare a number within +- ZERO as they compare 0.

    LightGBM drops such numbers of a row, which makes them 0: ``RowPairFunctionFromDenseMatric`` in
    ``src/c_api.cpp``.
    """
    below = np.nextafter(-ZERO, np.float32(-np.inf)).astype(np.float64)
    result = np.where((threshold >= -ZERO) & (threshold < 0), below, threshold)
    return np.where((threshold >= 0) & (threshold <= ZERO), np.float64(ZERO), result)


def _zero_features(blocks: list[_Block], header: Header) -> tuple[int, ...]:
    """Return the features whose zeros are missing.

    Raises:
        Unsupported: they are in some splits of a feature only.
    """
    numeric = [~block.is_category for block in blocks]
    feature = np.concatenate([b.feature[at] for b, at in zip(blocks, numeric, strict=True)])
    zero = np.concatenate(
        [b.missing[at] == MISSING_ZERO for b, at in zip(blocks, numeric, strict=True)]
    )
    found, others = np.unique(feature[zero]), np.unique(feature[~zero])
    mixed = np.intersect1d(found, others)
    if len(mixed):
        raise Unsupported(
            f"takes zeros of {header.names[int(mixed[0])]!r} as missing in some splits only, "
            "which has no exact form here"
        )
    return tuple(int(one) for one in found)
