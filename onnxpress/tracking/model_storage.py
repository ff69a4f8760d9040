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

from onnxpress.errors import ServerError
from onnxpress.serving.packaging import DIGEST
from onnxpress.serving.repository import digest_file
from onnxpress.tracking.retry import with_retries
from onnxpress.tracking.s3 import limit_waiting, refuse_endpoints
from onnxpress.tracking.store import REQUEST_SECONDS, use_settings

MARKER = DIGEST
"""Beside the model's folder; Triton takes folders only for models."""


def upload_once(storage: str, digest: str, files: Mapping[str, bytes]) -> str:
    """Make sure that the folder ``digest`` below ``storage`` holds ``files``; say what was done.

    ``files`` are the bytes by path.

    Raises:
        ServerError: the store did not keep what it was given.
        Exception: the store's own, if it fails.
    """
    place, marker = f"{storage}/{digest}", digest_file(digest)
    use_settings()
    if storage.startswith("s3://"):
        refuse_endpoints()
        largest_mb = max(map(len, files.values())) // 2**20
        limit_waiting(REQUEST_SECONDS + largest_mb)
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
