"""The MLflow store: which one, where its files lie, how it is opened without hanging or noise."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onnxpress.credentials.addresses import (
    DATABASES,
    SERVERS,
    Address,
    Unreadable,
    read,
    refuse_unaddressable,
)
from onnxpress.errors import ServerError, UserError
from onnxpress.progress import Say, say_nothing

DEFAULT_URI = "sqlite:///mlflow.db"
EXPECTED = (
    f"publish.tracking_uri (or MLFLOW_TRACKING_URI) should be {DEFAULT_URI} "
    "or the address of an MLflow server such as http://127.0.0.1:5000"
)
PERCENT = "if its user or password has a / ? # @ % or the like, percent-encode it, as in %40 for @"
LOGIN = "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
LOCK_SECONDS = 300.0
"""How long to wait for another publish to an embedded store."""
LOCKED_SECONDS = 5.0
"""How long to wait for another program that has the database locked."""
REQUEST_SECONDS = 8
"""How long a server may be silent.

One more second is added for each MB of the largest file: the server may pass the file on before
it answers.
"""

SETTINGS = {
    # the default, 7 retries with doubling pauses, hangs for minutes; retry.py decides instead
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # "1" does nothing
    # files come and go through a server that passes them on: what it offers instead are addresses
    # of its object store, which this machine need not reach, and which MLflow tries for minutes
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # a bar per file
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # "View run at"
}
"""MLflow's environment, where the user has not set it."""
QUIET = (
    "mlflow.exceptions",  # "Received error code not recognized by MLflow": any word of a server
    "alembic.runtime.migration",  # one line per migration of a new database
    "mlflow.store.db.utils",  # "Creating initial MLflow database tables..."
    "mlflow.store.model_registry.abstract_store",  # "Waiting up to 300 seconds for model version"
    "urllib3.connectionpool",  # "Retrying (JitteredRetry(...)) after connection broken by ..."
)
"""Loggers whose warnings are of no use to anybody here."""


@dataclass(frozen=True)
class Store:
    """A tracking store. ``uri`` is absolute; only that of a database may hold credentials."""

    uri: str = field(repr=False)
    public_uri: str
    """What is printed and stored: scheme, host, port and path."""
    database: Path | None = None
    """The file of an embedded SQLite store."""
    login: tuple[str, str] | None = field(default=None, repr=False)


def resolve_store(tracking_uri: str | None, root: Path) -> Store:
    """Return the store of ``MLFLOW_TRACKING_URI``, else ``tracking_uri``, else root/mlflow.db.

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
    """Refuse what MLflow would never send: a token in the query, or half a login."""
    if address.query or address.fragment:
        raise UserError(f"{EXPECTED}, got one with a query, which MLflow does not send; {LOGIN}")
    if address.login and not all(address.login):
        raise UserError(
            f"{EXPECTED}, got one with half a login, which MLflow does not send; {LOGIN}"
        )


def request_seconds() -> int:
    """Return the time limit of a request in seconds; :func:`configure` has set it."""
    return int(os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"])


def configure(store: Store, files: Iterable[Path] = ()) -> None:
    """Set MLflow's environment where the user has not, and silence its needless warnings.

    ``files`` are those that will be uploaded; the largest decides how long a request may take.
    """
    os.environ["MLFLOW_TRACKING_URI"] = store.uri
    largest_mb = max((path.stat().st_size for path in files), default=0) // 2**20
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(REQUEST_SECONDS + largest_mb))
    use_settings()
    if store.login:
        os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = store.login
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)


def use_settings() -> None:
    """Set :data:`SETTINGS` in MLflow's environment, where the user has not."""
    for key, value in SETTINGS.items():
        os.environ.setdefault(key, value)


@contextmanager
def locked(database: Path, say: Say = say_nothing) -> Iterator[None]:
    """Hold the lock of an embedded store: two first users at once would crash in its migrations.

    Raises:
        ServerError: another publish holds it for longer than :data:`LOCK_SECONDS`.
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
    """Make a new SQLite store under another name and rename it when it is whole.

    A migration that was killed cannot be resumed.

    Raises:
        ServerError: the file exists and is not a SQLite database.
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
    """Whether the SQLite database exists.

    Raises:
        ServerError: the file is something else.
        sqlite3.OperationalError: another program keeps it locked; MLflow would wait far longer.
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
    """Return the ``file:`` address of an embedded store's artefacts, beside its database."""
    return (database.parent / "mlartifacts").as_uri()
