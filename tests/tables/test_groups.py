"""Groups of rows stay whole in every split."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.quantize.trials import _folds
from onnxpress.tables.column_types import type_columns
from onnxpress.tables.groups import split_groups
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema
from onnxpress.tables.split import split
from onnxpress.tables.table_warnings import split_warnings
from tests.conftest import numeric_schema
from tests.support.ranking import queries

TASKS = ["classification", "regression"]


def typed(frame: pd.DataFrame, task: Any = "regression") -> tuple[pd.DataFrame, Schema]:
    return type_columns(frame, "relevance", task, group="query")


@st.composite
def grouped(draw: st.DrawFn) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The groups of rows, in any order and of any sizes, and a class for each row."""
    size = draw(st.integers(6, 80))
    most = draw(st.integers(1, 20))
    groups = draw(st.lists(st.integers(0, most), min_size=size, max_size=size))
    labels = draw(st.lists(st.integers(0, 2), min_size=size, max_size=size))
    return np.array(groups) * 3 - 7, np.array(labels)


def can_be_split(groups: NDArray[Any], classes: NDArray[Any] | None) -> bool:
    """Whether there is a group that can be set aside without the last row of a class."""
    numbers = np.unique(groups)
    if classes is None:
        return len(numbers) > 1
    return any(set(classes[groups != each]) == set(classes) for each in numbers)


def assert_apart(*parts: NDArray[Any]) -> None:
    for place, part in enumerate(parts):
        for other in parts[place + 1 :]:
            assert not set(part.tolist()) & set(other.tolist())


@pytest.mark.parametrize("task", TASKS)
@given(rows=grouped(), share=st.floats(0.05, 0.9), seed=st.integers(0, 2**32 - 1))
def test_no_group_is_on_both_sides_of_a_split(
    task: str, rows: tuple[NDArray[np.int64], NDArray[np.int64]], share: float, seed: int
) -> None:
    groups, labels = rows
    classes = labels if task == "classification" else None
    assume(can_be_split(groups, classes))
    try:
        parts = split_groups(groups, share, seed, classes)
    except ValueError:  # the share leaves too few groups for every class
        assume(classes is None)
        raise
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(groups)))
    assert_apart(*(groups[part] for part in parts))
    for part in parts:
        assert len(part)
        changes = sum(one != other for one, other in pairwise(groups[part].tolist()))
        assert changes + 1 == len(set(groups[part].tolist()))  # each group together
    if task == "classification":
        assert set(labels[parts[0]].tolist()) == set(labels.tolist())
    else:
        largest = np.unique(groups, return_counts=True)[1].max()
        assert abs(len(parts[1]) - share * len(groups)) <= largest


@pytest.mark.parametrize("task", TASKS)
@given(rows=grouped(), seed=st.integers(0, 2**32 - 1))
def test_no_group_is_in_two_folds(
    task: str, rows: tuple[NDArray[np.int64], NDArray[np.int64]], seed: int
) -> None:
    groups, labels = rows
    assume(len(set(groups.tolist())) > 1)
    target = labels if task == "classification" else labels.astype(float)
    folds = _folds(Rows({}, target, groups), numeric_schema(1, task), seed)
    assert sorted(np.concatenate([fold for _, fold in folds]).tolist()) == list(range(len(groups)))
    for rest, fold in folds:
        assert len(rest) + len(fold) == len(groups)
        assert len(rest)
        assert_apart(groups[rest], groups[fold])


def test_rows_of_one_group_have_no_folds() -> None:
    with pytest.raises(UserError, match="the 4 training rows are of one group"):
        _folds(Rows({}, np.ones(4), np.zeros(4, np.int64)), numeric_schema(1, "regression"), 0)


