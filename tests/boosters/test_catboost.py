"""CatBoost's files against catboost's own predictions, for a seeded sample of configurations."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

from onnxpress.boosters.catboost_categories import with_categories
from onnxpress.boosters.catboost_cbm import unlisted_categories
from onnxpress.boosters.city_hash import category_hash
from onnxpress.boosters.readers import read_booster
from tests.boosters.compared import BAR, compared
from tests.boosters.probes import limits

QUIET = {
    "verbose": 0,
    "allow_writing_files": False,
    "thread_count": 1,
    "random_seed": 0,
    "iterations": 12,
}
PROBABILITIES = ("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll")
LOSSES = (
    *PROBABILITIES,
    "RMSE",
    "MAE",
    "Quantile:alpha=0.3",
    "Huber:delta=1",
    "Poisson",
    "Tweedie:variance_power=1.5",
)
ROWS, PROBES = 250, 300


@dataclass(frozen=True)
class Case:
    """A fitted model, its file, and rows that its splits decide on."""

    loss: str
    fitted: Any
    data: bytes
    probes: pd.DataFrame


def table(random: np.random.Generator) -> pd.DataFrame:
    """Numbers, some missing, and categories of texts and of whole numbers, in any order."""
    columns: dict[str, Any] = {}
    for number in range(random.integers(1, 4)):
        values = random.normal(size=ROWS).round(int(random.integers(1, 4)))
        values[random.random(ROWS) < random.choice([0, 0.1])] = np.nan
        columns[f"n{number}"] = values.astype(np.float32)
    for number in range(random.integers(0, 4)):
        count = random.choice([2, 3, 7, 30])
        columns[f"k{number}"] = [f"é{code}" for code in random.integers(0, count, ROWS)]
    names = random.permutation(list(columns)).tolist()
    return pd.DataFrame({name: columns[name] for name in names})


def target(frame: pd.DataFrame, loss: str, random: np.random.Generator) -> Any:
    score = random.normal(size=len(frame)) * 0.3 + frame["n0"].fillna(0)
    for name in frame.columns[frame.columns.str.startswith("k")]:
        score += frame[name].str.len() + (frame[name].map(category_hash) % 5) * 0.5
    if loss == "CrossEntropy":
        return 1 / (1 + np.exp(-score))
    if loss in PROBABILITIES:
        count = 2 if loss == "Logloss" else 4
        return np.digitize(score, np.quantile(score, np.arange(1, count) / count))
    return score.abs().round() if loss.startswith(("Poisson", "Tweedie")) else score


def options(categories: list[str], loss: str, random: np.random.Generator) -> dict[str, Any]:
    found: dict[str, Any] = {
        **QUIET,
        "loss_function": loss,
        "depth": int(random.choice([1, 3, 5])),
        "nan_mode": str(random.choice(["Min", "Max"])),
        "cat_features": categories,
        "boost_from_average": loss == "RMSE",
    }
    if random.random() < 0.4:
        found["grow_policy"] = str(random.choice(["Depthwise", "Lossguide"]))
    if categories:
        found["one_hot_max_size"] = int(random.choice([2, 5, 10]))
        found["max_ctr_complexity"] = int(random.choice([1, 2, 4]))
        kinds = ["Borders", "Buckets", "BinarizedTargetMeanValue", "Counter"]
        for option in ("simple_ctr", "combinations_ctr"):
            found[option] = [str(random.choice(kinds))]
    return found


def probes(frame: pd.DataFrame, data: bytes, random: np.random.Generator) -> pd.DataFrame:
    """Rows with values at and beside the model's borders, odd numbers, and new categories."""
    rows = frame.sample(PROBES, replace=True, random_state=0).reset_index(drop=True)
    trees = read_booster("catboost", data).trees
    for place, name in enumerate(frame):
        changed = random.random(PROBES) < 0.5
        if frame[name].dtype.kind != "f":
            rows.loc[changed, name] = random.choice(["", "new", "é", "é1"], changed.sum())
            continue
        own = [tree.threshold[tree.split & (tree.feature == place)] for tree in trees]
        at = np.unique(np.concatenate(own)).astype(np.float32)
        odd = np.array([0, -0.0, np.nan, np.inf, -np.inf, 1e-45], np.float32)
        with np.errstate(over="ignore"):
            beside = [np.nextafter(at, np.float32(end)) for end in (np.inf, -np.inf)]
        values = random.choice(np.concatenate([at, *beside, odd]), changed.sum())
        rows.loc[changed, name] = values.astype(np.float32)
    return rows


