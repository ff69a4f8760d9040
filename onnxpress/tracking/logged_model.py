"""The servable model of a run, exactly once.

On MLflow 3 it is a logged model, on a 2.x server a folder among the run's artefacts.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from mlflow.entities import LoggedModelOutput, LoggedModelStatus
from mlflow.exceptions import MlflowException

from onnxpress.errors import ServerError
from onnxpress.reading import read_bytes
from onnxpress.tracking.content import SERVED, Publication
from onnxpress.tracking.preflight import Experiment
from onnxpress.tracking.served_model import save_serving_model

MODEL = "model"
"""The name of the logged model, and of the folder on a 2.x server."""
ATTEMPTS = 3
"""How often a model is made again because another publisher removed it."""
ABSENT = {"ENDPOINT_NOT_FOUND", "NOT_FOUND", "RESOURCE_DOES_NOT_EXIST"}


def ensure_model(experiment: Experiment, run_id: str, publication: Publication) -> None:
    """Give the run its model, ``runs:/<run_id>/model``, unless it has one.

    Interrupted or simultaneous publishes may leave several models: the oldest ready one stays.
    A publisher whose unfinished model is removed by another one finds the other's.

    Raises:
        ServerError: other publishers kept removing the model.
    """
    for _ in range(ATTEMPTS):
        try:
            models = models_of(experiment, run_id)
        except MlflowException as error:
            if error.error_code not in ABSENT:
                raise
            log_as_artifacts(experiment, run_id, publication)  # 2.x has no logged models
            return
        if ready := [model for model in models if model.status == LoggedModelStatus.READY]:
            for other in models:
                if other is not ready[0]:
                    experiment.client.delete_logged_model(other.model_id)
            link(experiment, run_id, ready[0].model_id)
            return
        log_model(experiment, run_id, publication)
    raise ServerError(
        f"other publishers write the same content to {experiment.store.public_uri}; "
        "publish again when they are done"
    )


def models_of(experiment: Experiment, run_id: str) -> list[Any]:
    """Return the logged models that were made for a run, oldest first."""
    found = experiment.client.search_logged_models([experiment.id], f"source_run_id = '{run_id}'")
    return sorted(found, key=lambda model: (model.creation_timestamp, model.model_id))


def log_model(experiment: Experiment, run_id: str, publication: Publication) -> None:
    """Make a logged model, upload it, and declare it ready.

    Nothing comes of it if another publisher removes it meanwhile.
    """
    client = experiment.client
    tags = {"content_digest": publication.content.digest}
    model = client.create_logged_model(
        experiment.id, name=MODEL, source_run_id=run_id, tags=tags, model_type="onnx"
    )
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, MODEL)
            _save(path, publication, run_id=run_id, model_id=model.model_id)
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


def log_as_artifacts(experiment: Experiment, run_id: str, publication: Publication) -> None:
    """Store the model as a folder of the run's artefacts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, MODEL)
        _save(path, publication, run_id=run_id)
        experiment.client.log_artifacts(run_id, str(path), MODEL)


def _save(path: Path, publication: Publication, **identity: Any) -> None:
    """Write the MLflow model of a publication to the new folder ``path``."""
    content = publication.content
    save_serving_model(
        path,
        read_bytes(content.artifacts[SERVED]),
        publication.feeds,
        publication.schema,
        {"content_digest": content.digest},
        **identity,
    )
