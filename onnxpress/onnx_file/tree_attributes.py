"""The attributes of the tree operators of ai.onnx.ml: the one table that readers and writers share.

Source: https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html, and its neighbours for
TreeEnsembleClassifier and TreeEnsembleRegressor (versions 1 and 3; TreeEnsemble came with 5).

The two older operators keep splits and leaves in one list of nodes, found by (tree id, node id),
and what leaves add in a second list. TreeEnsemble keeps splits and leaves in two lists, found by
position. A tree that splits at x[0] <= 0.5 and predicts 7 or 9, as a regressor and as a
TreeEnsemble:

    nodes_treeids        0 0 0                        nodes_featureids     0
    nodes_nodeids        0 1 2                        nodes_modes          0, for BRANCH_LEQ
    nodes_modes          BRANCH_LEQ LEAF LEAF         nodes_splits         0.5
    nodes_featureids     0 0 0                        nodes_truenodeids    0
    nodes_values         0.5 0 0                      nodes_trueleafs      1
    nodes_truenodeids    1 0 0                        nodes_falsenodeids   1
    nodes_falsenodeids   2 0 0                        nodes_falseleafs     1
    target_treeids       0 0                          leaf_targetids       0 0
    target_nodeids       1 2                          leaf_weights         7 9
    target_ids           0 0                          tree_roots           0
    target_weights       7 9
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from onnx import AttributeProto

INT, STRING, TENSOR = AttributeProto.INT, AttributeProto.STRING, AttributeProto.TENSOR
INTS, FLOATS, STRINGS = AttributeProto.INTS, AttributeProto.FLOATS, AttributeProto.STRINGS

SPLIT_MODES = (
    b"BRANCH_LEQ",
    b"BRANCH_LT",
    b"BRANCH_GTE",
    b"BRANCH_GT",
    b"BRANCH_EQ",
    b"BRANCH_NEQ",
)
"""The comparisons of versions 1 and 3; ai.onnx.ml 5 writes their positions here instead."""

LEAF_MODE = b"LEAF"
"""The mode of a node that is a leaf, in versions 1 and 3."""

MEMBER_MODE = 6
"""In ai.onnx.ml 5 also: is the feature one of a set of values?"""


class Per(Enum):
    """What an attribute has one element for."""

    OPERATOR = auto()
    NODE = auto()
    """A split or a leaf; in a TreeEnsemble a split."""
    LEAF = auto()
    """A weight of a leaf: in versions 1 and 3 a leaf may have several, in a TreeEnsemble one."""
    TREE = auto()
    OUTPUT = auto()
    """A class or a target."""
    SET = auto()
    """A value of a set, or the NaN that ends the set."""


@dataclass(frozen=True)
class TreeAttribute:
    """One attribute: its name, its type (``AttributeProto.AttributeType``) and what it counts."""

    name: str
    type: int
    per: Per
    optional: bool = False
    since: int = 1
    """The version of ai.onnx.ml that brought it."""
    twin: str = ""
    """The tensor that may hold the values instead, from version 3 on."""


def _nodes() -> tuple[TreeAttribute, ...]:
    """List what TreeEnsembleClassifier and TreeEnsembleRegressor say of their nodes."""
    return (
        TreeAttribute("nodes_treeids", INTS, Per.NODE),
        TreeAttribute("nodes_nodeids", INTS, Per.NODE),
        TreeAttribute("nodes_featureids", INTS, Per.NODE),
        TreeAttribute("nodes_modes", STRINGS, Per.NODE),
        TreeAttribute("nodes_values", FLOATS, Per.NODE, twin="nodes_values_as_tensor"),
        TreeAttribute("nodes_truenodeids", INTS, Per.NODE),
        TreeAttribute("nodes_falsenodeids", INTS, Per.NODE),
        TreeAttribute("nodes_missing_value_tracks_true", INTS, Per.NODE, optional=True),
        TreeAttribute("nodes_hitrates", FLOATS, Per.NODE, optional=True),
        TreeAttribute("nodes_values_as_tensor", TENSOR, Per.NODE, optional=True, since=3),
        TreeAttribute("nodes_hitrates_as_tensor", TENSOR, Per.NODE, optional=True, since=3),
    )


def _leaves(kind: str) -> tuple[TreeAttribute, ...]:
    """List what they say of their leaves; ``kind`` is "class" or "target"."""
    return (
        TreeAttribute(f"{kind}_ids", INTS, Per.LEAF),
        TreeAttribute(f"{kind}_treeids", INTS, Per.LEAF),
        TreeAttribute(f"{kind}_nodeids", INTS, Per.LEAF),
        TreeAttribute(f"{kind}_weights", FLOATS, Per.LEAF, twin=f"{kind}_weights_as_tensor"),
        TreeAttribute(f"{kind}_weights_as_tensor", TENSOR, Per.LEAF, optional=True, since=3),
    )


_SCORES = (
    TreeAttribute("post_transform", STRING, Per.OPERATOR, optional=True),
    TreeAttribute("base_values", FLOATS, Per.OUTPUT, optional=True),
    TreeAttribute("base_values_as_tensor", TENSOR, Per.OUTPUT, optional=True, since=3),
)

CLASS_LABELS = ("classlabels_int64s", "classlabels_strings")
"""The labels of a TreeEnsembleClassifier; a model has one of the two."""

TREE_OPERATORS: dict[str, tuple[TreeAttribute, ...]] = {
    "TreeEnsembleClassifier": (
        *_nodes(),
        *_leaves("class"),
        TreeAttribute("classlabels_int64s", INTS, Per.OUTPUT, optional=True),
        TreeAttribute("classlabels_strings", STRINGS, Per.OUTPUT, optional=True),
        *_SCORES,
    ),
    "TreeEnsembleRegressor": (
        *_nodes(),
        *_leaves("target"),
        TreeAttribute("n_targets", INT, Per.OPERATOR, optional=True),
        TreeAttribute("aggregate_function", STRING, Per.OPERATOR, optional=True),
        *_SCORES,
    ),
    "TreeEnsemble": (
        TreeAttribute("nodes_featureids", INTS, Per.NODE, since=5),
        TreeAttribute("nodes_modes", TENSOR, Per.NODE, since=5),
        TreeAttribute("nodes_splits", TENSOR, Per.NODE, since=5),
        TreeAttribute("nodes_truenodeids", INTS, Per.NODE, since=5),
        TreeAttribute("nodes_trueleafs", INTS, Per.NODE, since=5),
        TreeAttribute("nodes_falsenodeids", INTS, Per.NODE, since=5),
        TreeAttribute("nodes_falseleafs", INTS, Per.NODE, since=5),
        TreeAttribute("nodes_missing_value_tracks_true", INTS, Per.NODE, optional=True, since=5),
        TreeAttribute("nodes_hitrates", TENSOR, Per.NODE, optional=True, since=5),
        TreeAttribute("leaf_targetids", INTS, Per.LEAF, since=5),
        TreeAttribute("leaf_weights", TENSOR, Per.LEAF, since=5),
        TreeAttribute("tree_roots", INTS, Per.TREE, since=5),
        TreeAttribute("membership_values", TENSOR, Per.SET, optional=True, since=5),
        TreeAttribute("n_targets", INT, Per.OPERATOR, optional=True, since=5),
        TreeAttribute("aggregate_function", INT, Per.OPERATOR, optional=True, since=5),
        TreeAttribute("post_transform", INT, Per.OPERATOR, optional=True, since=5),
    ),
}
"""What each tree operator may say; the required lists of one ``per`` have one length."""


def required(operator: str, per: Per) -> tuple[TreeAttribute, ...]:
    """List what ``operator`` must have for its nodes, leaves or trees."""
    return tuple(one for one in TREE_OPERATORS[operator] if one.per is per and not one.optional)
