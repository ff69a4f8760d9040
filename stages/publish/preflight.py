"""Everything that can be known to fail before a run is made: server, credentials, experiment, artefact store."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar
from uuid import uuid4

from stages.common.errors import ServerError
from stages.publish.store import Store, artifact_root, configure, create_database, locked

T = TypeVar("T")

PREFLIGHT_SECONDS = 10.0
HEALTH_SECONDS = 5


@dataclass(frozen=True)
class Experiment:
    """An MLflow experiment that was found ready to be written to."""

    client: Any
    id: str
    store: Store


@contextmanager
def opened(store: Store, experiment: str) -> Iterator[Experiment]:
    """The experiment of that name, made if need be. An embedded store is locked meanwhile.

    Raises:
        ServerError: the experiment is deleted, or another publish holds the embedded store.
        TimeoutError: a server did not prove itself within ``PREFLIGHT_SECONDS``.
    """
    configure(store)
    if store.database is None:
        yield within(PREFLIGHT_SECONDS, lambda: preflight(store, experiment))
        return
    with locked(store.database):
        create_database(store.database)
        yield preflight(store, experiment)


def preflight(store: Store, name: str) -> Experiment:
    """Open the experiment ``name`` and prove that its artefact store takes files.

    Raises:
        ServerError: the experiment is deleted.
    """
    from mlflow.tracking import MlflowClient

    if store.uri.startswith("http"):
        check_health(store)
    client = MlflowClient(store.uri)
    experiment = client.get_experiment_by_name(name) or create_experiment(client, store, name)
    if experiment.lifecycle_stage != "active":
        raise ServerError(
            f"the experiment {name} is deleted in {store.public_uri}; `mlflow experiments restore --experiment-id "
            f"{experiment.experiment_id}` brings it back, or choose another publish.experiment"
        )
    check_artifacts(experiment.artifact_location, store)
    return Experiment(client, experiment.experiment_id, store)


def check_health(store: Store) -> None:
    """Ask the server once whether it is there; paths that a proxy does not pass on are no reason to give up."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    ask: Any = http_request  # these two have no types
    credentials: Any = get_default_host_creds
    answer = ask(credentials(store.uri), "/health", "GET", max_retries=0, timeout=HEALTH_SECONDS, raise_on_status=False)
    if answer.status_code != 404:
        answer.raise_for_status()


def create_experiment(client: Any, store: Store, name: str) -> Any:
    """The new experiment ``name``; an embedded store keeps its files beside its database."""
    from mlflow.exceptions import MlflowException

    folder = re.sub(r"[^\w.-]", "_", name)
    location = f"{artifact_root(store.database)}/{folder}" if store.database else None
    try:
        client.create_experiment(name, artifact_location=location)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another publisher was faster
            raise
    return client.get_experiment_by_name(name)


def check_artifacts(location: str, store: Store) -> None:
    """Write a small file to the artefact store and take it away again."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository: Any = get_artifact_repository(location, tracking_uri=store.uri)
    name = f"write-test-{uuid4().hex}"
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder, "can-be-deleted.txt")
        probe.touch()
        repository.log_artifact(str(probe), name)
    with suppress(Exception):  # who may write but not delete can publish
        repository.delete_artifacts(name)  # a folder, because 2.x servers cannot delete a file


def within(seconds: float, work: Callable[[], T]) -> T:
    """The result of ``work``, whatever hangs in it (name resolution knows no time limit of its own).

    Raises:
        TimeoutError: after ``seconds``; the work goes on in a daemon thread, which ends with the process.
    """
    results: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:  # raised again in the caller's thread
            errors.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    for error in errors:
        raise error
    if not results:
        raise TimeoutError(f"timed out after {seconds:g} s")
    return results[0]
