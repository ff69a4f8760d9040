"""From the name of a class to an unfitted estimator that takes raw rows."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxpress.boosters.readers import CLASSES
from onnxpress.boosters.training import checked_parameters
from onnxpress.errors import UserError
from onnxpress.tables.schema import Schema

INSIDE = {"estimator", "estimators"}
"""Arguments that are estimators themselves."""


@dataclass(frozen=True)
class ColumnSteps:
    """What is done to the columns before the estimator sees them."""

    scale: bool = False
    """Standardise numbers."""
    max_features: int | None = None
    """Keep this many of the most frequent words of a text; None keeps all."""
    ngram_range: Sequence[int] = (1, 1)
    """Count groups of so many words of a text, from and to."""


def build(
    name: str,
    arguments: Mapping[str, Any],
    schema: Schema,
    seed: int,
    steps: ColumnSteps = ColumnSteps(),
) -> Any:
    """Build an unfitted estimator, behind the steps that the columns need to be taken raw.

    Categories are one-hot encoded (unknown ones to zeros), words of text weighted by TF-IDF,
    missing numbers imputed by the median if the data have any. Estimators that draw random numbers
    get ``seed``. Boosters get missing numbers as they are, and categories as their own.

    Args:
        name: a class of scikit-learn by its name, or any class by its import path.
        arguments: of its constructor.
        schema: the columns that it will take, and the task.
        seed: for every ``random_state`` that ``arguments`` leave open.
        steps: how numbers and words are prepared.

    Raises:
        UserError: the class or one of its arguments is wrong, or it does not predict this kind of
            target.
    """
    library = CLASSES.get(name)
    if library is not None and name.endswith("Ranker"):
        _check_ranking(name, schema)
    if library is None:
        estimator = _instance(name, find_class(name), arguments)
    else:
        estimator = _booster(name, library, arguments, schema)
    _check_task(estimator, name, schema)
    unseeded = [
        key
        for key, value in estimator.get_params().items()
        if key.endswith("random_state") and value is None
    ]
    estimator.set_params(**dict.fromkeys(unseeded, seed))
    if library is not None and not steps.scale and not _names(schema, "text"):
        return estimator
    return _behind_steps(estimator, schema, steps)


def _booster(name: str, library: str, arguments: Mapping[str, Any], schema: Schema) -> Any:
    """Return the unfitted booster whose class has that name.

    Raises:
        UserError: the library is not installed, or the class does not take the arguments.
    """
    from onnxpress.estimators import booster_estimator

    parameters = checked_parameters(library, name, arguments)
    kind = next(word for word in ("Classifier", "Ranker", "Regressor") if name.endswith(word))
    columns = tuple(column.name for column in schema.columns)
    made = getattr(booster_estimator, f"Booster{kind}")
    return made(library, columns=columns, parameters=parameters)


def _check_ranking(name: str, schema: Schema) -> None:
    """See that there is what a ranker learns from: groups, and one target of numbers.

    Raises:
        UserError: there is not.
    """
    if schema.group is None:
        raise UserError(
            f"`estimator` {name} learns from groups of rows, and these are in none; name the "
            "column that says which rows belong together (`group`)"
        )
    if schema.task != "regression" or schema.has_several_targets:
        raise UserError(
            f"`estimator` {name} ranks by one target of numbers, the relevance of each row; "
            "set `task` to regression, and name one target"
        )


def find_class(name: str) -> type[Any]:
    """Find the estimator class of that name in scikit-learn, or at that import path.

    Raises:
        UserError: there is no such class.
    """
    from sklearn.base import BaseEstimator

    found = _import_class(name) if "." in name else _scikit_learn_class(name)
    if not (isinstance(found, type) and issubclass(found, BaseEstimator)):
        raise UserError(
            f"`estimator` {name!r} should be a scikit-learn estimator class, got {found!r}"
        )
    return found


def _import_class(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:  # an import runs the module's own code
        why = f"({error}); check the path"
        raise UserError(f"`estimator` {path!r} cannot be imported {why}") from error


def _scikit_learn_class(name: str) -> Any:
    from sklearn.utils import all_estimators

    classes = dict(all_estimators(type_filter=["classifier", "regressor"]))
    if name in classes:
        return classes[name]
    usual = "name a scikit-learn classifier or regressor, or give an import path"
    hint = _nearest(name, classes) or usual
    raise UserError(f"`estimator` {name!r} is not a scikit-learn classifier or regressor; {hint}")


def _instance(name: str, found: type[Any], arguments: Mapping[str, Any]) -> Any:
    """Call the class with its arguments.

    Raises:
        UserError: it does not take them; the line names the nearest argument.
    """
    try:
        return found(**arguments)
    except TypeError as error:
        valid = list(found._get_param_names())
        if INSIDE & {*valid} - {*arguments} and {*arguments} <= {*valid}:
            raise UserError(_needs_another(name)) from error
        unknown = [key for key in arguments if key not in valid]
        hint = _nearest(unknown[0], valid) if unknown else ""
        hint = hint or f"valid: {', '.join(valid)}"
        raise UserError(f"`params` do not fit {name} ({error}); {hint}") from error


def _needs_another(name: str) -> str:
    return (
        f"`estimator` {name} needs an estimator inside, which `params` cannot give; name a class "
        "of your own that builds it, by its import path, or give a fitted model (model_path)"
    )


def _nearest(name: str, valid: Any) -> str:
    """Return a question about the valid name that is most like ``name``; empty if none is."""
    near = difflib.get_close_matches(name, valid, n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def _check_task(estimator: Any, name: str, schema: Schema) -> None:
    """Raise UserError unless the estimator predicts the kind of target that the schema has."""
    from sklearn.base import is_classifier, is_regressor

    kind, fits = {
        "classification": ("classifier", is_classifier),
        "regression": ("regressor", is_regressor),
    }[schema.task]
    try:
        suits = fits(estimator)
    except AttributeError as error:  # meta-estimators look at the estimator inside
        raise UserError(_needs_another(name)) from error
    if not suits:
        raise UserError(f"`estimator` should be a {kind} for this target, got {name} (see `task`)")


def _behind_steps(estimator: Any, schema: Schema, steps: ColumnSteps) -> Any:
    """Put the estimator at the end of a pipeline, or leave it alone if the columns need none."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    scaling = _number_steps(schema, steps)
    boosted = type(estimator).__name__.startswith("Booster")
    if boosted:  # takes missing numbers
        scaling = [step for step in scaling if type(step).__name__ != "SimpleImputer"]
    if schema.all_numeric:
        return make_pipeline(*scaling, estimator) if scaling else estimator
    blocks: list[tuple[str, Any, Any]] = []
    if numbers := _names(schema, "number"):
        blocks.append(("numbers", make_pipeline(*scaling) if scaling else "passthrough", numbers))
    if categories := _names(schema, "category"):
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        blocks.append(("categories", encoder, categories))
    for number, name in enumerate(_names(schema, "text")):
        blocks.append((f"text {number}", _word_weights(steps), name))
    if boosted:  # zeros that a sparse matrix leaves out may be missing values to a booster
        return make_pipeline(ColumnTransformer(blocks, sparse_threshold=0), estimator)
    return make_pipeline(ColumnTransformer(blocks), estimator)


def _names(schema: Schema, kind: str) -> list[str]:
    return [column.name for column in schema.columns if column.kind == kind]


def _number_steps(schema: Schema, steps: ColumnSteps) -> list[Any]:
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    missing = any(column.missing for column in schema.columns if column.kind == "number")
    imputing = [SimpleImputer(strategy="median")] if missing else []
    return imputing + ([StandardScaler()] if steps.scale else [])


def _word_weights(steps: ColumnSteps) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        max_features=steps.max_features, ngram_range=tuple(steps.ngram_range), dtype=np.float32
    )
