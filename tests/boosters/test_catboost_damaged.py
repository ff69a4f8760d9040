"""Damaged CatBoost files, and models without an exact form, end in one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

from onnxpress.boosters import catboost_splits
from onnxpress.boosters.catboost_categories import PREFIX, split_categories, with_categories
from onnxpress.boosters.catboost_cbm import read_catboost
from onnxpress.boosters.catboost_file import BUCKET, STEP, read_file
from onnxpress.boosters.catboost_parts import CatBoostFile, Projection
from onnxpress.boosters.catboost_splits import splits_of
from onnxpress.boosters.catboost_trees import trees_of
from onnxpress.boosters.model import Unreadable, Unsupported
from onnxpress.errors import UserError

QUIET = {"verbose": 0, "allow_writing_files": False, "thread_count": 1, "iterations": 4}
LISTED: dict[int, tuple[str | int, ...]] = {2: ("w", "x", "y", "z"), 3: ("p", "q", "r", "s", "t")}


def saved(fitted: Any) -> bytes:
    with TemporaryDirectory() as folder:
        fitted.save_model(f"{folder}/model.cbm")
        return Path(f"{folder}/model.cbm").read_bytes()


def table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({name: random.normal(size=200).astype(np.float32) for name in "ab"})
    frame["c"] = random.choice(LISTED[2], len(frame))
    frame["d"] = random.choice(LISTED[3], len(frame))
    return frame


def classes_of(frame: pd.DataFrame) -> Any:
    odd = frame["d"].isin(["p", "q"]) ^ (frame["c"] == "x")
    return (frame["a"] + odd > 0.5).astype(int)


@cache
def content(policy: str = "SymmetricTree", **given: float) -> bytes:
    """A model with splits of numbers, of single categories and of statistics."""
    frame = table()
    fitted = catboost.CatBoostClassifier(
        **{**QUIET, "one_hot_max_size": 4, **given},
        depth=4,
        max_ctr_complexity=3,
        grow_policy=policy,
    )
    return saved(fitted.fit(frame, classes_of(frame), cat_features=["c", "d"]))


def test_a_file_that_is_cut_is_damaged_wherever_it_is_cut() -> None:
    data = content()
    for end in range(0, len(data), 61):
        with pytest.raises(Unreadable):
            read_catboost(with_categories(data[:end], LISTED))


def test_what_follows_a_file_is_refused() -> None:
    with pytest.raises(Unreadable, match="2 bytes follow"):
        read_catboost(with_categories(content() + b"xx", LISTED))


@pytest.mark.parametrize("policy", ["SymmetricTree", "Lossguide"])
def test_changed_bytes_end_in_a_line_or_in_a_model(policy: str) -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        changed = bytearray(content(policy))
        for at in random.integers(0, len(changed), random.integers(1, 4)):
            changed[at] = random.integers(256)
        try:
            read_catboost(with_categories(bytes(changed), LISTED))
        except UserError as error:
            assert "\n" not in str(error)  # noqa: PT017 - it need not be raised


def with_borders(file: CatBoostFile, borders: list[float]) -> CatBoostFile:
    statistic = replace(file.statistics[0], borders=np.array(borders, np.float32))
    return replace(file, statistics=(statistic, *file.statistics[1:]))


def with_table(file: CatBoostFile, **changed: Any) -> CatBoostFile:
    tables = {key: replace(table, **changed) for key, table in file.tables.items()}
    return replace(file, tables=tables)


def with_feature(file: CatBoostFile, **changed: Any) -> CatBoostFile:
    return replace(file, floats=(replace(file.floats[0], **changed), *file.floats[1:]))


def with_projection(file: CatBoostFile, projection: Projection) -> CatBoostFile:
    key = replace(file.statistics[0].key, projection=projection)
    tables = {key: next(iter(file.tables.values()))}
    return replace(file, statistics=(replace(file.statistics[0], key=key),), tables=tables)


FULL = np.zeros(8, BUCKET)
APART = np.array([(5, 0), (2**64 - 1, 0), (2**64 - 1, 0), (2**64 - 1, 0)], BUCKET)
TWICE = np.array([(4, 0), (4, 1), (2**64 - 1, 0), (2**64 - 1, 0)], BUCKET)

DAMAGED: dict[str, tuple[Callable[[CatBoostFile], CatBoostFile], str]] = {
    "borders in another order": (lambda file: with_borders(file, [5, 3]), "do not ascend"),
    "a border that is no number": (lambda file: with_borders(file, [np.nan]), "do not ascend"),
    "a full table": (lambda file: with_table(file, buckets=FULL), "without an empty bucket"),
    "a hash apart": (lambda file: with_table(file, buckets=APART), "would not find"),
    "a hash twice": (lambda file: with_table(file, buckets=TWICE), "would not find"),
    "three buckets": (lambda file: with_table(file, buckets=FULL[:3]), "an odd size"),
    "no counts": (lambda file: with_table(file, blob=np.zeros(0, np.uint8)), "behind the end"),
    "one class": (lambda file: with_table(file, classes=1), "of other classes"),
    "no table": (lambda file: replace(file, tables={}), "without its table"),
    "splits that are not": (lambda file: replace(file, splits=file.splits + 99), "does not have"),
    "other starts": (lambda file: replace(file, starts=file.starts + 1), "other sizes"),
    "no trees": (lambda file: replace(file, sizes=file.sizes[:0]), "other sizes"),
    "a value less": (lambda file: replace(file, leaf_values=file.leaf_values[1:]), "leaves"),
    "a weight": (lambda file: replace(file, weights=1), "leaves"),
    "leaves of nodes": (
        lambda file: replace(file, leaf_of_node=np.zeros(3, np.uint32)),
        "numbers of leaves",
    ),
    "steps": (lambda file: replace(file, steps=np.zeros(3, STEP)), "numbers of steps"),
    "no category": (lambda file: with_projection(file, Projection((), (), ())), "of no category"),
    "a border of no feature": (
        lambda file: with_projection(file, Projection((0,), ((0, 77.0),), ())),
        "a border of no feature",
    ),
    "a category of no split": (
        lambda file: with_projection(file, Projection((0,), (), ((0, 77),))),
        "that no split asks for",
    ),
    "an unknown feature": (
        lambda file: with_projection(file, Projection((9,), (), ())),
        "uses no feature 9",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_each_damaged_part_is_named(name: str) -> None:
    change, line = DAMAGED[name]
    file = change(read_file(content()))
    with pytest.raises(Unreadable, match=line):
        trees_of(file, splits_of(file, LISTED, 4))


def test_a_step_behind_the_end_of_a_tree_is_refused() -> None:
    file = read_file(content("Lossguide"))
    steps = file.steps.copy()
    steps["right"][0] = 1000
    changed = replace(file, steps=steps)
    with pytest.raises(Unreadable, match="steps behind its end"):
        trees_of(changed, splits_of(changed, LISTED, 4))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"x", "expected lists"),
        (b"[]", "expected lists"),
        (b'{"c": ["w"]}', "expected lists"),
        (b'{"2": 3}', "expected lists"),
        (b'{"2": [1.5]}', "texts and whole numbers"),
        (b'{"2": [true]}', "texts and whole numbers"),
        (b'{"2": ["1", 1]}', "listed twice"),
        (b'{"0": ["a"], "2": [], "3": []}', "a column that has none"),
        (b"[" * 200_000, "expected lists"),
    ],
)
def test_damaged_lists_of_categories_are_refused(line: bytes, expected: str) -> None:
    with pytest.raises(Unreadable, match=expected):
        read_catboost(PREFIX + line + b"\n" + content())


def test_categories_come_back_as_they_were_kept() -> None:
    assert split_categories(with_categories(content(), LISTED)) == (LISTED, content())


def test_categories_that_are_not_listed_are_asked_for() -> None:
    with pytest.raises(Unsupported, match="has categories in 'c', and a .cbm file does not say"):
        read_catboost(content())


def test_combinations_that_are_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = with_categories(content(one_hot_max_size=2, model_size_reg=0, iterations=30), LISTED)
    assert read_catboost(data).crossings
    monkeypatch.setattr(catboost_splits, "MOST_COMBINATIONS", 6)
    with pytest.raises(Unsupported, match="fit with max_ctr_complexity=1"):
        read_catboost(data)


def fitted_by(loss: str, target: Any, **given: Any) -> bytes:
    frame = table()[["a", "b"]]
    return saved(catboost.CatBoost({**QUIET, "loss_function": loss, **given}).fit(frame, target))


def test_what_has_no_exact_form_is_refused_by_name() -> None:
    numbers = table()["a"].to_numpy()
    with pytest.raises(Unsupported, match="by the loss RMSEWithUncertainty"):
        read_catboost(fitted_by("RMSEWithUncertainty", numbers))
    with pytest.raises(Unsupported, match="by the loss MultiLogloss"):
        read_catboost(fitted_by("MultiLogloss", np.stack([numbers > 0, numbers > 1], axis=1)))
    with pytest.raises(Unsupported, match="neither texts nor whole numbers"):
        read_catboost(fitted_by("Logloss", np.where(numbers > 0, 0.5, 1.5)))


def test_texts_are_refused_by_name() -> None:
    frame = table()[["a", "c"]].assign(c=lambda one: one["c"] + " a b")
    fitted = catboost.CatBoostClassifier(**QUIET)
    fitted.fit(frame, frame["a"] > 0, text_features=["c"])
    with pytest.raises(Unsupported, match="reads texts"):
        read_catboost(saved(fitted))


def test_another_threshold_of_the_label_is_refused_by_name() -> None:
    frame = table()[["a", "b"]]
    fitted = catboost.CatBoostClassifier(**QUIET).fit(frame, frame["a"] > 0)
    fitted.set_probability_threshold(0.7)
    with pytest.raises(Unsupported, match=r"has a binclass_probability_threshold of 0\.7"):
        read_catboost(saved(fitted))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["no", "yes"], ("no", "yes")),
        (["2", "10"], ("2", "10")),
        ([3, 7], (3, 7)),
        ([2.0, 1.0], (1, 2)),
        ([False, True], (0, 1)),
    ],
)
def test_labels_are_those_that_catboost_gives(labels: list[Any], expected: tuple[Any, ...]) -> None:
    frame = table()[["a", "b"]]
    target = np.array(labels)[(frame["a"] > 0).to_numpy(int)]
    fitted = catboost.CatBoostClassifier(**QUIET).fit(frame, target)
    assert read_catboost(saved(fitted)).labels == expected
    assert tuple(np.asarray(fitted.classes_).tolist()) == expected
    several = catboost.sum_models([fitted, fitted])
    assert read_catboost(saved(several)).labels == expected