@pytest.mark.parametrize("task", TASKS)
def test_three_parts_share_no_group(task: str) -> None:
    frame, schema = typed(queries(80), task)
    parts = split(frame, schema, 0.25, 0.3, seed=1)
    rows = [part["query"].to_numpy() for part in (parts.train, parts.calibration, parts.test)]
    assert_apart(*rows)
    assert sum(map(len, rows)) == len(frame)
    assert len(parts.test) == pytest.approx(0.25 * len(frame), abs=12)
    assert parts.describe_sizes().endswith(
        f"of {', '.join(str(len(set(r))) for r in rows[:2])} and {len(set(rows[2]))} groups"
    )
    again = split(frame, schema, 0.25, 0.3, seed=1)
    pd.testing.assert_frame_equal(parts.test, again.test)
    assert set(split(frame, schema, 0.25, 0.3, seed=2).test["query"]) != set(rows[2])


def test_classes_are_in_both_parts_in_like_shares() -> None:
    frame, schema = typed(queries(200), "classification")
    parts = split(frame, schema, 0.2, 0.0, seed=0)
    shares = [part["relevance"].value_counts(normalize=True) for part in (frame, parts.test)]
    assert (shares[0] - shares[1]).abs().max() < 0.02


def test_the_group_is_a_number_and_no_feature() -> None:
    source = queries(5)
    frame, schema = typed(source)
    assert schema.group == "query"
    assert [column.name for column in schema.columns] == ["shop", "price", "fit"]
    assert frame.columns.tolist() == ["shop", "price", "fit", "relevance", "query"]
    assert frame["query"].tolist() == pd.factorize(source["query"])[0].tolist()


@pytest.mark.parametrize("kind", ["int64", "float64", "datetime64[ns]", "bool", "category"])
def test_groups_may_be_of_any_type(kind: Any) -> None:
    source = queries(6)
    number = source["query"].str[1:].astype(int)
    source["query"] = (number % 2 if kind == "bool" else number).astype(kind)
    frame, _ = typed(source)
    assert frame["query"].tolist() == pd.factorize(source["query"])[0].tolist()


def test_rows_without_a_target_need_no_group() -> None:
    source = queries(6).astype({"relevance": float})
    source.loc[3, ["relevance", "query"]] = [np.nan, None]
    frame, _ = typed(source)
    assert len(frame) == len(source) - 1


@pytest.mark.parametrize(
    ("change", "group", "line"),
    [
        ({}, "quer", r"`group` 'quer' is not a column of the table; its columns: 'query'"),
        ({}, "relevance", r"`group` 'relevance' is a column of `target` or `text` too"),
        ({"query": None}, "query", r"group 'query' has no value in row 3"),
    ],
)
def test_a_wrong_group_is_one_line(change: dict[str, Any], group: str, line: str) -> None:
    source = queries(6)
    for name, value in change.items():
        source.loc[2, name] = value
    with pytest.raises(UserError, match=line):
        type_columns(source, "relevance", "regression", group=group)


def test_one_group_cannot_be_split() -> None:
    source = queries(6)
    source["query"] = "all"
    frame, schema = typed(source)
    with pytest.raises(UserError, match=r"`test_size` 0.2 cannot split .* rows: they are of one"):
        split(frame, schema, 0.2, None, seed=0)


def test_a_class_of_one_group_stays_among_the_training_rows() -> None:
    source = queries(6)
    source["relevance"] = np.where(source["query"] == "q0", "rare", "usual")
    frame, schema = typed(source, "classification")
    for seed in range(10):
        parts = split(frame, schema, 0.5, 0.5, seed=seed)
        assert set(parts.train["relevance"]) == {"rare", "usual"}


def test_classes_of_one_group_each_cannot_be_split() -> None:
    source = queries(2)
    source["relevance"] = source["query"] + " only"
    frame, schema = typed(source, "classification")
    with pytest.raises(UserError, match=r"a class is in too few groups .*rarest class: 'q\d only'"):
        split(frame, schema, 0.5, 0.0, seed=0)


def test_items_of_several_groups_are_no_leak() -> None:
    frame, schema = typed(pd.concat([queries(20), queries(20).assign(query="again")]))
    assert not [line for line in split_warnings(split(frame, schema, 0.2, 0, 0)) if "among" in line]


def test_a_table_of_target_and_group_alone_is_refused() -> None:
    source = queries(6)[["query", "relevance"]]
    with pytest.raises(UserError, match="beside the target 'relevance' and the group 'query'"):
        typed(source)
