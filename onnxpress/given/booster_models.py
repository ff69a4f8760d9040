"""A given native file of LightGBM, XGBoost or CatBoost as an estimator."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from onnxpress.boosters.model import BoosterModel, Unreadable, Unsupported
from onnxpress.boosters.readers import RANKING, SUFFIXES, read_booster
from onnxpress.conversion.converters.trees.thresholds import float32_below
from onnxpress.errors import UserError
from onnxpress.estimators.booster_estimator import (
    BoosterClassifier,
    BoosterRanker,
    BoosterRegressor,
)
from onnxpress.given.catboost_categories import listed, unlisted_yet
from onnxpress.progress import Say
from onnxpress.reading import read_bytes
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema

NUMBERED = re.compile(r"(Column_|column|feature_|f)?\d*")
"""Names that the libraries give to features that have none."""


def load_booster(
    path: Path, rows: Rows, schema: Schema, say: Say
) -> BoosterClassifier | BoosterRegressor:
    """Return the classifier or regressor in the native file at ``path``.

    Raises:
        UserError: it is no such file, has a part without an exact form here, or does not fit the
            columns and classes of the table.
    """
    return booster_of(SUFFIXES[path.suffix], read_bytes(path), path, rows, schema, say)


def booster_of(
    library: str, data: bytes, path: Path, rows: Rows, schema: Schema, say: Say
) -> BoosterClassifier | BoosterRegressor:
    """Return the classifier or regressor in native bytes, which came in the file at ``path``.

    Raises:
        UserError: as :func:`load_booster`.
    """
    try:
        model = read_booster(library, unlisted_yet(data) if library == "catboost" else data)
    except UserError as error:
        raise UserError(f"{path} {error}") from error
    columns = _columns(model, schema, path)
    for note in model.notes:
        say(f"{path} {note}")
    merged, count = merged_thresholds(model)
    if merged:
        say(
            f"{path}: {merged} of {count} thresholds are the same as another in float32, in which "
            "rows come: rows between them, of a float64 table, are told apart no longer"
        )
    if library == "catboost":
        try:
            data = listed(path, data, columns, rows, schema, say)
        except (Unreadable, Unsupported) as error:
            raise UserError(f"{path} {error}") from error
    if not model.classes and schema.task == "classification":
        raise UserError(
            f"{path} gives a number a row by its objective {model.objective!r}, and the target "
            "has classes (see `task`); give a model fitted for classes"
        )
    if schema.task == "regression":
        if model.outputs != len(schema.targets):
            wanted = "one" if len(schema.targets) == 1 else str(len(schema.targets))
            raise UserError(f"{path} gives {model.outputs} values a row; expected {wanted}")
        kind = BoosterRanker if model.objective in RANKING else BoosterRegressor
        return kind(library, data, columns)
    return BoosterClassifier(library, data, columns, _classes(model, rows, schema, path, say))


def merged_thresholds(model: BoosterModel) -> tuple[int, int]:
    """Count the thresholds that float32 makes the same as another, and all distinct ones.

    Thresholds 0.1, 0.1 + 1e-12 and 0.5 of one feature: 1 of 3.
    """
    features = [tree.feature[tree.split] for tree in model.trees]
    thresholds = [tree.threshold[tree.split] for tree in model.trees]
    pairs = np.stack([np.concatenate(features), np.concatenate(thresholds)], axis=1)
    distinct = np.unique(pairs, axis=0)
    rounded = distinct.copy()
    rounded[:, 1] = float32_below(distinct[:, 1])
    return len(distinct) - len(np.unique(rounded, axis=0)), len(distinct)


def _columns(model: BoosterModel, schema: Schema, path: Path) -> tuple[str, ...]:
    """Return the columns that the features are: by their names, or in order if they have none.

    LightGBM writes a blank in a name as an underscore.
    """
    known = {}
    for column in schema.columns:
        known[column.name.replace(" ", "_")] = column.name
    for column in schema.columns:
        known[column.name] = column.name
    names = [feature.name for feature in model.features]
    if all(name in known for name in names):
        return tuple(known[name] for name in names)
    if all(NUMBERED.fullmatch(name) for name in names) and len(names) == len(schema.columns):
        return tuple(column.name for column in schema.columns)
    absent = next(name for name in names if name not in known)
    has = ", ".join(repr(column.name) for column in schema.columns)
    raise UserError(
        f"{path} takes the column {absent!r}, which the table does not have; it has {has}; "
        "give a model fitted on these columns"
    )


def _classes(
    model: BoosterModel, rows: Rows, schema: Schema, path: Path, say: Say
) -> tuple[int | str, ...]:
    """Return the classes: those of the file, or those of the training rows, in sorted order.

    Raises:
        UserError: there are more or fewer than the model tells apart.
    """
    if model.labels is not None:
        return model.labels
    if schema.task != "classification":
        return tuple(range(model.classes))
    found = tuple(np.unique(rows.target).tolist())
    if len(found) != model.classes:
        raise UserError(
            f"{path} tells {model.classes} classes apart, and {schema.target_name!r} has "
            f"{len(found)}; give a model fitted for these classes"
        )
    if found != tuple(range(model.classes)):
        listed = ", ".join(map(repr, found[:10]))
        say(f"{path} does not name its classes: taken to be, in this order, {listed}")
    return found
