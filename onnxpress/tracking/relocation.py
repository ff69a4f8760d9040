"""Relocation of an embedded store: MLflow stores absolute paths, which must follow a moved copy."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
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
COLUMNS = "select m.name, c.name from sqlite_master m, pragma_table_info(m.name) c"


@dataclass(frozen=True)
class Place:
    """A ``file:`` URI that a column of the store holds."""

    table: str
    column: str
    uri: str

    def moved(self, root: str, here: str) -> str:
        """Return the URI below ``here`` instead of ``root``."""
        return here + self.uri.removeprefix(root)


def relocate(database: Path) -> int:
    """Make the paths in an embedded store name the folder beside it; return how many changed.

    An experiment always follows, so that new artefacts go to this folder. A run, model or version
    follows if its files are here, or are no longer in the old place: what a database that was
    copied without its artefacts says of the original's files stays true. Experiments with a place
    of their own keep it. All changes are one transaction; a store that was not moved is only read.

    Raises:
        sqlite3.OperationalError: another program keeps the store locked.
    """
    here = artifact_root(database)
    with closing(sqlite3.connect(database, timeout=LOCKED_SECONDS)) as connection:
        changes = _changes(connection, here)
        with connection:
            for place, uri in changes:
                update = f"update {place.table} set {place.column} = ? where {place.column} = ?"  # noqa: S608 - names of STORED
                connection.execute(update, (uri, place.uri))
    return len(changes)


def _changes(connection: sqlite3.Connection, here: str) -> list[tuple[Place, str]]:
    """Return the places to change, each with its new URI; ``here`` is the store's folder now."""
    existing = STORED.intersection(connection.execute(COLUMNS))  # older schemas have fewer
    places = [place for column in existing for place in places_in(connection, *column)]
    experiments = {place.uri for place in places if place.table == "experiments"}
    roots = {root for uri in experiments if (root := root_of(uri)) and root != here}
    changes = []
    for root in sorted(roots):
        for place in places:
            if not place.uri.startswith(f"{root}/"):
                continue
            uri = place.moved(root, here)
            if place.table == "experiments" or present(uri) or not present(place.uri):
                changes.append((place, uri))
    return changes


def places_in(connection: sqlite3.Connection, table: str, column: str) -> list[Place]:
    """Return each place of the local disk that a column holds."""
    query = f"select distinct {column} from {table} where {column} like 'file:///%'"  # noqa: S608 - names of STORED
    return [Place(table, column, uri) for (uri,) in connection.execute(query)]


def root_of(place: str) -> str:
    """Return the ``mlartifacts`` folder of an experiment's place, empty if it has another form."""
    root, _, _ = place.rpartition("/")
    return root if root.endswith("/mlartifacts") else ""


def place_here(place: str, database: Path) -> str:
    """Return the place that :func:`relocate` gives to an experiment at ``place``."""
    root = root_of(place)
    if not root.startswith("file:///"):
        return place
    return artifact_root(database) + place.removeprefix(root)


def present(place: str) -> bool:
    """Whether a ``file:`` URI names something that exists."""
    path = local_path(place)
    return path is not None and path.exists()
