"""What is tried: each estimator alone on numbers, and behind the pipeline's own columns."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from onnxpress.estimators.building import ColumnSteps, build
from onnxpress.pipeline.inputs import read_rows
from onnxpress.tables.column_types import as_table, type_columns
from onnxpress.tables.parquet_file import parquet_bytes
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema
from onnxpress.tables.sources import load_bundled, load_source
from onnxpress.tables.split import split

ALONE, COLUMNS = "alone", "columns"
SEED = 0
TEST_SIZE = 0.25
MIXED_ROWS = 500
PENGUINS = Path(__file__).parents[2] / "data" / "penguins.csv"
TASKS = {"classifier": "classification", "regressor": "regression"}

OTHER_DATA = {
    "CategoricalNB": "digits",  # takes whole numbers for categories
    "FixedThresholdClassifier": "breast_cancer",  # two classes only
    "TunedThresholdClassifierCV": "breast_cancer",
    "GaussianProcessClassifier": "breast_cancer",  # skl2onnx has the case of two classes
}
"""Bundled data for estimators that cannot use wine."""

UNSCALED = {"CategoricalNB", "ComplementNB", "MultinomialNB"}
"""They refuse negative numbers, which scaling makes."""

WRAPPERS = (
    *(
        "ClassifierChain",
        "FixedThresholdClassifier",
        "MultiOutputClassifier",
        "MultiOutputRegressor",
        "OneVsOneClassifier",
    ),
    *(
        "OneVsRestClassifier",
        "OutputCodeClassifier",
        "RegressorChain",
        "SelfTrainingClassifier",
        "TunedThresholdClassifierCV",
    ),
)
"""They need an estimator inside, and get a linear model."""


@dataclass(frozen=True)
class Case:
    """An estimator by scikit-learn's name on one of the two kinds of data."""

    kind: str  # classifier or regressor
    estimator: str
    place: str  # ALONE or COLUMNS

    @property
    def data(self) -> str:
        """The data set by name."""
        if self.place == COLUMNS:
            return "penguins: species" if self.kind == "classifier" else "penguins: body mass"
        return OTHER_DATA.get(self.estimator, "wine") if self.kind == "classifier" else "diabetes"


@dataclass(frozen=True)
class Data:
    """Rows as the pipeline splits them.

    ``mixed`` are rows of columns drawn apart from each other, to predict only.
    """

    schema: Schema
    train: Rows
    calibration: Rows
    test: Rows
    mixed: Rows


def every_case() -> Iterator[Case]:
    """All classifiers and regressors, alone and then behind columns."""
    from sklearn.utils import all_estimators

    for kind in TASKS:
        for place in (ALONE, COLUMNS):
            yield from (Case(kind, name, place) for name, _ in all_estimators(type_filter=kind))


def unfitted(case: Case, schema: Schema) -> Any:
    """The estimator as the train stage builds it.

    Raises:
        UserError: it does not predict this kind of target, or not one value per row.
    """
    scale = case.place == COLUMNS and case.estimator not in UNSCALED
    return build(case.estimator, parameters(case), schema, SEED, ColumnSteps(scale))


def parameters(case: Case) -> dict[str, Any]:
    """Arguments that an estimator cannot do without; scikit-learn's defaults are what is tried."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    linear, tree = (
        (LogisticRegression(max_iter=2000), DecisionTreeClassifier(max_depth=4, random_state=SEED))
        if case.kind == "classifier"
        else (Ridge(), DecisionTreeRegressor(max_depth=4, random_state=SEED))
    )
    both = [("linear", linear), ("tree", tree)]
    inner = {key: {"estimator": linear} for key in WRAPPERS}
    rest: dict[str, dict[str, Any]] = {
        "CCA": {"n_components": 1},
        "PLSCanonical": {"n_components": 1},
        "GammaRegressor": {"max_iter": 1000},
        "RadiusNeighborsClassifier": {"radius": 1000.0},
        "RadiusNeighborsRegressor": {"radius": 1000.0},
        "StackingClassifier": {"estimators": both},
        "StackingRegressor": {"estimators": both},
        "VotingClassifier": {"estimators": both, "voting": "soft"},
        "VotingRegressor": {"estimators": both},
    }
    return {**inner, **rest}.get(case.estimator, {})


@cache
def data_of(name: str) -> Data:
    """The rows of a data set by its name in ``Case.data``."""
    if name.startswith("penguins"):
        target = "species" if name.endswith("species") else "body_mass_g"
        source = load_source(PENGUINS, target).table
    else:
        source, target = as_table(load_bundled(name)), "target"
    frame, schema = type_columns(source, target, "auto" if schema_is_clear(name) else "regression")
    parts = split(frame, schema, TEST_SIZE, None, SEED)
    train, calibration, test = (
        _rows(part, parts.schema) for part in (parts.train, parts.calibration, parts.test)
    )
    random = np.random.default_rng(SEED)
    drawn = {
        key: values[random.integers(0, len(train), MIXED_ROWS)]
        for key, values in train.feeds.items()
    }
    if parts.schema.all_numeric:
        ((key, x),) = train.feeds.items()
        rows = random.integers(0, len(train), (MIXED_ROWS, x.shape[1]))
        drawn = {key: x[rows, np.arange(x.shape[1])]}
    return Data(parts.schema, train, calibration, test, Rows(drawn, train.target[:0]))


def schema_is_clear(name: str) -> bool:
    """Whether the target shows the task; grams are whole numbers, which might be classes."""
    return not name.endswith("body mass")


def _rows(frame: pd.DataFrame, schema: Schema) -> Rows:
    """A frame as the stages read it, through Parquet."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        path.write_bytes(parquet_bytes(frame))
        return read_rows(path, schema)
