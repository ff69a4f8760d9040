"""Damaged and foreign files end in one line, whatever was damaged."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from onnxpress.boosters.model import Unreadable, Unsupported
from onnxpress.boosters.xgboost_json import read_xgboost
from onnxpress.errors import UserError
from tests.boosters.xgboost_models import fitted, table

BOOSTER = fitted(
    table(), {"objective": "binary:logistic", "max_cat_to_onehot": 1}, categories=True, rounds=2
)
DOCUMENT = json.loads(bytes(BOOSTER.save_raw("json")))


def parts() -> tuple[Any, dict[str, Any]]:
    """Return a new document, and its learner, the part of its trees and its first tree by name."""
    document = copy.deepcopy(DOCUMENT)
    learner = document["learner"]
    model = learner["gradient_booster"]["model"]
    return document, {"learner": learner, "model": model, "tree": model["trees"][0]}


def changed_at(place: str, value: Any) -> bytes:
    """Return the file with ``value`` at a place: "tree left_children 0" is of the first tree."""
    document, named = parts()
    first, *keys, last = place.split()
    part = named[first]
    for key in keys:
        part = part[key]
    part[int(last) if isinstance(part, list) else last] = value
    return json.dumps(document).encode()


DAMAGED: list[tuple[str, Any, str]] = [
    ("learner gradient_booster", None, "learner.gradient_booster: expected an object"),
    ("learner learner_model_param num_feature", "-1", "num_feature: expected"),
    ("learner learner_model_param base_score", "x", "base_score: expected"),
    ("learner learner_model_param base_score", "[1E-1,2E-1]", "a list of 1"),
    ("learner learner_model_param base_score", "2", "base scores with a logit"),
    ("learner learner_model_param base_score", "NaN", "base scores with a"),
    ("learner feature_names", ["a"], "1 names"),
    ("model tree_info", [0], "tree_info: expected 2 numbers, not 1"),
    ("model tree_info", [0, 1], "trees of the outputs that the model has"),
    ("model tree_info", [0, -1], "trees of the outputs that the model has"),
    ("model iteration_indptr", [0, 1], "iteration_indptr: expected"),
    ("tree tree_param num_nodes", "3", "expected 3 numbers"),
    ("tree tree_param size_leaf_vector", "2", "as XGBoost wrote them"),
    ("tree left_children 0", 0, "right_children: expected"),
    ("tree parents 1", 10**6, "parents: expected the node above each child"),
    ("tree parents 1", 3, "parents: expected the node above each child"),
    ("model cats feature_segments", [1], "feature_segments: expected"),
    ("model cats sorted_idx", [1], "sorted_idx: expected 0 numbers, not 1"),
    ("tree right_children 0", 10**6, "right_children: expected"),
    ("tree split_indices 0", 99, "splits on features"),
    ("tree split_indices 0", -1, "splits on features"),
    ("tree split_conditions -1", float("nan"), "finite values in leaves"),
    ("tree split_conditions -1", 1e99, "finite values in leaves"),
    ("tree split_conditions 0", "x", "split_conditions: expected an array"),
    ("tree default_left 0", 0.5, "default_left: expected whole numbers"),
    ("tree split_type 0", 2, "categories_nodes: expected"),
    ("tree categories_nodes 0", 10**6, "categories_nodes: expected"),
    ("tree categories_segments 0", 10**6, "categories_segments: expected"),
    ("tree categories_sizes 0", 0, "categories_segments: expected"),
    ("tree categories 0", -1, "categories: expected codes"),
    ("tree categories 0", 2**24, "categories: expected codes"),
    ("tree categories 0", 2**80, "categories: expected"),
]


@pytest.mark.parametrize(("place", "value", "line"), DAMAGED)
def test_each_damaged_part_is_named(place: str, value: Any, line: str) -> None:
    with pytest.raises((Unreadable, Unsupported)) as error:
        read_xgboost(changed_at(place, value))
    assert line in str(error.value)
    assert "\n" not in str(error.value)


def test_a_circle_of_nodes_is_refused() -> None:
    document, named = parts()
    left, right = named["tree"]["left_children"], named["tree"]["right_children"]
    inner = next(node for node in left if left[node] >= 0)
    left[inner], right[inner] = 1, 2
    with pytest.raises(Unreadable, match="one parent for each node"):
        read_xgboost(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("place", "value", "line"),
    [
        (
            "learner objective",
            {"name": "survival:cox"},
            "has the objective survival:cox, which predicts",
        ),
        (
            "learner objective",
            {"name": "survival:aft"},
            "has the objective survival:aft, which predicts",
        ),
        ("learner objective", {"name": "own"}, "has the objective 'own'; those with an exact form"),
        ("learner new", 1, "has 'new' in learner, which is not known"),
        (
            "learner gradient_booster weight_drop",
            [1, 1],
            "has 'weight_drop' in learner.gradient_booster",
        ),
        ("model weight_drop", [1, 1], "has 'weight_drop' in learner.gradient_booster.model,"),
        ("tree new", 1, "has 'new' in learner.*trees.0., which is not"),
        (
            "learner gradient_booster",
            {"name": "gblinear"},
            "has the booster 'gblinear', not gbtree",
        ),
    ],
)
def test_what_has_no_exact_form_is_refused_by_name(place: str, value: Any, line: str) -> None:
    with pytest.raises(Unsupported, match=line):
        read_xgboost(changed_at(place, value))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "is not XGBoost's JSON or UBJSON"),
        (b"binf\x00", "its old binary format is not read"),
        (b"\x80\x04.", "is not XGBoost's JSON or UBJSON"),
        (b"{}", "version: expected an array of numbers; got 'nothing'"),
        (b'{"version": [1, 2, 0]}', "is of XGBoost 1.2.0, and files of 1.3 to 3.2 are read"),
        (b'{"version": [3, 3, 0]}', "is of XGBoost 3.3.0, and files of 1.3 to 3.2 are read"),
        (b'{"a": ' + b"[" * 200_000, "nested too deep"),
        (b'{"a": 1, "a": 2}', "a key comes twice"),
        (b'{"version": ' + b"9" * 5000, "is no whole JSON file"),
        (b'{"version": "\xff', "is no whole JSON file"),
    ],
)
def test_what_is_no_model_is_refused(content: bytes, line: str) -> None:
    with pytest.raises(UserError) as error:
        read_xgboost(content)
    assert line in str(error.value)


def test_a_table_of_categories_that_would_not_fit_is_refused() -> None:
    document, named = parts()
    count = 20_000
    size, sets = 2 * count + 1, list(range(count))
    inner = [int(node < size - 1 and node % 2 == 0) for node in range(size)]
    named["tree"].update(
        left_children=[node + 1 if one else -1 for node, one in enumerate(inner)],
        right_children=[node + 2 if one else -1 for node, one in enumerate(inner)],
        parents=[max(node - 1, 0) // 2 * 2 for node in range(size)],
        split_type=inner,
        split_indices=[4] * size,
        split_conditions=[0.0] * size,
        default_left=inner,
        categories=sets,
        categories_nodes=[node for node, one in enumerate(inner) if one],
        categories_segments=sets,
        categories_sizes=[1] * count,
    )
    named["tree"]["tree_param"]["num_nodes"] = str(size)
    with pytest.raises(Unsupported, match=r"has 200\d\d sets of 200\d\d categories"):
        read_xgboost(json.dumps(document).encode())


def mutations(content: bytes, count: int) -> Iterator[bytes]:
    """Yield the content cut, with a byte changed, and with a piece repeated."""
    random = np.random.default_rng(0)
    for _ in range(count):
        at, other = sorted(random.integers(0, len(content), 2))
        yield content[:at]
        yield content[:at] + bytes([random.integers(256)]) + content[at + 1 :]
        yield content[:other] + content[at:]


def line_of(content: bytes) -> str:
    """Return what the reader says of a file, empty if it takes it."""
    try:
        read_xgboost(content)
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("form", ["json", "ubj"])
def test_no_change_of_bytes_ends_in_anything_but_a_line(form: str) -> None:
    lines = [line_of(content) for content in mutations(bytes(BOOSTER.save_raw(form)), 150)]
    assert sum(map(bool, lines)) > 300
    assert not any("\n" in line for line in lines)
