"""Model repositories where clusters read them: uploaded once for each content.

MLflow's clients of artefact stores do the work, so s3:, gs: and folders need the credentials and
variables that artefacts need. The marker is written last, after every file was read back, so a
repository with a marker is whole; one without is completed by the next publish.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from onnxpress.credentials.addresses import local_path
from onnxpress.credentials.endpoints import refuse_endpoints
from onnxpress.errors import ServerError
from onnxpress.serving.packaging import DIGEST
from onnxpress.serving.repository import digest_file
from onnxpress.tracking.checks import load_mlflow, write_locally, write_remotely
from onnxpress.tracking.failures import explain, is_foreign
from onnxpress.tracking.retry import with_retries
from onnxpress.tracking.s3 import limit_waiting
from onnxpress.tracking.store import REQUEST_SECONDS, Store, use_settings
from onnxpress.tracking.time_limit import within

MARKER = DIGEST
"""Beside the model's folder; Triton takes folders only for models."""
CHECK_SECONDS = 4.0
"""How long the store may take to keep a small file and to delete it."""


def upload_once(storage: str, digest: str, files: Mapping[str, bytes]) -> str:
    """Make sure that the folder ``digest`` below ``storage`` holds ``files``; say what was done.

    ``files`` are the bytes by path.

    Raises:
        ServerError: the store did not keep what it was given.
        Exception: the store's own, if it fails.
    """
    place, marker = f"{storage}/{digest}", digest_file(digest)
    largest_mb = max(map(len, files.values())) // 2**20
    _prepare(storage, REQUEST_SECONDS + largest_mb)
    store = _client(place)
    if with_retries(lambda: _read(store, MARKER)) == marker:
        return f"the model repository is already at {place}"
    for path, data in files.items():
        _put(store, path, data)
    for path, data in files.items():
        if with_retries(partial(_read, store, path)) != data:
            raise ServerError(f"{place} did not keep {path} as it was uploaded; publish again")
    _put(store, MARKER, marker)
    return f"the model repository was uploaded to {place}"


def check_place(storage: str) -> str:
    """Check that a small file can be written to the folder ``storage``; it is deleted again.

    Raises:
        ServerError: it cannot; with the reason and what to do.
        UserError: a variable for another S3 store holds no plain address.
    """
    folder = local_path(storage)
    try:
        if folder:
            left = write_locally(folder)
        else:
            load_mlflow()
            _prepare(storage, CHECK_SECONDS)
            left = within(CHECK_SECONDS, lambda: with_retries(lambda: write_remotely(storage)))
    except Exception as error:
        if not is_foreign(error):
            raise
        raise ServerError(
            explain(error, Store(storage, storage), "package.storage_uri: ")
        ) from error
    return f"{storage} can be written to{left}"


def _prepare(storage: str, seconds: float) -> None:
    """Let clients of the store give up after ``seconds`` without an answer."""
    use_settings()
    if storage.startswith("s3://"):
        refuse_endpoints()
        limit_waiting(seconds)


def _client(place: str) -> Any:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(place)


def _read(store: Any, path: str) -> bytes | None:
    """Return the bytes of a file in the store, None if it is not there."""
    folder, _, _ = path.rpartition("/")
    if path not in {each.path for each in store.list_artifacts(folder or None)}:
        return None
    with tempfile.TemporaryDirectory() as local:
        return Path(store.download_artifacts(path, local)).read_bytes()


def _put(store: Any, path: str, data: bytes) -> None:
    """Write a file into the store, whether it is there or not."""
    folder, _, name = path.rpartition("/")
    with tempfile.TemporaryDirectory() as local:
        file = Path(local, name)
        file.write_bytes(data)
        with_retries(lambda: store.log_artifact(str(file), folder or None))
