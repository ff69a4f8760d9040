"""An embedded store that was moved or copied with its repository: MLflow stores absolute paths, which must follow it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from onnxpress.credentials.addresses import local_path
from onnxpress.tracking.store import LOCKED_SECONDS, artifact_root

STORED = {
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
}
"""Tables and columns of MLflow's schema that hold absolute places of artefacts."""


def follow(database: Path) -> int:
    """Make the paths in an embedded store lead to the folder beside it; how many were changed.

    New artefacts then go there in any case. A run, model or version follows where its files are there, or are gone from
    the old place: what a copied database without its artefacts knows of the original's stays true. All happens in one
    transaction, and a store that was not moved is only read. Experiments that were made with a place of their own keep it.

    Raises:
        sqlite3.OperationalError: another program does not let go of the store.
    """
    here = artifact_root(database)
    with closing(sqlite3.connect(database, timeout=LOCKED_SECONDS)) as connection:
        columns = connection.execute(
            "select m.name, c.name from sqlite_master m, pragma_table_info(m.name) c"
        )
        stored = STORED.intersection(columns)  # a store of an older MLflow is told elsewhere
        places = [place for column in stored for place in places_in(connection, *column)]
        experiments = {place for table, _, place in places if table == "experiments"}
        roots = {root for place in experiments if (root := root_of(place)) and root != here}
        moved = [
            (table, column, place, here + place.removeprefix(root))
            for root in sorted(roots)
            for table, column, place in places
            if place.startswith(f"{root}/")
        ]
        changes = [
            change
            for change in moved
            if change[0] == "experiments" or present(change[3]) or not present(change[2])
        ]
        with connection:
            for table, column, old, new in changes:
                connection.execute(
                    f"update {table} set {column} = ? where {column} = ?", (new, old)
                )  # noqa: S608 - of STORED
    return len(changes)


def places_in(
    connection: sqlite3.Connection, table: str, column: str
) -> list[tuple[str, str, str]]:
    """Table, column and each place of the local disk that the column holds."""
    found = connection.execute(
        f"select distinct {column} from {table} where {column} like 'file:///%'"
    )  # noqa: S608 - of STORED
    return [(table, column, place) for (place,) in found]


def root_of(place: str) -> str:
    """The ``mlartifacts`` folder of an experiment's place as publish makes it, empty for any other place."""
    root, _, _ = place.rpartition("/")
    return root if root.endswith("/mlartifacts") else ""


def place_here(place: str, database: Path) -> str:
    """Where :func:`follow` takes an experiment's place to."""
    root = root_of(place)
    return (
        artifact_root(database) + place.removeprefix(root) if root.startswith("file:///") else place
    )


def present(place: str) -> bool:
    """Whether there is something at a ``file:`` URI."""
    path = local_path(place)
    return path is not None and path.exists()
