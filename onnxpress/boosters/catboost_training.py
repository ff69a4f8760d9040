"""Fit CatBoost's classes; see :mod:`onnxpress.boosters.trainer`.

Texts are CatBoost's own categories; an empty text, which is a missing one, is a category like the
others. What changes from fit to fit (an id and the time) is taken out of the file.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from onnxpress.boosters.catboost_categories import with_categories
from onnxpress.boosters.trainer import Training
from onnxpress.errors import UserError

FIXED = {"thread_count": 1, "allow_writing_files": False, "verbose": False}
NOT_TAKEN = {
    *FIXED,
    *("self", "silent", "logging_level", "verbose_eval", "train_dir", "name", "metadata"),
    *("save_snapshot", "snapshot_file", "snapshot_interval", "input_borders", "output_borders"),
    *("cat_features", "text_features", "embedding_features", "callback", "task_type", "devices"),
}
"""Arguments that the chain sets, that name files, or that ask for another device."""
CHANGING = ("model_guid", "train_finish_time")


def defaults(_name: str) -> dict[str, Any]:
    """Return all arguments that a fit has unless others are given."""
    return {"random_state": None}


def known(name: str) -> set[str]:
    """Return the names of the arguments that a class takes."""
    import catboost

    found = inspect.signature(getattr(catboost, name.rpartition(".")[2]).__init__)
    return set(found.parameters) - NOT_TAKEN


def fit(given: Training) -> tuple[bytes, tuple[Any, ...] | None]:
    """Fit a class to a matrix or frame; return its file and the classes.

    Raises:
        UserError: CatBoost refuses the arguments or the rows.
    """
    import catboost

    parameters = dict(given.parameters)
    if "random_seed" in parameters:
        parameters.pop("random_state", None)
    frame, categories = _frame(given.rows)
    groups = {} if given.groups is None else {"group_id": given.groups}
    try:
        estimator = getattr(catboost, given.name.rpartition(".")[2])(**parameters, **FIXED)
        estimator.fit(frame, given.target, cat_features=sorted(categories), **groups)
    except catboost.CatBoostError as error:
        line = " ".join(str(error).split())
        raise UserError(f"CatBoost cannot fit {given.name}: {line}; see `params`") from error
    _strip(estimator)
    labels = getattr(estimator, "classes_", None)
    classes = None if labels is None or len(labels) == 0 else tuple(np.asarray(labels).tolist())
    return with_categories(file_of(estimator), categories), classes


def _frame(rows: Any) -> tuple[Any, dict[int, list[str]]]:
    """Return rows as CatBoost takes them, and the categories by columns."""
    if not hasattr(rows, "columns"):
        rows = rows.toarray() if hasattr(rows, "toarray") else rows
        return np.ascontiguousarray(rows, np.float32), {}
    import pandas as pd

    columns, categories = {}, {}
    for place, name in enumerate(rows.columns):
        values = rows[name]
        if values.dtype.kind in "fiub":
            columns[str(name)] = values.astype(np.float32)
            continue
        texts = values.astype(object).where(values.notna(), "").map(str)
        columns[str(name)] = texts
        categories[place] = sorted(set(texts))
    return pd.DataFrame(columns), categories


def _strip(estimator: Any) -> None:
    """Take out of a fitted model what changes from fit to fit."""
    metadata = estimator.get_metadata()
    for key in CHANGING:
        if key in metadata.keys():  # noqa: SIM118 - it has no `in` of its own
            del metadata[key]


def file_of(estimator: Any) -> bytes:
    """Return the bytes of a fitted model's file.

    They are what the object's pickle holds, so that no file is written.
    """
    return bytes(estimator.__getstate__()["__model"])
