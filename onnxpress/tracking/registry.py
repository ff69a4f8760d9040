"""The gated model as a version of a registered model: one per content, alias ``candidate``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlflow.exceptions import MlflowException

from onnxpress.tracking.logged_model import ABSENT, MODEL, models_of
from onnxpress.tracking.preflight import Experiment

CANDIDATE = "candidate"
DIGEST = "content_digest"


def ensure_version(
    experiment: Experiment, name: str, run_id: str, digest: str, gates: Mapping[str, Any]
) -> str:
    """Give the registered model ``name`` a version of this content, unless it has one.

    Of two publishers at once, the older version stays. The alias moves to this content's version
    in any case. Return in words what was found or done.
    """
    client = experiment.client
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    version, news = find_version(client, name, digest), "already version"
    tags = {DIGEST: digest, **gate_tags(gates)}
    if version is None:
        source = source_of(experiment, run_id)
        mine = client.create_model_version(name, run_id=run_id, tags=tags, **source)
        version, news = find_version(client, name, digest) or mine, "registered as version"
        if str(version.version) != str(mine.version):
            client.delete_model_version(name, mine.version)
    for key, value in tags.items():
        if version.tags.get(key) != value:  # the gates were applied to a new latency measurement
            client.set_model_version_tag(name, version.version, key, value)
    client.set_registered_model_alias(name, CANDIDATE, version.version)
    return f"{news} {version.version} of {name}, alias {CANDIDATE}"


def find_version(client: Any, name: str, digest: str) -> Any | None:
    """Return the oldest version of a content."""
    found: list[Any] = []
    query, page = f"name = {quoted(name)}", None
    while page is None or page.token:
        page = client.search_model_versions(query, page_token=page and page.token)
        found += [version for version in page if version.tags.get(DIGEST) == digest]
    return min(found, key=lambda version: int(version.version), default=None)


def quoted(name: str) -> str:
    """Return a name as MLflow's search reads it.

    The search knows two kinds of quotes and no escape; the params refuse a name with both.
    """
    return f'"{name}"' if "'" in name else f"'{name}'"


def source_of(experiment: Experiment, run_id: str) -> dict[str, str]:
    """Return where the version's files are.

    They are those of the run's logged model, on a 2.x server a folder of its artefacts.
    """
    try:
        (model,) = models_of(experiment, run_id)
    except MlflowException as error:
        if error.error_code not in ABSENT:
            raise
        return {"source": f"{experiment.client.get_run(run_id).info.artifact_uri}/{MODEL}"}
    return {"source": f"models:/{model.model_id}", "model_id": model.model_id}


def gate_tags(gates: Mapping[str, Any]) -> dict[str, str]:
    """Return gate.json as tags, such as ``gate.max_size_ratio: passed, 0.26 (limit 1)``."""
    tags = {}
    for name, gate in gates.items():
        if gate["limit"] is None:
            tags[f"gate.{name}"] = "off"
        elif gate["passed"] is None:
            tags[f"gate.{name}"] = f"not judged, too few test rows (limit {gate['limit']:.4g})"
        else:
            unsure = ", too few rows to tell" if gate.get("too_few_rows") else ""
            found = f"{gate['value']:.4g} (limit {gate['limit']:.4g})"
            tags[f"gate.{name}"] = f"passed, {found}{unsure}"
    return tags
