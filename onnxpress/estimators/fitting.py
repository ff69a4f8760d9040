"""Fitting a scikit-learn estimator."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from onnxpress.errors import UserError
from onnxpress.tables.rows import Feeds, Rows, sklearn_input


def fit(
    estimator: Any,
    rows: Rows,
    *,
    inputs: Callable[[Feeds], Any] = sklearn_input,
    expected: tuple[type[Warning], ...] = (),
) -> list[str]:
    """Fit a scikit-learn estimator in place.

    ``inputs`` gives the rows the form that the estimator takes.

    Returns:
        What it warned about, one line each, without ``expected`` warnings.

    Raises:
        UserError: scikit-learn refuses the rows or the arguments.
    """
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator.fit(inputs(rows.feeds), rows.target)
    except Exception as error:  # estimators raise what they raise, down to AttributeError
        name = type(estimator).__name__
        raise UserError(
            f"{name} cannot be fitted to these rows: {error}; change train or data in params.yaml"
        ) from error
    messages = (
        str(warning.message) for warning in caught if not issubclass(warning.category, expected)
    )
    return sorted({message.split("\n")[0] for message in messages})
