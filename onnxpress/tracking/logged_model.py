"""The servable model of a run, exactly once, as MLflow 3's logged model or as an artefact folder on a 2.x server."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from mlflow.entities import LoggedModelOutput, LoggedModelStatus
from mlflow.exceptions import MlflowException

from onnxpress.errors import ServerError
from onnxpress.pipeline.files import read_bytes
from onnxpress.pipeline.outputs import QUANTIZED_MODEL
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Schema
from onnxpress.tracking.content import Content
from onnxpress.tracking.preflight import Experiment
from onnxpress.tracking.served_model import save_serving_model

MODEL = "model"
ATTEMPTS = 3
ABSENT = {"ENDPOINT_NOT_FOUND", "NOT_FOUND", "RESOURCE_DOES_NOT_EXIST"}


def ensure_model(
    experiment: Experiment, run_id: str, content: Content, feeds: Feeds, schema: Schema
) -> None:
    """Give the run its model, ``runs:/<run_id>/model``, unless it has it.

    Of several models, which interrupted or simultaneous publishers leave, the oldest ready one stays. Who loses an
    unfinished model to another publisher finds the other's.

    Raises:
        ServerError: other publishers kept removing the model.
    """
    for _ in range(ATTEMPTS):
        try:
            models = models_of(experiment, run_id)
        except MlflowException as error:
            if error.error_code not in ABSENT:
                raise
            log_as_artifacts(
                experiment, run_id, content, feeds, schema
            )  # a 2.x server knows no logged models
            return
        if ready := [model for model in models if model.status == LoggedModelStatus.READY]:
            for other in models:
                if other is not ready[0]:
                    experiment.client.delete_logged_model(other.model_id)
            link(experiment, run_id, ready[0].model_id)
            return
        log_model(experiment, run_id, content, feeds, schema)
    raise ServerError(
        f"other publishers to {experiment.store.public_uri} are in the way; publish again when they are done"
    )


def models_of(experiment: Experiment, run_id: str) -> list[Any]:
    """The logged models that were made for a run, oldest first."""
    found = experiment.client.search_logged_models([experiment.id], f"source_run_id = '{run_id}'")
    return sorted(found, key=lambda model: (model.creation_timestamp, model.model_id))


def log_model(
    experiment: Experiment, run_id: str, content: Content, feeds: Feeds, schema: Schema
) -> None:
    """Make a logged model, upload it, and declare it ready; nothing if another publisher takes it away meanwhile."""
    client, metadata = experiment.client, {"content_digest": content.digest}
    model = client.create_logged_model(
        experiment.id, name=MODEL, source_run_id=run_id, tags=metadata, model_type="onnx"
    )
    try:
        with tempfile.TemporaryDirectory() as folder:
            path, model_bytes = Path(folder, MODEL), read_bytes(QUANTIZED_MODEL)
            save_serving_model(
                path, model_bytes, feeds, schema, metadata, run_id=run_id, model_id=model.model_id
            )
            client.log_model_artifacts(model.model_id, str(path))
        client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    except MlflowException as error:
        if error.error_code not in ABSENT:
            raise


def link(experiment: Experiment, run_id: str, model_id: str) -> None:
    """Show the model among the outputs of the run."""
    outputs = experiment.client.get_run(run_id).outputs
    if not outputs or model_id not in {output.model_id for output in outputs.model_outputs}:
        experiment.client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])


def log_as_artifacts(
    experiment: Experiment, run_id: str, content: Content, feeds: Feeds, schema: Schema
) -> None:
    """Store the model as a folder of the run's artefacts."""
    with tempfile.TemporaryDirectory() as folder:
        path, metadata = Path(folder, MODEL), {"content_digest": content.digest}
        save_serving_model(
            path, read_bytes(QUANTIZED_MODEL), feeds, schema, metadata, run_id=run_id
        )
        experiment.client.log_artifacts(run_id, str(path), MODEL)
