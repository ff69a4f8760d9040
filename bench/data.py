"""The data sets of the suite and their estimators, split and built as the pipeline does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from onnxpress.estimators.building import build
from onnxpress.tables.column_types import type_columns
from onnxpress.tables.names import NUMERIC_INPUT
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema
from onnxpress.tables.sources import BUNDLED, load_bundled
from onnxpress.tables.split import split

TEST_SIZE = 0.2
GENERATED = ("classes_20k", "regression_50k")
DATA = (*BUNDLED, *GENERATED)
FORESTS, BOOSTING = ("RandomForest", "ExtraTrees"), ("GradientBoosting", "HistGradientBoosting")
ESTIMATORS = (*FORESTS, *BOOSTING)


@dataclass(frozen=True)
class Split:
    """One split of a data set; ``calibration`` may be empty.

    ``seed`` numbers the split and seeds all that is random in it.
    """

    name: str
    seed: int
    schema: Schema
    train: Rows
    calibration: Rows
    test: Rows

    @property
    def is_regression(self) -> bool:
        """Whether the score is R2 and not accuracy."""
        return self.schema.task == "regression"


def load(name: str) -> pd.DataFrame:
    """All rows of a data set, with the column ``target`` last."""
    if name in BUNDLED:
        return load_bundled(name)
    from sklearn.datasets import make_classification, make_regression

    if name == "classes_20k":  # a tenth of the labels drawn at random: no forest gets them right
        x, y = make_classification(
            20_000, 20, n_informative=10, n_classes=4, flip_y=0.1, random_state=0
        )
    else:
        x, y = make_regression(50_000, 30, n_informative=10, noise=50.0, random_state=0)
    return pd.DataFrame(x, columns=[f"f{i}" for i in range(x.shape[1])]).assign(target=y)


def split_of(name: str, seed: int) -> Split:
    """Split number ``seed`` of a data set.

    A fifth is for testing; calibration rows are set aside where the pipeline does.
    """
    frame, schema = type_columns(load(name), "target", "auto")
    parts = split(frame, schema, TEST_SIZE, None, seed)
    return Split(
        name,
        seed,
        parts.schema,
        *(rows_of(part) for part in (parts.train, parts.calibration, parts.test)),
    )


def rows_of(frame: pd.DataFrame) -> Rows:
    """The rows of a part of a table whose columns are numbers."""
    x = np.ascontiguousarray(frame.drop(columns="target").to_numpy(np.float32))
    return Rows({NUMERIC_INPUT: x}, frame["target"].to_numpy())


def unfitted(estimator: str, part: Split, trees: int) -> Any:
    """The seeded estimator of a family for this split's task, with ``trees`` trees.

    Everything else is scikit-learn's default.
    """
    name = estimator + ("Regressor" if part.is_regression else "Classifier")
    key = "max_iter" if estimator == "HistGradientBoosting" else "n_estimators"
    return build(name, {key: trees}, part.schema, part.seed)
