"""Generated tables keep every value and row; CSV and Parquet of one table give the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.support.generated_tables import Generated, check, tables

SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.mark.usefixtures("workspace")
@settings(
    max_examples=1000, deadline=None, derandomize=True, database=None, suppress_health_check=SLOW
)
@given(table=tables())
def test_every_value_of_a_table_stays_in_its_row_and_is_the_same_from_csv_and_parquet(
    table: Generated,
) -> None:
    check(table, Path())
