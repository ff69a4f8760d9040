"""Follow raw columns through the steps of a fitted estimator, to the encoders and imputers that see their values.

What a column held where the estimator was fitted is written in the parts that saw it: an encoder lists its categories,
an imputer names what it takes for missing. ONNX knows one missing text, the empty string.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

MISSING_TEXT = ""


def is_missing(value: Any) -> bool:
    """Whether it is None, NaN or pandas' NA."""
    return value is None or _is_nan(value) or type(value).__name__ == "NAType"


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def as_text(value: Any) -> str:
    """The text by which ONNX knows a value of a column of text; the empty string is a missing one."""
    return MISSING_TEXT if is_missing(value) else str(value)


@dataclass(frozen=True)
class Path:
    """A raw column on its way: its place among the raw columns, and the imputer that it came through, if any."""

    column: int
    imputer: Any = None
    statistic: Any = None


Paths = list[Path | None]
"""Where each column of a table comes from; None where its values are no raw column's any more."""


@dataclass
class Evidence:
    """What the parts say of the raw columns, by their place.

    ``categories`` has the categories of the encoder that sees the column, ``imputed`` its imputer, and ``missing`` what
    stands for a missing value there: what an encoder lists, else what the imputer takes for it. ``blank`` are the ids of
    imputers that leave an empty text as it is, for an encoder behind them lists it, be it of one of their columns. ``texts``
    are the columns whose words a vectoriser counts.
    """

    categories: dict[int, list[Any]] = field(default_factory=dict)
    missing: dict[int, Any] = field(default_factory=dict)
    imputed: dict[int, Any] = field(default_factory=dict)
    blank: set[int] = field(default_factory=set)
    texts: set[int] = field(default_factory=set)


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
    """Where the columns come from that ``part`` makes of columns which come from ``paths``; writes to ``found``."""
    for kind, step in _STEPS.items():
        if any(base.__name__ == kind for base in type(part).__mro__):
            return step(part, paths, found)
    if hasattr(part, "vocabulary_"):
        found.texts |= {path.column for path in paths if path is not None}
        return [None] * len(paths)
    if hasattr(part, "categories_") and hasattr(part, "transform"):
        return _encoder(part, paths, found)
    if hasattr(part, "get_support") and hasattr(part, "transform"):
        return [paths[index] for index in part.get_support(indices=True)]
    for inner in _children(part):
        if _width(inner) == len(paths):
            follow(inner, paths, found)
    return [None] * len(paths)


def _children(part: Any) -> list[Any]:
    """The fitted estimators that are values, or in lists that are values, of its attributes."""
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
    """How many columns it was fitted on; a pipeline does not say so where its first step passes everything on."""
    steps = [
        step for _, step in getattr(part, "steps", []) if step is not None and step != "passthrough"
    ]
    return _width(steps[0]) if steps else getattr(part, "n_features_in_", None)


def _pipeline(part: Any, paths: Paths, found: Evidence) -> Paths:
    for _, step in part.steps:
        if step is not None and step != "passthrough":
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
        result += [] if isinstance(inner, str) else follow(inner, paths, found)  # "drop"
    return result


def _imputer(part: Any, paths: Paths, found: Evidence) -> Paths:
    result: Paths = []
    for path, statistic in zip(paths, part.statistics_, strict=False):
        if (
            path is not None
            and path.imputer is None
            and (is_missing(part.missing_values) or part.missing_values == "")
        ):
            found.imputed.setdefault(path.column, part)
        if not is_missing(statistic) or part.keep_empty_features:
            result.append(path and replace(path, imputer=part, statistic=statistic))
    return result


def _encoder(part: Any, paths: Paths, found: Evidence) -> Paths:
    for path, categories in zip(paths, part.categories_, strict=False):
        if path is None:
            continue
        values = list(categories)
        found.categories.setdefault(path.column, values)
        missing = [value for value in values if is_missing(value)]
        missing += [
            value
            for value in values
            if isinstance(value, str) and value == MISSING_TEXT != path.statistic
        ]
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
