"""From a name in params.yaml to a fitted estimator that takes raw rows."""

from __future__ import annotations

import difflib
import importlib
from typing import Any

import numpy as np

from onnxpress.errors import UserError
from onnxpress.pipeline.copies import absent_module
from onnxpress.pipeline.params import Train
from onnxpress.tables.schema import Schema


def find_class(name: str) -> type[Any]:
    """The estimator class of that name in scikit-learn, or at that import path.

    Raises:
        UserError: there is no such class.
    """
    from sklearn.base import BaseEstimator

    found = _import_class(name) if "." in name else _scikit_learn_class(name)
    if not (isinstance(found, type) and issubclass(found, BaseEstimator)):
        raise UserError(
            f"params.yaml: train.estimator {name!r} should be a scikit-learn estimator class, got {found!r}"
        )
    return found


def _import_class(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:  # an import runs the module's own code
        lacking = absent_module(error) if isinstance(error, ImportError) else ""
        why = f": it needs {lacking}" if lacking else f" ({error}); check the path"
        raise UserError(f"params.yaml: train.estimator {path!r} cannot be imported{why}") from error


def _scikit_learn_class(name: str) -> Any:
    from sklearn.utils import all_estimators

    classes = dict(all_estimators(type_filter=["classifier", "regressor"]))
    if name not in classes:
        near = difflib.get_close_matches(name, classes, n=1)
        hint = (
            f"did you mean {near[0]!r}?"
            if near
            else "name a scikit-learn classifier or regressor, or give an import path"
        )
        raise UserError(
            f"params.yaml: train.estimator {name!r} is no scikit-learn classifier or regressor; {hint}"
        )
    return classes[name]


def build(train: Train, schema: Schema, seed: int) -> Any:
    """The unfitted estimator, behind whatever the columns need so that it takes raw rows.

    Categories are one-hot encoded (unknown ones to zeros), words of text weighted by TF-IDF as ``train.text`` says, missing
    numbers imputed by the median where the data has any, numbers standardised if ``train.scale`` asks for it. Estimators
    that draw random numbers get ``seed``.

    Raises:
        UserError: the class or one of its arguments is wrong, or it does not predict this kind of target.
    """
    from sklearn.base import is_classifier, is_regressor

    found = find_class(train.estimator)
    try:
        estimator = found(**train.params)
    except TypeError as error:
        valid = list(found._get_param_names())
        unknown = [key for key in train.params if key not in valid]
        near = difflib.get_close_matches(unknown[0], valid, n=1) if unknown else []
        hint = f"did you mean {near[0]!r}?" if near else f"valid: {', '.join(valid)}"
        raise UserError(
            f"params.yaml: train.params do not fit {train.estimator} ({error}); {hint}"
        ) from error
    kind, fits = {
        "classification": ("classifier", is_classifier),
        "regression": ("regressor", is_regressor),
    }[schema.task]
    try:
        suits = fits(estimator)
    except AttributeError as error:  # meta-estimators ask the estimator inside
        raise UserError(
            f"params.yaml: train.estimator {train.estimator} needs an estimator inside, which train.params cannot give; "
            "name a class of your own that builds it, by its import path"
        ) from error
    if not suits:
        raise UserError(
            f"params.yaml: train.estimator should be a {kind} for this target, got {train.estimator} (see data.task)"
        )
    unseeded = [
        key
        for key, value in estimator.get_params().items()
        if key.endswith("random_state") and value is None
    ]
    estimator.set_params(**dict.fromkeys(unseeded, seed))
    return _behind_columns(estimator, schema, train)


def _behind_columns(estimator: Any, schema: Schema, train: Train) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [column.name for column in schema.columns if column.kind == "number"]
    missing = any(column.missing for column in schema.columns if column.kind == "number")
    steps = [SimpleImputer(strategy="median")] if missing else []
    steps += [StandardScaler()] if train.scale else []
    if schema.all_numeric:
        return make_pipeline(*steps, estimator) if steps else estimator
    categories = [column.name for column in schema.columns if column.kind == "category"]
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    texts = [column.name for column in schema.columns if column.kind == "text"]
    blocks: list[tuple[str, Any, Any]] = []
    blocks += (
        [("numbers", make_pipeline(*steps) if steps else "passthrough", numbers)] if numbers else []
    )
    blocks += [("categories", encoder, categories)] if categories else []
    words = TfidfVectorizer(
        max_features=train.text.max_features,
        ngram_range=tuple(train.text.ngram_range),
        dtype=np.float32,
    )
    blocks += [(f"text {number}", words, name) for number, name in enumerate(texts)]
    return make_pipeline(ColumnTransformer(blocks), estimator)
