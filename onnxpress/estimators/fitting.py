"""Fitting a scikit-learn estimator."""

from __future__ import annotations

import warnings
from typing import Any

from onnxpress.errors import UserError
from onnxpress.tables.rows import Rows, sklearn_input


def fit(estimator: Any, rows: Rows, *, expected: tuple[type[Warning], ...] = ()) -> list[str]:
    """Fit a scikit-learn estimator in place; returns what it warned about, one line each, but for ``expected`` warnings.

    Raises:
        UserError: scikit-learn refuses the rows or the arguments.
    """
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator.fit(sklearn_input(rows.feeds), rows.target)
    except (
        Exception
    ) as error:  # estimators raise what they raise, down to AttributeError and IndexError
        name = type(estimator).__name__
        raise UserError(
            f"{name} cannot be fitted to these rows: {error}; change train or data in params.yaml"
        ) from error
    return sorted(
        {
            str(warning.message).split("\n")[0]
            for warning in caught
            if not issubclass(warning.category, expected)
        }
    )
