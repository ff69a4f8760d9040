"""Follow raw columns through a fitted estimator, to the encoders and imputers that see them.

The parts that saw a column during the fit know what it held: an encoder lists its categories, an
imputer names the value that it takes for missing. ONNX knows one missing text, the empty string.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

MISSING_TEXT = ""


def is_missing(value: Any) -> bool:
    """Return whether it is None, NaN or pandas' NA."""
    return value is None or _is_nan(value) or type(value).__name__ == "NAType"


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def as_text(value: Any) -> str:
    """Return the text that a value of a text column has in ONNX; empty if it is missing."""
    return MISSING_TEXT if is_missing(value) else str(value)


@dataclass(frozen=True)
class Path:
    """A raw column on its way through the steps."""

    column: int
    """Its place among the raw columns."""
    imputer: Any = None
    """The imputer that it came through, if any."""
    statistic: Any = None
    """The value that this imputer puts in for missing ones."""


Paths = list[Path | None]
"""Where each column of a table comes from; None if its values are no longer those of a raw one."""


@dataclass
class Evidence:
    """What the parts know of the raw columns, by their place."""

    categories: dict[int, list[Any]] = field(default_factory=dict)
    """The categories of the encoder that sees the column."""
    missing: dict[int, Any] = field(default_factory=dict)
    """The missing value there: the one that an encoder lists, else the one of the imputer."""
    imputed: dict[int, Any] = field(default_factory=dict)
    """The imputer that sees the column."""
    blank: set[int] = field(default_factory=set)
    """Ids of imputers that keep an empty text, for an encoder behind them lists it as a category
    of one of their columns."""
    texts: set[int] = field(default_factory=set)
    """Columns whose words a vectoriser counts."""


def evidence(estimator: Any, columns: int) -> Evidence:
    """Follow ``columns`` raw columns through a fitted estimator."""
    found = Evidence()
    follow(estimator, [Path(column) for column in range(columns)], found)
    for column, imputer in found.imputed.items():
        found.missing.setdefault(
            column, MISSING_TEXT if id(imputer) in found.blank else imputer.missing_values
        )
    return found


def follow(part: Any, paths: Paths, found: Evidence) -> Paths:
    """Follow columns through ``part``, and write to ``found`` what it knows of them.

    ``paths`` is where its input columns come from; returns where its output columns come from.
    """
    for kind, step in _STEPS.items():
        if any(base.__name__ == kind for base in type(part).__mro__):
            return step(part, paths, found)
    if hasattr(part, "vocabulary_"):
        found.texts |= {path.column for path in paths if path is not None}
        return [None] * len(paths)
    if hasattr(part, "categories_") and hasattr(part, "transform"):
        return _encoder(part, paths, found)
    if hasattr(part, "get_support") and hasattr(part, "transform"):
        return _chosen(part, paths)
    for inner in _children(part):
        if _width(inner) == len(paths):
            follow(inner, paths, found)
    return [None] * len(paths)


def _chosen(part: Any, paths: Paths) -> Paths:
    """Choose columns; a step before that makes other columns than it takes gave no paths."""
    kept = part.get_support()
    if len(kept) != len(paths):
        return [None] * int(kept.sum())
    return [path for path, keep in zip(paths, kept, strict=True) if keep]


def _children(part: Any) -> list[Any]:
    """Return the fitted estimators in its attributes, and in lists there."""
    from sklearn.base import BaseEstimator

    children: list[Any] = []
    for value in vars(part).values() if hasattr(part, "__dict__") else ():
        items = value if isinstance(value, (list, tuple)) else [value]
        for item in items:
            inside = item[1] if isinstance(item, tuple) and len(item) > 1 else item
            if type(inside).__name__ == "_CalibratedClassifier":  # of one fold, and no estimator
                children.append(inside.estimator)
            children += [inside] if isinstance(inside, BaseEstimator) else []
    return children


def _width(part: Any) -> int | None:
    """Return the number of columns that it was fitted on.

    A pipeline does not say so if its first step passes everything on.
    """
    steps = [step for _, step in getattr(part, "steps", []) if not _passes_on(step)]
    return _width(steps[0]) if steps else getattr(part, "n_features_in_", None)


def _passes_on(step: Any) -> bool:
    return step is None or (isinstance(step, str) and step == "passthrough")


def _pipeline(part: Any, paths: Paths, found: Evidence) -> Paths:
    for _, step in part.steps:
        if not _passes_on(step):
            paths = follow(step, paths, found)
    return paths


def _columns(part: Any, paths: Paths, found: Evidence) -> Paths:
    made: dict[str, Paths] = {}
    for name, inner, _ in part.transformers_:
        chosen = [paths[index] for index in part._transformer_to_input_indices.get(name, ())]
        if not chosen or (isinstance(inner, str) and inner == "drop"):
            continue
        made[name] = chosen if isinstance(inner, str) else follow(inner, chosen, found)
    result: Paths = []
    for name, place in part.output_indices_.items():
        width = place.stop - place.start
        result += (made.get(name, []) + [None] * width)[:width]
    return result


def _union(part: Any, paths: Paths, found: Evidence) -> Paths:
    result: Paths = []
    for _, inner in part.transformer_list:
        if isinstance(inner, str):
            result += paths if inner == "passthrough" else []
        else:
            result += _of_its_width(inner, follow(inner, paths, found))
    return result


def _of_its_width(part: Any, made: Paths) -> Paths:
    """Fill up what the columns of ``part`` come from, so that what stands beside it is in place."""
    try:
        width = len(part.get_feature_names_out())
    except (AttributeError, ValueError, TypeError):  # it cannot say
        return made
    return made if len(made) == width else [None] * width


def _imputer(part: Any, paths: Paths, found: Evidence) -> Paths:
    result: Paths = []
    of_missing = is_missing(part.missing_values) or part.missing_values == ""
    for path, statistic in zip(paths, part.statistics_, strict=False):
        if path is not None and path.imputer is None and of_missing:
            found.imputed.setdefault(path.column, part)
        if not is_missing(statistic) or part.keep_empty_features:
            result.append(path and replace(path, imputer=part, statistic=statistic))
    indicators = len(part.indicator_.features_) if part.add_indicator else 0
    return result + [None] * indicators


def _encoder(part: Any, paths: Paths, found: Evidence) -> Paths:
    for path, categories in zip(paths, part.categories_, strict=False):
        if path is None:
            continue
        values = list(categories)
        found.categories.setdefault(path.column, values)
        missing = [value for value in values if is_missing(value)]
        empty = [value for value in values if isinstance(value, str) and value == MISSING_TEXT]
        if empty and path.statistic != MISSING_TEXT:
            missing += empty
        if missing:
            found.missing.setdefault(path.column, missing[0])
            found.blank |= {id(path.imputer)} if path.imputer is not None else set()
    return [None] * len(paths)


def _function(part: Any, paths: Paths, _found: Evidence) -> Paths:
    return paths if part.func is None else [None] * len(paths)


def _neighbours(part: Any, paths: Paths, found: Evidence) -> Paths:
    for path in paths:
        if path is not None:
            found.imputed.setdefault(path.column, part)
    return [None] * len(paths)


_STEPS = {
    "KNNImputer": _neighbours,
    "Pipeline": _pipeline,
    "ColumnTransformer": _columns,
    "FeatureUnion": _union,
    "SimpleImputer": _imputer,
    "FunctionTransformer": _function,
}
