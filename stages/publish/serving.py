"""The quantised model as an MLflow model that answers raw rows: signature, input example, requirements."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from stages.common.table import Feeds

EXAMPLE_ROWS = 3
NUMPY_TYPES: dict[int, np.dtype[Any]] = {
    onnx.TensorProto.FLOAT: np.dtype(np.float32),
    onnx.TensorProto.DOUBLE: np.dtype(np.float64),
    onnx.TensorProto.INT64: np.dtype(np.int64),
    onnx.TensorProto.STRING: np.dtype(str),
}


def save_serving_model(folder: Path, model: bytes, feeds: Feeds, metadata: dict[str, str], **identity: Any) -> None:
    """Write an ``mlflow.onnx`` model into the new ``folder``.

    ``mlflow.pyfunc.load_model`` of it takes, for all-numeric data, a float32 array (rows, features) or a frame of them,
    and for mixed data a frame of raw rows or one (rows, 1) array per column. The ONNX file keeps its exact bytes.
    ``identity`` is what MLflow's ``Model`` takes: ``run_id``, and ``model_id`` of a logged model.
    """
    import mlflow.onnx
    from mlflow.models import Model

    parsed = onnx.load_from_string(model)
    example = {name: values[:EXAMPLE_ROWS] for name, values in feeds.items()}
    description = Model(**identity)
    mlflow.onnx.save_model(
        parsed,
        str(folder),
        mlflow_model=description,
        signature=signature_of(parsed),
        input_example=next(iter(example.values())) if len(parsed.graph.input) == 1 else example,
        conda_env=environment(),
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
        metadata=metadata,
    )
    (folder / "model.onnx").write_bytes(model)  # MLflow has written it anew, without packed fields
    description.model_size_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    description.save(str(folder / "MLmodel"))


def environment() -> dict[str, Any]:
    """What the model needs to run, as a conda environment; MLflow writes requirements.txt from it."""
    packages = [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "onnx", "onnxruntime", "pandas")]
    python = f"python={platform.python_version()}"
    return {"name": "mlflow-env", "channels": ["conda-forge"], "dependencies": [python, "pip", {"pip": packages}]}


def signature_of(model: onnx.ModelProto) -> Any:
    """The MLflow signature of an ONNX model: a lone input stays unnamed, so that arrays and frames both fit it."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    def spec(value: onnx.ValueInfoProto, *, named: bool) -> Any:
        tensor = value.type.tensor_type
        shape = [-1, *(size.dim_value or -1 for size in list(tensor.shape.dim)[1:])]
        return TensorSpec(NUMPY_TYPES[tensor.elem_type], shape, value.name if named else None)

    inputs = [spec(value, named=len(model.graph.input) > 1) for value in model.graph.input]
    return ModelSignature(Schema(inputs), Schema([spec(value, named=True) for value in model.graph.output]))
