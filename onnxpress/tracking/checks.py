"""What must hold before a run is made: checks in order, each with a time limit.

All of them together may take 10 seconds.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from onnxpress.credentials.addresses import local_path, public
from onnxpress.credentials.endpoints import refuse_endpoints
from onnxpress.errors import ServerError
from onnxpress.tracking.failures import explain, is_foreign
from onnxpress.tracking.relocation import place_here
from onnxpress.tracking.retry import with_retries
from onnxpress.tracking.s3 import identity, limit_waiting
from onnxpress.tracking.store import Store, artifact_root, request_seconds, verify_database
from onnxpress.tracking.time_limit import within

TOTAL_SECONDS = 10.0
HEALTH_SECONDS = 5
"""How long a server may take to answer a question about itself."""
OLDEST_SERVER = (2, 9)
"""The oldest MLflow release that publishing works with."""


@dataclass
class Subject:
    """What is checked, and what the checks found out so far."""

    store: Store
    name: str
    """Of the experiment."""
    make: bool = True
    """Whether to make the experiment if there is none."""
    client: Any = None
    experiment: Any = None
    location: str = ""
    """URI of the folder that the experiment's artefacts go to."""
    until: float | None = None
    """When all checks must be done, in seconds of the monotonic clock; the first check sets it."""

    def check(self, title: str) -> str:
        """Run the check of that title and return in words what it found.

        Raises:
            ServerError: the check failed; with the reason and what to do.
        """
        seconds, work = CHECKS[title]
        try:
            if self.store.database:  # a local file does not hang, and opening it first is slow
                return work(self)
            load_mlflow()
            self.until = self.until or time.monotonic() + TOTAL_SECONDS
            left = min(seconds, self.until - time.monotonic())
            return within(left, lambda: with_retries(lambda: work(self)))
        except Exception as error:
            if not is_foreign(error):
                raise
            artefacts = f"the artefact store {shown(self.location)} of "
            part = "" if title in {"tracking server", "experiment"} else artefacts
            raise ServerError(explain(error, self.store, part)) from error


def load_mlflow() -> None:
    """Import what the checks need, so that a busy machine's import time is not the server's."""
    import mlflow.store.artifact.artifact_repository_registry
    import mlflow.tracking
    import mlflow.utils.rest_utils  # noqa: F401


def tracking_server(subject: Subject) -> str:
    """Check that the server answers and is new enough.

    A proxy may not pass on the paths that say so; that is accepted.

    Raises:
        ServerError: the server is too old.
        Exception: MLflow's or requests' own, if the server does not answer.
    """
    from mlflow.tracking import MlflowClient

    store = subject.store
    if store.database and not verify_database(store.database):
        return f"{store.public_uri} does not exist yet; the first publish makes it"
    subject.client = MlflowClient(store.uri, store.uri)
    if not store.uri.startswith("http"):
        return store.public_uri
    answer = ask(store, "/health")
    if answer.status_code != 404:
        answer.raise_for_status()
    return f"{store.public_uri}, MLflow {_version(store)}"


def _version(store: Store) -> str:
    """Return the server's version, or that it does not tell one.

    Raises:
        ServerError: it is too old.
    """
    answer = ask(store, "/version")
    version = answer.text.strip()
    if not answer.ok or not re.fullmatch(r"\d+(\.\w+)+", version):
        return "of unknown version"
    if tuple(map(int, version.split(".")[:2])) < OLDEST_SERVER:
        raise ServerError(
            f"{store.public_uri} runs MLflow {version}, should be 2.9 or newer; upgrade the server"
        )
    return str(version)


