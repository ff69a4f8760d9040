"""What may surprise about training, calibration and test rows taken together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from onnxpress.tables.findings import Finding
from onnxpress.tables.schema import Column, Schema


def part_findings(
    train: pd.DataFrame, gaps_in_test: Mapping[str, int], schema: Schema
) -> Iterator[Finding]:
    """Yield columns that tell nothing in training, or have gaps in one part only.

    ``gaps_in_test`` are the test rows without a value, by column.
    """
    for target in schema.targets:
        if len(train[target].unique()) == 1:
            says = "has the same value in every training row: there is nothing to learn"
            yield Finding("constant", target, says, "target")
    for column in schema.columns:
        if column.missing and missing(train[column.name]) == len(train):
            yield Finding("empty", column.name, "has no value in any training row; drop it")
        elif len(train[column.name].unique()) == 1:
            says = "has the same value in every training row; drop it"
            yield Finding("constant", column.name, says)
        if column.missing:
            yield from gap_findings(column, missing(train[column.name]), gaps_in_test[column.name])


def gap_findings(column: Column, in_train: int, in_test: int) -> Iterator[Finding]:
    """Yield missing values that only one part has; so many are in each."""
    if in_train and not in_test:
        says = f"is missing in {in_train} training rows and in no test row: gaps are not tested"
        yield Finding("gaps in training", column.name, says)
    if in_test and not in_train:
        says = (
            f"is missing in {in_test} test rows and in no training row: the model never saw a gap"
        )
        yield Finding("gaps in test", column.name, says)


def missing(values: pd.Series) -> int:
    """Return how many values are missing: NaN, or empty text."""
    return int((values.isna() | (values == "")).sum())


def shared_rows(train: pd.DataFrame, test: pd.DataFrame) -> int:
    """Return how many test rows are also training rows, target included."""
    seen, asked = (pd.util.hash_pandas_object(part, index=False) for part in (train, test))
    return int(asked.isin(seen).sum())


def shared_lines(train: pd.DataFrame, test: pd.DataFrame) -> list[str]:
    """Return a line about test rows that the model has seen."""
    count = shared_rows(train, test)
    line = (
        f"{count} of {len(test)} test rows are also among the training rows, target included; "
        "drop duplicates, or the score is too good"
    )
    return [line] if count else []
