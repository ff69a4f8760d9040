"""A newcomer follows the README: from a clone to the report of a table of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tests.support.project import clone

SET_UP = ("make", "--no-print-directory", "-o", ".venv/installed")
"""Use the environment of the tests instead of the one that make would make here."""


def rentals(path: Path) -> None:
    """Write a CSV of bicycles rented in an hour, with categories and gaps, to predict a number."""
    rng = np.random.default_rng(7)
    rows = 400
    hour, degrees = rng.integers(0, 24, rows), rng.normal(15, 8, rows).round(1)
    weather = rng.choice(["clear", "rain", "snow"], rows, p=[0.7, 0.25, 0.05])
    rented = (
        40
        + 3 * degrees
        + 60 * np.exp(-(((hour - 17) / 4) ** 2))
        - 50 * (weather != "clear")
        + rng.normal(0, 8, rows)
    )
    frame = pd.DataFrame(
        {"hour": hour, "degrees_c": degrees, "weather": weather, "rented": rented.round(2)}
    )
    frame.loc[rng.choice(rows, 12, replace=False), "degrees_c"] = np.nan
    frame.loc[rng.choice(rows, 8, replace=False), "weather"] = np.nan
    frame.to_csv(path, index=False)


def test_from_a_clone_to_the_report_of_their_own_table(tmp_path: Path) -> None:
    project = clone(tmp_path / "project")
    rentals(project.folder / "data" / "rentals.csv")
    project.change(
        data__source="data/rentals.csv",
        data__target="rented",
        train__estimator="RandomForestRegressor",
    )
    said = project.run(*SET_UP, "all").stdout
    assert "RandomForestRegressor on data/rentals.csv" in said
    assert "regression of 'rented'" in said
    assert project.mlflow_runs() == 1
    assert "written: outputs/report.html" in project.run(*SET_UP, "report").stdout
    page = (project.folder / "outputs" / "report.html").read_text(encoding="utf-8")
    assert "RandomForestRegressor on data/rentals.csv" in page
    assert "rented" in page
