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
        What it warned about, sorted, one line each, without warnings of the classes ``expected``.

    Raises:
        UserError: scikit-learn refuses the rows or the arguments.
    """
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator.fit(inputs(rows.feeds), rows.target)
    except Exception as error:  # some estimators raise AttributeError and IndexError
        name = type(estimator).__name__
        cure = "change `estimator`, `params` or the data"
        raise UserError(f"{name} cannot be fitted to these rows: {error}; {cure}") from error
    unexpected = [each for each in caught if not issubclass(each.category, expected)]
    return sorted({str(warning.message).split("\n")[0] for warning in unexpected})
