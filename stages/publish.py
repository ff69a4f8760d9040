"""Publish parameters, metrics, artefacts and a servable model to MLflow; write outputs/mlflow_run.json."""

from __future__ import annotations

import gc
import re
from collections.abc import Mapping
from typing import Any

from onnxpress.credentials.redaction import scrubbed
from onnxpress.errors import ServerError
from onnxpress.pipeline.console import say, working
from onnxpress.pipeline.files import read_json, write_json
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.pipeline.outputs import GATE, MLFLOW_RUN, TEST
from onnxpress.pipeline.params import Params, load_params
from onnxpress.pipeline.place import repository_root
from onnxpress.pipeline.provenance import provenance_tags, run_name, sweep_name
from onnxpress.pipeline.running import run_stage
from onnxpress.tracking.card import test_data
from onnxpress.tracking.content import Content, read_content, read_measurement, refuse_failed_gates
from onnxpress.tracking.failures import server_errors
from onnxpress.tracking.preflight import opened
from onnxpress.tracking.retry import patiently
from onnxpress.tracking.store import Store, resolve_store


def main() -> None:
    """Find or make the run of this content, complete it, and write the receipt."""
    params = load_params()
    gates = read_json(GATE)
    refuse_failed_gates(gates)
    content = read_content(params)
    store = resolve_store(params.publish.tracking_uri, repository_root())
    with working(f"publishing to {store.public_uri}"):
        run_id, news = _publish(params, store, content, gates)
    receipt = {
        "tracking_uri": store.public_uri,
        "experiment": params.publish.experiment,
        "run_id": run_id,
        "content_digest": content.digest,
    }
    write_json(MLFLOW_RUN, receipt)
    for line in news:
        say(line)
    say(f"in {store.public_uri}")


def _publish(
    params: Params, store: Store, content: Content, gates: Mapping[str, Any]
) -> tuple[str, list[str]]:
    """The id of the run, and in words what was done."""
    measurement, schema = read_measurement(), read_schema()
    rows = read_rows(TEST, schema)
    data = test_data(params.data.source, schema, len(rows))
    with (
        server_errors(store),
        opened(store, params.publish.experiment, content.artifacts.values()) as experiment,
    ):
        from onnxpress.tracking.record import (  # mlflow costs 1.5 s: a wrong address is told before
            Publication,
            publish,
        )
        from onnxpress.tracking.registry import ensure_version
        from onnxpress.tracking.sweep_runs import adopt

        publication = Publication(
            content, measurement, run_name(params), provenance_tags(), rows.feeds, schema, data
        )
        run_id, done = patiently(lambda: publish(experiment, publication))
        refuse_strange(run_id, store)
        news = [f"{done}: run {run_id} of experiment {params.publish.experiment}"]
        if experiment.moved_paths:
            news.append(
                f"the store has moved: {experiment.moved_paths} paths in it now lead to artefacts beside it"
            )
        if sweep := sweep_name():
            patiently(lambda: adopt(experiment, run_id, sweep))
        if name := params.publish.registered_model:
            news.insert(
                0,
                patiently(lambda: ensure_version(experiment, name, run_id, content.digest, gates)),
            )
    return run_id, news


def refuse_strange(run_id: str, store: Store) -> None:
    """See that what a server calls the id of a run is one: it is stored in outputs/, which git keeps.

    Raises:
        ServerError: it is not, or a secret comes with it.
    """
    if not re.fullmatch(r"[\w-]{1,64}", run_id, re.ASCII) or scrubbed(run_id) != run_id:
        raise ServerError(
            f"{store.public_uri} gives a run an id that MLflow never does, so it is not stored; check the server"
        )


if __name__ == "__main__":
    gc.disable()  # a short process: looking for garbage while MLflow is imported costs a fifth of its time
    run_stage("publish", main)
