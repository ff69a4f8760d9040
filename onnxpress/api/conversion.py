"""A fitted estimator as an ONNX model."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any

import onnx

from onnxpress.api.faithfulness import conversion_doubts
from onnxpress.api.model_arguments import given_model
from onnxpress.api.table_arguments import features
from onnxpress.conversion.converting import NEWEST_OPSET, NotConvertible, to_onnx
from onnxpress.errors import UserError
from onnxpress.graph.canonical import to_bytes
from onnxpress.tables.schema import Schema

OLDEST_OPSET = 11


def convert(estimator: Any, X: Any, *, opset: int = 12) -> onnx.ModelProto:
    """Convert a fitted scikit-learn estimator to ONNX.

    The model is in canonical form, so that the same estimator always gives the same bytes, and
    passes onnx's full check. It takes raw rows: one float32 input ``X`` of shape (rows, columns) if
    all columns are numbers, in the order of the argument ``X``, else one input of shape (rows, 1)
    per column, float32 or string, by its name. A classifier gives ``label`` (rows,) and
    ``probabilities`` (rows, classes), or ``scores`` if it has no probabilities; a regressor gives
    ``prediction`` (rows, 1), or (rows, targets) if it was fitted to several.

    Both predict ``X``, up to 1,000 rows of it. If they differ on more than 1 % of these, the model
    is refused; if they differ on fewer, a warning (of Python's module ``warnings``) says so.

    Args:
        estimator: A fitted classifier or regressor, or a pipeline that ends in one.
        X: Rows as the estimator takes them, an array or a DataFrame; a few are enough.
        opset: Version of the ai.onnx operator set, 11 to 22.

    Raises:
        UserError: ``estimator`` is not fitted, does not take these columns, or has no ONNX form
            that predicts the same.

    >>> import onnxpress
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> model = onnxpress.convert(LogisticRegression(max_iter=1000).fit(X, y), X)
    >>> [value.name for value in model.graph.output]
    ['label', 'probabilities']
    """
    given = given_model(estimator, "estimator")
    if given.data:
        raise UserError("estimator is an ONNX model already; expected an estimator of scikit-learn")
    table = features(X)
    given.check_columns(table.schema(given.task))
    schema = table.schema(given.task, targets=given.count_targets(table))
    plain = converted(given.estimator, schema, opset)
    for line in conversion_doubts(given.estimator, plain, table.feeds(), schema, given.name):
        warnings.warn(line, stacklevel=2)
    model: onnx.ModelProto = onnx.load_from_string(plain)
    return model


def converted(estimator: Any, schema: Schema, opset: int) -> bytes:
    """Return the bytes of ``estimator`` in ONNX.

    Raises:
        UserError: it has no ONNX form, or none in this opset.
    """
    if not isinstance(opset, Integral) or opset not in range(OLDEST_OPSET, NEWEST_OPSET + 1):
        raise UserError(f"opset should be {OLDEST_OPSET} to {NEWEST_OPSET}, got {opset!r}")
    try:
        return to_bytes(to_onnx(estimator, schema, opset))
    except NotConvertible as error:
        name = type(estimator).__name__
        raise UserError(
            f"{name} cannot become ONNX of opset {opset}: {error.reason}; "
            "choose another opset or another estimator"
        ) from error
