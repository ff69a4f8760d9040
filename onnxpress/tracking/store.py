"""The MLflow store: which one, where its files lie, and how it is opened without hanging or noise."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onnxpress.credentials.addresses import DATABASES, SERVERS, Address, Unreadable, read
from onnxpress.errors import ServerError, UserError
from onnxpress.pipeline.console import say
from onnxpress.pipeline.place import refuse_unaddressable

DEFAULT_URI = "sqlite:///mlflow.db"
EXPECTED = (
    f"publish.tracking_uri (or MLFLOW_TRACKING_URI) should be {DEFAULT_URI} or the address of an MLflow server "
    "such as http://127.0.0.1:5000"
)
PERCENT = "if its user or password has a / ? # @ % or the like, percent-encode it, as in %40 for @"
LOGIN = "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
LOCK_SECONDS = 300.0
LOCKED_SECONDS = 5.0

REQUEST_SECONDS = 8
"""How long a server may be silent; and one more second per MB of the largest file, which it may pass on before it answers."""

SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # the default, 7 with doubling pauses, hangs for minutes; see patience.py
    "MLFLOW_DISABLE_TELEMETRY": "true",  # "1" does nothing
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # a bar per file
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # "View run at"
}
QUIET = (
    "mlflow.exceptions",  # "Received error code not recognized by MLflow", which is whatever the server says
    "alembic.runtime.migration",  # one line per migration of a new database
    "mlflow.store.db.utils",  # "Creating initial MLflow database tables..."
    "mlflow.store.model_registry.abstract_store",  # "Waiting up to 300 seconds for model version to finish creation."
    "urllib3.connectionpool",  # "Retrying (JitteredRetry(...)) after connection broken by ..."
)


@dataclass(frozen=True)
class Store:
    """A tracking store. ``uri`` is absolute; for HTTP it holds no credentials, for databases it may."""

    uri: str = field(repr=False)
    public_uri: str
    """What is printed and stored: scheme, host, port and path."""
    database: Path | None = None
    """The file of an embedded SQLite store."""
    login: tuple[str, str] | None = field(default=None, repr=False)


def resolve_store(tracking_uri: str | None, root: Path) -> Store:
    """The store of ``MLFLOW_TRACKING_URI``, else ``tracking_uri``, else mlflow.db in ``root``.

    Raises:
        UserError: the address cannot be read, or MLflow has no store of that kind.
    """
    uri = (os.environ.get("MLFLOW_TRACKING_URI") or tracking_uri or DEFAULT_URI).strip()
    try:
        address = read(uri)
    except Unreadable as error:
        raise UserError(f"{EXPECTED}, got one that cannot be read ({error}); {PERCENT}") from error
    if address.kind == "sqlite" and address.path not in {"/", "/:memory:"}:
        return _embedded(root / address.path[1:])
    if address.kind not in SERVERS | DATABASES or not address.host:
        raise UserError(f"{EXPECTED}, got one that begins with {address.scheme}:")
    if address.kind in SERVERS:
        _refuse_lost(address)
        uri = f"{address.scheme}://{address.host}{address.place}".rstrip("/")
        return Store(uri, address.public.rstrip("/"), login=address.login)
    return Store(uri, address.public.rstrip("/"))


def _embedded(database: Path) -> Store:
    refuse_unaddressable(database)
    return Store(f"sqlite:///{database}", f"sqlite:///{database}", database)


def _refuse_lost(address: Address) -> None:
    """Refuse what MLflow would never send: a token in the query, or a login of which a part is missing."""
    if address.query or address.fragment:
        raise UserError(f"{EXPECTED}, got one with a query, which MLflow does not send; {LOGIN}")
    if address.login and not all(address.login):
        raise UserError(
            f"{EXPECTED}, got one with half a login, which MLflow does not send; {LOGIN}"
        )


def request_seconds() -> int:
    """The time limit of a request, once :func:`configure` was called."""
    return int(os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"])


def configure(store: Store, files: Iterable[Path] = ()) -> None:
    """Set MLflow's environment, as far as the user has not, and silence what it says to nobody's use."""
    os.environ["MLFLOW_TRACKING_URI"] = store.uri
    largest_mb = max((path.stat().st_size for path in files), default=0) // 2**20
    for key, value in {
        **SETTINGS,
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(REQUEST_SECONDS + largest_mb),
    }.items():
        os.environ.setdefault(key, value)
    if store.login:
        os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = store.login
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Hold the lock of an embedded store: two first users at once would crash in its migrations.

    Raises:
        ServerError: another publish holds it for too long.
    """
    from filelock import FileLock, Timeout

    database.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{database}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("waiting for another publish to this store")
        try:
            lock.acquire(timeout=LOCK_SECONDS)
        except Timeout as error:
            raise ServerError(
                f"another publish has held {lock.lock_file} for {LOCK_SECONDS:g} s; end it"
            ) from error
    try:
        yield
    finally:
        lock.release()


def create_database(database: Path) -> None:
    """Make a new SQLite store beside its place and move it there whole: a killed migration cannot be resumed.

    Raises:
        ServerError: there is a file in its place that is no SQLite database.
    """
    if verify_database(database):
        return
    from mlflow.store.tracking import sqlalchemy_store

    make: Any = sqlalchemy_store.SqlAlchemyStore  # has no types
    unfinished = database.with_name(f"{database.name}.new")
    unfinished.unlink(missing_ok=True)
    make(f"sqlite:///{unfinished}", artifact_root(database)).engine.dispose()
    unfinished.replace(database)


def verify_database(database: Path) -> bool:
    """Whether there is a SQLite database in that place.

    Raises:
        ServerError: there is another file.
        sqlite3.OperationalError: another program does not let go of it, which MLflow would wait for much longer.
    """
    if not database.exists() or not database.stat().st_size:
        return False
    with database.open("rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            raise ServerError(
                f"{database} should be a SQLite database but is not; move it away and publish again"
            )
    with closing(sqlite3.connect(database, timeout=LOCKED_SECONDS)) as connection:
        connection.execute("begin immediate")
    return True


def artifact_root(database: Path) -> str:
    """The folder of an embedded store's artefacts, beside its database."""
    return (database.parent / "mlartifacts").as_uri()
