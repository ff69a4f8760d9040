"""The last step: hold what was published against the original, from the server's copy alone.

Run as ``python -m kubeflow.verify_model`` with a JSON object of the arguments of :func:`main`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from kubeflow.step import run_step
from kubeflow.tracking_server import tracking_server
from kubeflow.working_copy import working_copy
from onnxpress.errors import GateFailed
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.agreement import count_disagreeing
from onnxpress.evaluate.metrics import in_unit_of_target
from onnxpress.models import QUANTIZED
from onnxpress.pipeline import outputs as files
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import read_bytes, read_json, read_numbers, write_json
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.pipeline.params import load_params
from onnxpress.pipeline.trained_model import load_trained
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.schema import Schema
from onnxpress.tracking.failures import server_errors
from onnxpress.tracking.store import Store, configure

MODEL = "model"
"""The name of the servable model in its run."""
ROUNDED = 1e-5
"""metrics.json has six digits."""


def main(*, outputs: str, tracking_uri: str, endpoint: str, metrics: str) -> None:
    """Load the published model and compare its predictions for the test rows.

    Args:
        outputs: folder that :mod:`kubeflow.run_chain` has handed out.
        tracking_uri: the MLflow server; if empty, that of ``MLFLOW_TRACKING_URI``.
        endpoint: URL of a server of the Open Inference Protocol to verify too; empty for none.
        metrics: JSON file to be made.

    Raises:
        GateFailed: the published model is another one, or predicts something else than was proved.
        ServerError: the tracking server fails, or has no such model.
        UserError: an argument is wrong.
    """
    folder, store = Path(outputs).resolve(), tracking_server(tracking_uri)
    with working_copy():
        shutil.copytree(folder, ".", dirs_exist_ok=True)
        found = verify(store)
        if endpoint:
            verify_endpoint(endpoint)
    write_json(Path(metrics), found)


def verify(store: Store) -> dict[str, float]:
    """Compare the published model with the original and with what the chain found.

    Raises:
        GateFailed: they differ.
        ServerError: the server fails, or has no such model.
    """
    params, schema = load_params(), read_schema()
    test = read_rows(files.TEST, schema)
    run_id = read_json(files.MLFLOW_RUN, "run_id")["run_id"]
    with tempfile.TemporaryDirectory() as place:
        model, served = downloaded(store, run_id, Path(place), schema)
    if model != read_bytes(files.QUANTIZED_MODEL):
        raise GateFailed(f"run {run_id} holds another model than the chain has made")
    answered = predict_onnx(open_session(model), test.feeds)
    if not np.array_equal(served, answered.values.ravel(), equal_nan=schema.task == "regression"):
        raise GateFailed(f"the model of run {run_id} predicts otherwise when MLflow serves it")
    original = predict_original(
        load_trained(schema, params.train.trusted), test.feeds, schema=schema
    )
    limit = in_unit_of_target(params.evaluate.tolerance, schema)
    others = count_disagreeing(schema.task, original, answered, limit)
    agreement = 1 - others / len(test)
    what = "agreement" if schema.task == "classification" else "within_tolerance"
    proved = read_numbers(files.METRICS)[f"{QUANTIZED}_{what}"]
    if abs(agreement - proved) > ROUNDED:
        raise GateFailed(
            f"the model of run {run_id} predicts {agreement:.6g} of the test rows as the original "
            f"does, the chain has found {proved:.6g}"
        )
    say(f"run {run_id} predicts {len(test) - others} of {len(test)} test rows as the original does")
    return {"published_agreement": agreement, "chain_agreement": proved, "test_rows": len(test)}


def downloaded(store: Store, run_id: str, folder: Path, schema: Schema) -> tuple[bytes, Any]:
    """Download the model of a run; return its ONNX bytes and its predictions for raw test rows.

    Raises:
        ServerError: the server fails, or has no such model.
    """
    import pandas as pd

    with server_errors(store, "nothing was verified"):
        # through the server, as it was published: a presigned address may be one that only the
        # server reaches, and MLflow tries it for minutes
        os.environ.setdefault("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")
        configure(store)
        import mlflow

        uri = f"runs:/{run_id}/{MODEL}"
        path = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder)))
        model = mlflow.pyfunc.load_model(str(path))
    rows = pd.read_parquet(files.TEST)[[column.name for column in schema.columns]].astype(object)
    answer = model.predict(rows.where(rows != "", None))
    return (path / "model.onnx").read_bytes(), next(iter(answer.values())).ravel()


def verify_endpoint(url: str) -> None:
    """Run ``onnxpress verify-endpoint``, which ends with the exit code of its verdict."""
    command = [sys.executable, "-m", "onnxpress", "verify-endpoint", url]
    if code := subprocess.run(command, check=False).returncode:
        sys.exit(code)


if __name__ == "__main__":
    run_step("verify", main)
