"""The bench of conversions of boosters, on a small model."""

from __future__ import annotations

import pytest

from bench import boosters


def test_a_library_has_a_row_with_both_conversions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosters, "ROWS", 500)
    monkeypatch.setattr(boosters, "LEAVES", 8)
    cells = [cell.strip() for cell in boosters.line_of("lightgbm", 60).strip("|").split("|")]
    row = dict(zip(boosters.COLUMNS, cells, strict=True))
    assert (row["library"], row["nodes"]) == ("lightgbm", "60")
    assert float(row["ours, off by"]) < 1e-5