def file_of(fitted: Any, frame: pd.DataFrame, path: Path) -> bytes:
    """The bytes of a fitted model, with the categories of the table."""
    fitted.save_model(str(path))
    listed = {
        place: sorted(set(frame[name]))
        for place, name in enumerate(frame)
        if frame[name].dtype.kind != "f"
    }
    return with_categories(path.read_bytes(), listed)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Case]:
    path = tmp_path_factory.mktemp("catboost") / "model.cbm"
    return cache(partial(sampled, path))


def sampled(path: Path, seed: int) -> Case:
    random = np.random.default_rng(seed)
    loss = LOSSES[seed % len(LOSSES)]
    frame = table(random)
    categories = [str(name) for name in frame if str(name).startswith("k")]
    fitted = catboost.CatBoost(options(categories, loss, random))
    fitted.fit(frame, target(frame, loss, random))
    data = file_of(fitted, frame, path)
    return Case(loss, fitted, data, probes(frame, data, random))


@pytest.mark.parametrize("seed", range(50))
def test_onnx_predicts_what_catboost_predicts(seed: int, sample: Callable[[int], Case]) -> None:
    case = sample(seed)
    model = read_booster("catboost", case.data)
    assert unlisted_categories(case.data) == {}
    classes = tuple(range(model.classes)) if model.classes else None
    found = compared("catboost", case.data, case.probes, classes)
    exponent = case.loss.startswith(("Poisson", "Tweedie"))
    kind = "Probability" if classes else "Exponent" if exponent else "RawFormulaVal"
    expected = np.asarray(case.fitted.predict(case.probes, kind)).reshape(PROBES, -1)
    assert np.array_equal(found.library, expected)
    allowed = limits(model, case.probes, expected, BAR)
    assert (np.abs(found.onnx - expected) <= allowed).all()
    if classes:
        assert found.labels is not None
        ordered = np.sort(expected, axis=1)
        clear = ordered[:, -1] - ordered[:, -2] > 4 * allowed[:, 0]
        labels = case.fitted.predict(case.probes, "Class").reshape(-1)
        assert clear.mean() > 0.5 or len(set(labels.tolist())) == 1
        assert np.array_equal(found.labels[clear], labels[clear])


def test_the_sample_has_every_kind_of_split(sample: Callable[[int], Case]) -> None:
    kinds: set[Any] = set()
    for seed in range(50):
        model = read_booster("catboost", sample(seed).data)
        kinds |= {"membership"} if model.memberships else set()
        for crossing in model.crossings:
            kinds |= {digit.borders is None for digit in crossing.digits}
        kinds |= {
            "missing right" for tree in model.trees if not tree.missing_left[tree.split].all()
        }
    assert kinds == {"membership", True, False, "missing right"}


def test_categories_are_hashed_as_catboost_hashes_them(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    texts = {"", "é", "日本語", *("".join(random.choice(list("ab é日"), n)) for n in range(200))}
    rows = [[text] for text in sorted(texts)]
    pool = catboost.Pool(rows, np.arange(len(rows)) % 2, cat_features=[0])
    fitted = catboost.CatBoost({**QUIET, "iterations": 1}).fit(pool)
    fitted.save_model(str(tmp_path / "model.json"), format="json", pool=pool)
    content = json.loads((tmp_path / "model.json").read_text())
    listed = content["features_info"]["cat_features_hash"]
    assert {one["value"]: one["hash"] for one in listed} == {t: category_hash(t) for t in texts}
