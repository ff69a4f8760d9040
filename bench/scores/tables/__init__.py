"""The tables of the scan by name.

A module with a function ``cases`` that yields ``Case`` is a table; add it here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bench.scores.case import Case
from bench.scores.tables import classifiers, meta, regressors

TABLES: dict[str, Callable[[], Iterable[Case]]] = {
    "classifiers": classifiers.cases,
    "regressors": regressors.cases,
    "meta-estimators": meta.cases,
}
