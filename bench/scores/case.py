"""One combination of the scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

Place = Literal["alone", "scaled", "imputed"]


@dataclass(frozen=True)
class Case:
    """An unfitted estimator on one of the data sets of :mod:`bench.scores.rows`.

    ``make`` builds the estimator. It goes alone, behind a scaler, or behind an imputer
    and a scaler.
    """

    model: str
    make: Callable[[], Any]
    data: str
    place: Place = "alone"

    @property
    def name(self) -> str:
        """A name of its own."""
        return f"{self.model} / {self.data} / {self.place}"

    def unfitted(self) -> Any:
        """The estimator with the steps before it."""
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        estimator = self.make()
        if self.place == "scaled":
            return make_pipeline(StandardScaler(), estimator)
        if self.place == "imputed":
            return make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), estimator)
        return estimator


def maker(model: Any, note: str = "", **arguments: Any) -> tuple[str, Callable[[], Any]]:
    """A name for an estimator class with these arguments, and what builds it, seeded."""
    if "random_state" in model._get_param_names():
        arguments = {"random_state": 0} | arguments
    return model.__name__ + (f"({note})" if note else ""), partial(model, **arguments)
