"""The pipeline for Kubeflow: data, chain, verify. ``make kubeflow`` compiles it to YAML.

KFP copies the source of each component into pipeline.yaml, so a component imports what it needs in
its body, and is no more than a call: the work is done by the code in the image. Annotations are
read at run time.
"""

import os
from pathlib import Path
from typing import NamedTuple

from kfp import compiler, dsl, kubernetes

IMAGE = os.environ.get("ONNXPRESS_IMAGE", "onnxpress-python:0.1.0")
"""The image of the Dockerfile, as the cluster finds it."""
SECRET = "onnxpress"  # noqa: S105 - the name of a Kubernetes Secret
VARIABLES = (
    "MLFLOW_TRACKING_URI",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_S3_ENDPOINT_URL",
    "AWS_ENDPOINT_URL",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "ONNXPRESS_ENDPOINT_TOKEN",
)
"""Environment variables that the steps take from the Secret, as far as it has them."""
CPU, MEMORY = "2", "8G"
"""Limits of the chain's container."""
COMPILED = Path(__file__).with_name("pipeline.yaml")


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def data(source: str, rows: dsl.Output[dsl.Dataset]) -> None:
    """Fetch the table to learn from.

    Args:
        source: A bundled data set (iris, wine, ...), or the address of a CSV or Parquet file.
        rows: A folder with the file.
    """
    import json
    import os
    import subprocess
    import sys

    python = os.environ.get("ONNXPRESS_PYTHON", "/opt/onnxpress/.venv/bin/python")
    home = os.environ.get("ONNXPRESS_HOME", "/opt/onnxpress/repository")
    arguments = json.dumps({"source": source, "rows": rows.path})
    command = [python, "-m", "kubeflow.fetch_data", arguments]
    if code := subprocess.run(command, cwd=home, check=False).returncode:
        sys.exit(code)
    rows.metadata["source"] = source


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def chain(
    rows: dsl.Input[dsl.Dataset],
    target: str,
    outputs: dsl.Output[dsl.Artifact],
    quantized: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
    settings: str = "",
    tracking_uri: str = "",
    cache: str = "",
) -> NamedTuple("Published", [("run_id", str), ("content_digest", str)]):  # type: ignore[valid-type]
    """Make, prove and publish the quantised ONNX model of a table.

    Args:
        rows: A CSV or Parquet file, or a folder with one.
        target: The column to predict.
        settings: Changes to params.yaml as YAML, "{train.estimator: SVC, quantize.level: auto}".
        tracking_uri: The MLflow server; if empty, that of MLFLOW_TRACKING_URI.
        cache: A DVC remote that keeps the stages' results, such as s3://bucket/onnxpress.
        outputs: A folder with params.yaml and outputs/ of the run.
        quantized: The quantised model.
        metrics: All metrics.
        report: The report.

    Returns:
        The MLflow run, and the digest of its content.
    """
    import json
    import os
    import subprocess
    import sys
    from collections import namedtuple
    from pathlib import Path

    python = os.environ.get("ONNXPRESS_PYTHON", "/opt/onnxpress/.venv/bin/python")
    home = os.environ.get("ONNXPRESS_HOME", "/opt/onnxpress/repository")
    arguments = json.dumps(
        {
            "rows": rows.path,
            "target": target,
            "settings": settings,
            "tracking_uri": tracking_uri,
            "cache": cache,
            "outputs": outputs.path,
            "metrics": metrics.path,
            "quantized": quantized.path,
            "page": report.path,
        }
    )
    command = [python, "-m", "kubeflow.run_chain", arguments]
    if code := subprocess.run(command, cwd=home, check=False).returncode:
        sys.exit(code)
    for name, value in json.loads(Path(metrics.path).read_text()).items():
        metrics.log_metric(name, value)
    receipt = json.loads(Path(outputs.path, "outputs", "mlflow_run.json").read_text())
    quantized.metadata.update({"framework": "onnx", **receipt})
    Published = namedtuple("Published", ["run_id", "content_digest"])
    return Published(receipt["run_id"], receipt["content_digest"])


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def verify(
    outputs: dsl.Input[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    tracking_uri: str = "",
    endpoint: str = "",
) -> None:
    """Hold the published model against the original, on the test rows.

    Args:
        outputs: What the chain has handed out.
        metrics: How far they agree.
        tracking_uri: The MLflow server; if empty, that of MLFLOW_TRACKING_URI.
        endpoint: URL of a server of the Open Inference Protocol to verify too.
    """
    import json
    import os
    import subprocess
    import sys
    from pathlib import Path

    python = os.environ.get("ONNXPRESS_PYTHON", "/opt/onnxpress/.venv/bin/python")
    home = os.environ.get("ONNXPRESS_HOME", "/opt/onnxpress/repository")
    arguments = json.dumps(
        {
            "outputs": outputs.path,
            "tracking_uri": tracking_uri,
            "endpoint": endpoint,
            "metrics": metrics.path,
        }
    )
    command = [python, "-m", "kubeflow.verify_model", arguments]
    if code := subprocess.run(command, cwd=home, check=False).returncode:
        sys.exit(code)
    for name, value in json.loads(Path(metrics.path).read_text()).items():
        metrics.log_metric(name, value)


@dsl.pipeline(name="onnxpress")
def pipeline(
    source: str = "iris",
    target: str = "target",
    settings: str = "",
    tracking_uri: str = "",
    cache: str = "",
    endpoint: str = "",
) -> None:
    """Learn from a table, publish a quantised ONNX model that is proved, and verify it.

    Args:
        source: A bundled data set (iris, wine, ...), or the address of a CSV or Parquet file.
        target: The column to predict.
        settings: Changes to params.yaml as YAML, "{train.estimator: SVC, quantize.level: auto}".
        tracking_uri: The MLflow server; if empty, that of MLFLOW_TRACKING_URI.
        cache: A DVC remote that keeps the stages' results, such as s3://bucket/onnxpress.
        endpoint: URL of a server of the Open Inference Protocol to verify too.
    """
    fetched = data(source=source)
    made = chain(
        rows=fetched.outputs["rows"],
        target=target,
        settings=settings,
        tracking_uri=tracking_uri,
        cache=cache,
    )
    made.set_cpu_limit(CPU).set_memory_limit(MEMORY)
    verified = verify(outputs=made.outputs["outputs"], tracking_uri=tracking_uri, endpoint=endpoint)
    for task in (fetched, made, verified):
        # KFP's cache knows the image by its name only, and a table by its address: DVC's knows both
        task.set_caching_options(enable_caching=False)
        kubernetes.use_secret_as_env(
            task, SECRET, {name: name for name in VARIABLES}, optional=True
        )


if __name__ == "__main__":
    compiler.Compiler().compile(pipeline, str(COMPILED))