def ask(store: Store, path: str) -> Any:
    """Return the server's response to a GET, whatever its status."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    request: Any = http_request  # these two have no types
    credentials: Any = get_default_host_creds
    once = {"max_retries": 0, "timeout": HEALTH_SECONDS, "raise_on_status": False}
    return request(credentials(store.uri), path, "GET", **once)


def usable_experiment(subject: Subject) -> str:
    """Check that the experiment exists and is not deleted; make it if it is wanted.

    Raises:
        ServerError: it is deleted, or the user may not use it.
    """
    store, name = subject.store, subject.name
    found = _find_experiment(subject) if subject.client is not None else None
    if found is None:
        subject.location = _location_to_be(subject)
        return f"{name}: the first publish makes it"
    if found.lifecycle_stage != "active":
        restore = f"`mlflow experiments restore --experiment-id {found.experiment_id}`"
        raise ServerError(
            f"the experiment {name} is deleted in {store.public_uri}; {restore} brings it back, "
            "or choose another publish.experiment"
        )
    place = str(found.artifact_location)
    subject.experiment = found
    subject.location = place_here(place, store.database) if store.database else place
    return f"{name} (id {found.experiment_id})"


def _find_experiment(subject: Subject) -> Any | None:
    """Return the experiment of that name, made if the subject says so.

    Raises:
        ServerError: the user may not use it.
    """
    from mlflow.exceptions import MlflowException

    try:
        found = subject.client.get_experiment_by_name(subject.name)
        return create_experiment(subject) if found is None and subject.make else found
    except MlflowException as error:
        if error.error_code != "PERMISSION_DENIED":
            raise
        raise ServerError(
            f"{subject.store.public_uri} does not permit you to use the experiment {subject.name}; "
            "ask its owner for EDIT, or choose another publish.experiment"
        ) from error


def _location_to_be(subject: Subject) -> str:
    """Return where the artefacts of an experiment yet to be made will go; empty if unknown."""
    if subject.store.database:
        return artifact_root(subject.store.database)
    return default_location(subject) if subject.client is not None else ""


def create_experiment(subject: Subject) -> Any:
    """Make the experiment; an embedded store keeps its files beside its database."""
    from mlflow.exceptions import MlflowException

    database = subject.store.database
    location = f"{artifact_root(database)}/{folder_name(subject.name)}" if database else None
    try:
        subject.client.create_experiment(subject.name, artifact_location=location)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another publisher was faster
            raise
    return subject.client.get_experiment_by_name(subject.name)


def folder_name(experiment: str) -> str:
    """Return the folder of an experiment's artefacts, which never leads out of the store.

    It is the name in plain letters, or a digest of the name. Windows does not keep names of
    devices and names that end in a dot, so they get a digest too.
    """
    plain = re.sub(r"[^\w.-]", "_", experiment, flags=re.ASCII)
    device = re.match(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", plain, re.IGNORECASE)
    if (
        re.fullmatch(r"\w(.{0,98}[\w-])?", plain)
        and re.search(r"[A-Za-z0-9]", plain)
        and not device
    ):
        return plain
    return f"experiment-{sha256(experiment.encode()).hexdigest()[:12]}"


def default_location(subject: Subject) -> str:
    """Return where a server keeps artefacts, as its first experiment shows; empty without one."""
    from mlflow.exceptions import MlflowException

    try:
        return str(subject.client.get_experiment("0").artifact_location)
    except MlflowException:
        return ""


def s3_identity(subject: Subject) -> str:
    """Check whose credentials write to S3; with proxied artefacts they are the server's.

    Raises:
        ServerError: there are no credentials.
        UserError: a variable for another S3 store holds no plain address.
    """
    if not subject.location.startswith("s3://"):
        scheme = shown(subject.location).partition(":")[0]
        return f"not needed here: artefacts go to {scheme or 'an unknown place'}:"
    refuse_endpoints()
    limit_waiting(request_seconds())
    return identity()


def writable_artifacts(subject: Subject) -> str:
    """Check that a small file can be written to the artefact store and deleted again."""
    if not subject.location:
        return "not tried: the experiment has no place yet"
    folder = local_path(subject.location)
    left = write_locally(folder) if folder else write_remotely(subject.location, subject.store.uri)
    return f"{shown(subject.location)} can be written to{left}"


def shown(location: str) -> str:
    """Return the place of artefacts as it may be shown: a path, or what is public of an address."""
    return public(location) if ":" in location else location


def write_locally(folder: Path) -> str:
    """Write and delete a file in a folder, or where it would be made."""
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    with tempfile.NamedTemporaryFile(prefix="write-test-", dir=nearest) as file:
        file.write(b"can be deleted")
    return ""


def write_remotely(location: str, tracking_uri: str | None = None) -> str:
    """Write and delete a file through MLflow; return what is left if deleting is not permitted."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository: Any = get_artifact_repository(location, tracking_uri=tracking_uri)
    name = f"write-test-{uuid4().hex}"
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder, "can-be-deleted.txt")
        probe.touch()
        repository.log_artifact(str(probe), name)
    try:
        repository.delete_artifacts(name)  # a folder, because 2.x servers cannot delete a file
    except Exception:  # publishing only needs to write
        return f"; deleting is not permitted, so {name} stays"
    return ""


CHECKS: dict[str, tuple[float, Callable[[Subject], str]]] = {
    "tracking server": (7.0, tracking_server),
    "experiment": (7.0, usable_experiment),
    "S3 identity": (7.0, s3_identity),
    "artefact store": (9.0, writable_artifacts),
}
"""Every check by its title, in order, with the seconds it may take."""
