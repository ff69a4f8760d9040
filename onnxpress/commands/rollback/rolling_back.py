"""Give the alias back to the champion before, and write the manifest that serves it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml

from onnxpress.commands.promote.promoting import registered_model
from onnxpress.errors import UserError
from onnxpress.pipeline.console import answering, say
from onnxpress.pipeline.files import write_bytes
from onnxpress.pipeline.outputs import ROLLBACK, SERVING
from onnxpress.pipeline.params import load_params
from onnxpress.pipeline.repository import repository_root
from onnxpress.serving.kserve import as_yaml
from onnxpress.serving.packaging import MANIFEST
from onnxpress.tracking.failures import server_errors
from onnxpress.tracking.preflight import opened
from onnxpress.tracking.store import resolve_store

KEPT = "run `onnxpress rollback` again"


def main(*, in_json: bool = False) -> None:
    """Write the manifest of the champion before, and then move the aliases.

    Raises:
        UserError: no registered model is named, it has had one champion only, or the one before
            has no manifest.
        ServerError: the registry does not answer.
    """
    settings = load_params().publish
    model = registered_model(settings)
    store = resolve_store(settings.tracking_uri, repository_root())
    with answering(in_json=in_json) as answer:
        with server_errors(store, KEPT), opened(store, settings.experiment) as experiment:
            # This imports mlflow, 1.5 s: a wrong address is found before.
            from onnxpress.commands.promote.champion import champions, crown

            client = experiment.client
            champion, before = champions(client, model)
            write_bytes(ROLLBACK, as_yaml(to_all(manifest_of(client, before))))
            crown(client, before, champion)
        answer(
            {
                "model": before.name,
                "champion": before.version,
                "champion_before": champion.version,
                "manifest": ROLLBACK.as_posix(),
            }
        )
        say(f"{before} is the champion again, instead of version {champion.version}")
        say(f"its manifest is {ROLLBACK}: kubectl apply -f {ROLLBACK}")


def manifest_of(client: Any, version: Any) -> dict[str, Any]:
    """Return the manifest that was published with a version.

    Raises:
        UserError: there is none.
    """
    artifact = f"{SERVING.name}/{MANIFEST}"
    found = {each.path for each in client.list_artifacts(version.run_id, SERVING.name)}
    if artifact not in found:
        raise UserError(
            f"{version} has no manifest, because it was published without package.storage_uri; "
            f"set it, and publish the model of run {version.run_id} again"
        )
    with tempfile.TemporaryDirectory() as folder:
        local = Path(client.download_artifacts(version.run_id, artifact, folder))
        return dict(yaml.safe_load(local.read_bytes()))


def to_all(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest for all requests: a canary would leave most to the model that goes."""
    predictor = {**manifest["spec"]["predictor"]}
    predictor.pop("canaryTrafficPercent", None)
    return {**manifest, "spec": {**manifest["spec"], "predictor": predictor}}
