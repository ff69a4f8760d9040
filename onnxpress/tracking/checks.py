"""What must hold before a run is made, one check after the other, each within its time and all within 10 seconds."""

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
from onnxpress.errors import ServerError
from onnxpress.tracking.failures import explain, is_foreign
from onnxpress.tracking.relocation import place_here
from onnxpress.tracking.retry import with_retries
from onnxpress.tracking.s3 import identity, limit_waiting, refuse_endpoints
from onnxpress.tracking.store import Store, artifact_root, request_seconds, verify_database
from onnxpress.tracking.time_limit import within

TOTAL_SECONDS = 10.0
HEALTH_SECONDS = 5
OLDEST_SERVER = (2, 9)


@dataclass
class Subject:
    """What is checked, and what the checks find out for those after them."""

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
    """When all checks have to be done, on the monotonic clock; the first check sets it."""

    def check(self, title: str) -> str:
        """Run the check of that title; what it found, in words.

        Raises:
            ServerError: what failed, why, and what to do.
        """
        seconds, work = CHECKS[title]
        try:
            if (
                self.store.database
            ):  # a local file hangs nowhere, and its first opening may take long
                return work(self)
            load_mlflow()
            self.until = self.until or time.monotonic() + TOTAL_SECONDS
            return within(
                min(seconds, self.until - time.monotonic()),
                lambda: with_retries(lambda: work(self)),
            )
        except Exception as error:
            if not is_foreign(error):
                raise
            part = (
                ""
                if title in {"tracking server", "experiment"}
                else f"the artefact store {shown(self.location)} of "
            )
            raise ServerError(explain(error, self.store, part)) from error


def load_mlflow() -> None:
    """Import what the checks need: on a busy machine that takes seconds, which are not the network's."""
    import mlflow.store.artifact.artifact_repository_registry
    import mlflow.tracking
    import mlflow.utils.rest_utils  # noqa: F401


def tracking_server(subject: Subject) -> str:
    """The server answers and is new enough; paths that a proxy does not pass on are no reason to give up."""
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
    answer = ask(store, "/version")
    version = (
        answer.text.strip()
        if answer.ok and re.fullmatch(r"\d+(\.\w+)+", answer.text.strip())
        else "of unknown version"
    )
    if version[0].isdigit() and tuple(map(int, version.split(".")[:2])) < OLDEST_SERVER:
        raise ServerError(
            f"{store.public_uri} runs MLflow {version}, should be 2.9 or newer; upgrade the server"
        )
    return f"{store.public_uri}, MLflow {version}"


def ask(store: Store, path: str) -> Any:
    """The server's answer to a GET, whatever its status."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    request: Any = http_request  # these two have no types
    credentials: Any = get_default_host_creds
    return request(
        credentials(store.uri),
        path,
        "GET",
        max_retries=0,
        timeout=HEALTH_SECONDS,
        raise_on_status=False,
    )


def usable_experiment(subject: Subject) -> str:
    """The experiment is there (or is made now) and is not deleted."""
    from mlflow.exceptions import MlflowException

    store, name = subject.store, subject.name
    if subject.client is None:
        subject.location = artifact_root(store.database) if store.database else ""
        return f"{name}: the first publish makes it"
    try:
        found = subject.client.get_experiment_by_name(name) or (
            create_experiment(subject) if subject.make else None
        )
    except MlflowException as error:
        if error.error_code != "PERMISSION_DENIED":
            raise
        raise ServerError(
            f"{store.public_uri} does not permit you to use the experiment {name}; ask its owner for EDIT, "
            "or choose another publish.experiment"
        ) from error
    if found is None:
        subject.location = (
            artifact_root(store.database) if store.database else default_location(subject)
        )
        return f"{name}: the first publish makes it"
    if found.lifecycle_stage != "active":
        raise ServerError(
            f"the experiment {name} is deleted in {store.public_uri}; `mlflow experiments restore --experiment-id "
            f"{found.experiment_id}` brings it back, or choose another publish.experiment"
        )
    place = str(found.artifact_location)
    subject.experiment, subject.location = (
        found,
        place_here(place, store.database) if store.database else place,
    )
    return f"{name} (id {found.experiment_id})"


def create_experiment(subject: Subject) -> Any:
    """The new experiment; an embedded store keeps its files beside its database."""
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
    """The folder of an experiment's artefacts, never one above it: its name in plain letters, or a digest of it.

    Names of devices and a dot at the end, which Windows does not keep, are no plain letters.
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
    """Where a server keeps artefacts of experiments yet to be made, as its first experiment shows; unknown without it."""
    from mlflow.exceptions import MlflowException

    try:
        return str(subject.client.get_experiment("0").artifact_location)
    except MlflowException:
        return ""


def s3_identity(subject: Subject) -> str:
    """Whose credentials write to S3; with proxied artefacts that is the server's business."""
    if not subject.location.startswith("s3://"):
        return f"not needed here: artefacts go to {shown(subject.location).partition(':')[0] or 'an unknown place'}:"
    refuse_endpoints()
    limit_waiting(request_seconds())
    return identity()


def writable_artifacts(subject: Subject) -> str:
    """A small file can be written to the artefact store and taken away again."""
    if not subject.location:
        return "not tried: the experiment has no place yet"
    folder = local_path(subject.location)
    left = write_locally(folder) if folder else write_remotely(subject)
    return f"{shown(subject.location)} can be written to{left}"


def shown(location: str) -> str:
    """The place of artefacts as it may be shown: a path as it is, of an address what is public."""
    return public(location) if ":" in location else location


def write_locally(folder: Path) -> str:
    """Write and delete a file in a folder, or where it would be made."""
    nearest = next(place for place in (folder, *folder.parents) if place.is_dir())
    with tempfile.NamedTemporaryFile(prefix="write-test-", dir=nearest) as file:
        file.write(b"can be deleted")
    return ""


def write_remotely(subject: Subject) -> str:
    """Write and delete a file through MLflow; says what is left where deleting is not permitted."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository: Any = get_artifact_repository(subject.location, tracking_uri=subject.store.uri)
    name = f"write-test-{uuid4().hex}"
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder, "can-be-deleted.txt")
        probe.touch()
        repository.log_artifact(str(probe), name)
    try:
        repository.delete_artifacts(name)  # a folder, because 2.x servers cannot delete a file
    except Exception:  # who may write but not delete can publish
        return f"; deleting is not permitted, so {name} stays"
    return ""


CHECKS: dict[str, tuple[float, Callable[[Subject], str]]] = {
    "tracking server": (7.0, tracking_server),
    "experiment": (7.0, usable_experiment),
    "S3 identity": (7.0, s3_identity),
    "artefact store": (9.0, writable_artifacts),
}
"""Every check by its title, in order, with the seconds it may take."""
