"""Everything that is handed to an operator: the repository, the manifest, the page, the digest."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import onnx

from onnxpress.errors import UserError
from onnxpress.serving.drift_component import PROFILE as DRIFT_PROFILE
from onnxpress.serving.drift_component import SAFE_FROM, component_files, trace_options
from onnxpress.serving.kserve import Resources, as_yaml, inference_service
from onnxpress.serving.monitoring.files import monitoring_files
from onnxpress.serving.monitoring.watched import Watched
from onnxpress.serving.operator_page import Served, operator_page
from onnxpress.serving.repository import content_digest, digest_file, repository_files
from onnxpress.serving.signature import inputs_of, outputs_of
from onnxpress.serving.triton import LATENCIES, Batching
from onnxpress.serving.triton_releases import ONNXRUNTIMES, releases_for
from onnxpress.tables.schema import Schema
from onnxpress.text import json_text

REPOSITORY, MANIFEST, PAGE, DIGEST = "repository", "kserve.yaml", "README.md", "digest.json"
MONITORING = "monitoring"
"""What is in the folder; the manifest only if it is known where the repository will be."""


@dataclass(frozen=True)
class Deployment:
    """How a model is deployed."""

    name: str
    batching: Batching
    resources: Resources
    storage_uri: str | None = None
    """The folder, s3:, gs: or file:, below which each repository has one by its digest."""
    canary_percent: int | None = None
    p99_ms: int = 100
    """How long 99 of 100 requests may take inside a server; above it an alert fires."""
    drift_every: int | None = None
    """One request in so many is counted for the drift metrics; None: there are none."""

    @property
    def options(self) -> list[str]:
        """The options of tritonserver that the package needs beside its repository's place."""
        return [LATENCIES, *(trace_options(self.drift_every) if self.drift_every else [])]


def packaged(
    model: bytes,
    schema: Schema,
    profile: Mapping[str, Any],
    deployment: Deployment,
    oldest_onnxruntime: str,
    bad_onnxruntime: Collection[str],
) -> dict[str, bytes]:
    """Return all files by their paths; the same arguments give the same bytes.

    Raises:
        UserError: a server cannot form batches for this graph, or no release of Triton runs it but
            a manifest is wanted.
    """
    parsed, name = onnx.load_from_string(model), deployment.name
    repository = repository_files(model, name, deployment.batching)
    if deployment.drift_every:
        repository |= component_files(name, profile_file(profile), deployment.drift_every)
    digest = content_digest(repository)
    storage = deployment.storage_uri and f"{deployment.storage_uri}/{digest}"
    releases = releases_for(oldest_onnxruntime, bad_onnxruntime)
    if deployment.drift_every:
        releases = [release for release in releases if release >= SAFE_FROM]
    page = Served(
        name=name,
        digest=digest,
        inputs=inputs_of(parsed),
        outputs=outputs_of(parsed),
        schema=schema,
        max_batch_size=deployment.batching.max_batch_size,
        storage=storage,
        oldest_onnxruntime=oldest_onnxruntime,
        bad_onnxruntime=sorted(bad_onnxruntime),
        triton_releases=releases,
        options=deployment.options,
    )
    files = {f"{REPOSITORY}/{path}": data for path, data in repository.items()}
    files |= {PAGE: operator_page(page).encode(), DIGEST: digest_file(digest)}
    files[DRIFT_PROFILE] = profile_file(profile)
    watched = Watched(
        name,
        deployment.p99_ms,
        on_kserve=storage is not None,
        drift=deployment.drift_every is not None,
    )
    files |= {f"{MONITORING}/{path}": data for path, data in monitoring_files(watched).items()}
    if storage:
        files[MANIFEST] = as_yaml(_manifest(deployment, storage, releases, oldest_onnxruntime))
    return files


def profile_file(profile: Mapping[str, Any]) -> bytes:
    """Return the bytes of ``drift_profile.json``: an entry per line, so that diffs show it."""
    parts = []
    for key in sorted(profile):
        value = profile[key]
        if isinstance(value, list):
            lines = [json_text(each, indent=None) for each in value]
            parts.append(f'"{key}": [\n' + ",\n".join(lines) + "\n]")
        else:
            parts.append(f'"{key}": {json_text(value, indent=None)}')
    return ("{" + ",\n".join(parts) + "}\n").encode()


def _manifest(
    deployment: Deployment, storage: str, releases: list[str], oldest: str
) -> dict[str, object]:
    """Return the manifest with the newest release of Triton that runs the model.

    Raises:
        UserError: there is none.
    """
    if not releases:
        raise UserError(
            f"no release of Triton up to {next(reversed(ONNXRUNTIMES))} has onnxruntime {oldest}, "
            "which the quantised model needs; lower convert.target_opset, or set quantize.ml_opset "
            "to 3"
        )
    return inference_service(
        deployment.name,
        storage,
        releases[-1],
        deployment.resources,
        deployment.canary_percent,
        deployment.options,
    )
