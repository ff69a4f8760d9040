"""What a store holds of one experiment, as MLflow's own client sees it."""

from __future__ import annotations

from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from tests.support.publish_fixtures import LATENCY, METRICS, SWEEP


def runs_of(uri: str, experiment: str) -> list[Any]:
    """All runs of an experiment, none if there is no such experiment."""
    client = MlflowClient(uri)
    found = client.get_experiment_by_name(experiment)
    return list(client.search_runs([found.experiment_id])) if found else []


def assert_whole(uri: str, experiment: str) -> Any:
    """There is one run, with all its content, one model, and one measurement; that run."""
    client = MlflowClient(uri)
    (run,) = runs_of(uri, experiment)
    models = client.search_logged_models([run.info.experiment_id])
    assert (run.info.status, run.data.tags["complete"]) == ("FINISHED", "true")
    assert run.data.metrics == pytest.approx({**METRICS, **LATENCY, **SWEEP})
    assert len(run.inputs.dataset_inputs) == 1
    assert len(client.get_metric_history(run.info.run_id, "onnx_latency_ms")) == 1
    assert [(model.status.name, model.source_run_id) for model in models] == [
        ("READY", run.info.run_id)
    ]
    assert [output.model_id for output in run.outputs.model_outputs] == [models[0].model_id]
    assert len(client.list_artifacts(run.info.run_id)) >= 10
    return run
