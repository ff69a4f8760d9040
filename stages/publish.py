"""Publish parameters, metrics, artefacts and a servable model to MLflow; upload what is served.

Run as ``python -m stages.publish``; writes outputs/mlflow_run.json.
"""

from __future__ import annotations

import gc

from onnxpress.errors import GateFailed
from onnxpress.gates import failed_gates
from onnxpress.pipeline.console import say, working
from onnxpress.pipeline.files import read_json, write_json
from onnxpress.pipeline.outputs import GATE, MLFLOW_RUN
from onnxpress.pipeline.params import load_params
from onnxpress.pipeline.provenance import sweep_name
from onnxpress.pipeline.publication import read_publication, upload_repository
from onnxpress.pipeline.repository import repository_root
from onnxpress.pipeline.running import run_stage
from onnxpress.tracking.failures import server_errors
from onnxpress.tracking.publishing import Destination, publish
from onnxpress.tracking.store import resolve_store

KEPT = "everything in outputs/ is kept, `dvc repro` then runs publish alone"


def main() -> None:
    """Find or make the run of this content, complete it, and write the receipt."""
    params = load_params()
    settings, gates = params.publish, read_json(GATE)
    if broken := failed_gates(gates):  # the gate stage was passed over: `dvc repro --single-item`
        raise GateFailed(
            f"{GATE} says that these limits are broken: {', '.join(broken)}; "
            "nothing was published, see `dvc repro`"
        )
    publication = read_publication(params)
    store = resolve_store(settings.tracking_uri, repository_root())
    news = upload_repository(params.package.storage_uri, KEPT)
    place = Destination(settings.experiment, sweep_name(), settings.registered_model)
    with working(f"publishing to {store.public_uri}"), server_errors(store, KEPT):
        published = publish(store, place, publication, gates, say)
    receipt = {
        "tracking_uri": store.public_uri,
        "experiment": settings.experiment,
        "run_id": published.run_id,
        "content_digest": publication.content.digest,
    }
    write_json(MLFLOW_RUN, receipt)
    for line in (*news, *published.news, f"in {store.public_uri}"):
        say(line)


if __name__ == "__main__":
    gc.disable()  # a collection while MLflow is imported costs a fifth of this short process
    run_stage("publish", main)
