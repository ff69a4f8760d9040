"""One model in every body: the bytes that it needs beside the platform, and the time of a row.

The platform is what is there already: a chip, a page in a browser, Python, a database with a table.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from bench.edge.web import in_browser
from onnxpress.bodies.reading import read_program
from onnxpress.bodies.sql import quoted, sql_expression

TABLE_ROWS = 10_000
REPEATS = 5
C, WASM, ORT, WEB, SQLITE, DUCKDB = (
    *("C", "WebAssembly", "onnxruntime", "onnxruntime-web"),
    *("SQL in SQLite", "SQL in DuckDB"),
)


def bodies(
    model: onnx.ModelProto, rows: NDArray[np.float32], known: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the name, the bytes and the ns a row of each body; ``known`` is what C has."""
    data = model.SerializeToString()
    files = distribution("onnxruntime").files or []
    runtime = sum(Path(str(each.locate())).stat().st_size for each in files)
    found = [
        {"body": C, "bytes": known["bytes"]["Cortex-M0+"]["flash"], "ns": known["ns"]},
        {"body": ORT, "bytes": len(data) + runtime, "ns": known["onnxruntime"]},
    ]
    for name, measured in in_browser(model, rows[0]).items():
        body = {"own": WASM, "runtime": WEB}[name]
        found.append(
            {"body": body, "bytes": measured["bytes"], "ns": 1000 * measured["us_per_row"]}
        )
    program = read_program(model)
    text = sql_expression(program)
    table = np.resize(rows, (TABLE_ROWS, rows.shape[1])).astype(np.float64)
    for body, engine in ((SQLITE, _sqlite), (DUCKDB, _duckdb)):
        query = f"SELECT max({text}) FROM data"  # noqa: S608 - names are quoted
        ask = engine(query, program.inputs.names, table)
        found.append({"body": body, "bytes": len(text.encode()), "ns": _best(ask) / TABLE_ROWS})
    return found


Ask = Callable[[], object]


def _sqlite(query: str, names: tuple[str, ...], table: NDArray[np.float64]) -> Ask:
    store = sqlite3.connect(":memory:")
    store.execute(f"CREATE TABLE data ({', '.join(f'{quoted(name)} REAL' for name in names)})")
    marks = ", ".join("?" * len(names))
    store.executemany(f"INSERT INTO data VALUES ({marks})", table.tolist())  # noqa: S608 - question marks
    return lambda: store.execute(query).fetchall()


def _duckdb(query: str, names: tuple[str, ...], table: NDArray[np.float64]) -> Ask:
    import duckdb
    import pyarrow as pa

    store = duckdb.connect(config={"threads": 1})
    store.register("given", pa.table(list(table.T), names=list(names)))
    store.execute("CREATE TABLE data AS SELECT * FROM given")
    return lambda: store.execute(query).fetchall()


def _best(ask: Ask) -> float:
    """The least ns of some calls."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter_ns()
        ask()
        times.append(time.perf_counter_ns() - start)
    return float(min(times))
