"""Answer queries by DuckDB, a line of JSON each; runs in .venv-serve, which has the package."""

from __future__ import annotations

import json
import sys

import duckdb
import numpy as np

for line in sys.stdin:
    create, columns, ask = json.loads(line)
    try:
        with duckdb.connect() as store:
            store.register("given", {name: np.array(values) for name, values in columns.items()})
            store.execute(create)
            found = store.execute(ask).fetchall()
    except duckdb.Error as error:
        found = f"{error}"
    sys.stdout.write(f"{json.dumps(found)}\n")
    sys.stdout.flush()
