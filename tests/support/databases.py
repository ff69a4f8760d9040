"""SQLite and DuckDB, each a function that evaluates SQL expressions over rows."""

from __future__ import annotations

import functools
import json
import os
import sqlite3
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest
from numpy.typing import NDArray

from onnxpress.bodies.sql import quoted
from tests.conftest import ROOT

PYTHON = ROOT / ".venv-serve" / "bin" / "python"
"""Of the environment with DuckDB (``make .venv-serve/installed``)."""

Columns = list[list[Any]]


class Refused(Exception):
    """An engine refuses a query."""


def sqlite(
    expressions: Sequence[str], names: Sequence[str], rows: NDArray[Any], kind: str = "REAL"
) -> Columns:
    """What SQLite makes of each expression; it stores a NaN as NULL."""
    columns = ", ".join(f"{quoted(name)} {kind}" for name in names)
    store = sqlite3.connect(":memory:")
    store.execute(f"CREATE TABLE data (id INTEGER, {columns})")
    marks = ", ".join("?" * (len(names) + 1))
    numbered = [(place, *row) for place, row in enumerate(rows.tolist())]
    store.executemany(f"INSERT INTO data VALUES ({marks})", numbered)  # noqa: S608 - question marks
    try:
        return _columns(store.execute(_query(expressions)).fetchall())
    except sqlite3.Error as error:
        raise Refused(str(error)) from error


def duckdb(
    expressions: Sequence[str], names: Sequence[str], rows: NDArray[Any], kind: str = "DOUBLE"
) -> Columns:
    """What DuckDB makes of each expression; a NaN stays one."""
    given = {f"c{place}": column for place, column in enumerate(rows.T.tolist())}
    columns = (f"CAST(c{place} AS {kind}) AS {quoted(name)}" for place, name in enumerate(names))
    create = f"CREATE TABLE data AS SELECT id, {', '.join(columns)} FROM given"  # noqa: S608 - ours
    process = _duckdb()
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("DuckDB has no pipes")
    line = [create, {"id": list(range(len(rows))), **given}, _query(expressions)]
    process.stdin.write(f"{json.dumps(line)}\n")
    process.stdin.flush()
    found = json.loads(process.stdout.readline())
    if isinstance(found, str):
        raise Refused(found)
    return _columns(found)


ENGINES = [sqlite, duckdb]


@functools.cache
def _duckdb() -> subprocess.Popen[str]:
    """A process that answers until this one ends."""
    if not PYTHON.exists():
        missing = "run `make .venv-serve/installed` before pytest: it has DuckDB"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    script = ROOT / "tests" / "support" / "duckdb_answers.py"
    pipe = subprocess.PIPE
    return subprocess.Popen([PYTHON, script], text=True, stdin=pipe, stdout=pipe)


def _query(expressions: Sequence[str]) -> str:
    named = ", ".join(f"{text} AS answer{place}" for place, text in enumerate(expressions))
    return f"SELECT {named} FROM data ORDER BY id"  # noqa: S608 - under test


def _columns(found: Sequence[Sequence[Any]]) -> Columns:
    return [list(column) for column in zip(*found, strict=True)]
