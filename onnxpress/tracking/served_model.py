"""The quantised model as an MLflow model that takes raw rows.

Its columns, its output signature, an example, and what it needs to run.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Collection, Mapping
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.errors import UserError
from onnxpress.serving import ANSWERING, COLUMNS
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Schema

EXAMPLE_ROWS = 3
PACKAGES = ("mlflow", "numpy", "onnx", "onnxruntime", "pandas")
"""What the code that travels with a model imports."""
NUMPY_TYPES: dict[int, np.dtype[Any]] = {
    onnx.TensorProto.FLOAT: np.dtype(np.float32),
    onnx.TensorProto.DOUBLE: np.dtype(np.float64),
    onnx.TensorProto.INT64: np.dtype(np.int64),
    onnx.TensorProto.STRING: np.dtype(str),
}


def save_serving_model(
    folder: Path,
    model: bytes,
    feeds: Feeds,
    schema: Schema,
    metadata: dict[str, str],
    **identity: Any,
) -> None:
    """Write an MLflow model into the new ``folder``; its ONNX file keeps its exact bytes.

    ``mlflow.pyfunc.load_model`` of it takes rows in any form and matches them by name (see
    ``onnxpress.serving.answering``); ``mlflow.onnx.load_model`` returns the ONNX model. ``feeds``
    are rows to take the input example from. ``identity`` is what MLflow's ``Model`` takes:
    ``run_id``, and ``model_id`` of a logged model.

    Of a table, the signature names the outputs alone: with declared inputs MLflow would drop
    unknown columns, refuse whole numbers, and turn null into the text "None" before the model sees
    them. Tensors are declared, with their types and shapes.

    Raises:
        UserError: the model is not of this schema.
    """
    import mlflow.onnx
    from mlflow.models import Model

    parsed = onnx.load_from_string(model)
    if {value.name for value in parsed.graph.input} != set(feeds):
        raise UserError(
            "the quantised model does not take the columns of the schema; "
            "make both again from the same data"
        )
    description = Model(**identity)
    mlflow.onnx.save_model(
        parsed,
        str(folder),
        mlflow_model=description,
        signature=signature_of(parsed, schema),
        input_example=example_of(feeds, schema),
        conda_env=environment(),
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
        metadata=metadata,
    )
    (folder / "model.onnx").write_bytes(model)  # MLflow wrote it without packed fields
    columns = json.dumps(columns_of(feeds, schema), indent=2, sort_keys=True, ensure_ascii=False)
    (folder / COLUMNS).write_text(f"{columns}\n", encoding="utf-8")
    _add_python_function(description, folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    description.model_size_bytes = sum(path.stat().st_size for path in files)
    description.save(str(folder / "MLmodel"))


def _add_python_function(description: Any, folder: Path) -> None:
    """Let ``mlflow.pyfunc`` load the model with the code that travels with it."""
    from mlflow import pyfunc

    pyfunc.add_to_model(
        description,
        loader_module=_ship(ANSWERING, folder / "code"),
        data="model.onnx",
        code="code",
        conda_env="conda.yaml",
        python_env="python_env.yaml",
    )


def _ship(source: Path, folder: Path) -> str:
    """Copy a module into ``folder`` and return its name there.

    The name has a digest of the code: Python keeps a module by its name, and one process may load
    models with several versions of it.
    """
    code = source.read_bytes()
    name = f"onnxpress_{source.stem}_{sha256(code).hexdigest()[:12]}"
    folder.mkdir()
    (folder / f"{name}.py").write_bytes(code)
    return name


def columns_of(inputs: Collection[str], schema: Schema) -> Mapping[str, Any]:
    """Return what a served model has to know of its columns: names, kinds, and ONNX inputs.

    ``inputs`` are the model's inputs in the order of the columns, or the one matrix of all.
    """
    matrix = next(iter(inputs)) if schema.all_numeric else None
    columns: list[dict[str, Any]] = [
        {"name": column.name, "kind": column.kind, "missing": column.missing}
        for column in schema.columns
    ]
    for described, column in zip(columns, schema.columns, strict=True):
        if column.kind == "tensor":
            described |= {"shape": list(column.shape), "dtype": column.dtype}
    if matrix is None:
        columns = [{**column, "input": name} for column, name in zip(columns, inputs, strict=True)]
    return {"matrix": matrix, "columns": columns}


def example_of(feeds: Feeds, schema: Schema) -> Any:
    """Return a few raw rows as a frame with the names of the columns; missing text is None.

    Tensors are a mapping from names to arrays.
    """
    import pandas as pd

    if schema.has_tensors:
        tensors = zip(schema.columns, feeds.values(), strict=True)
        return {column.name: values[:EXAMPLE_ROWS] for column, values in tensors}
    if schema.all_numeric:
        frame = pd.DataFrame(next(iter(feeds.values()))[:EXAMPLE_ROWS])
    else:
        pairs = zip(feeds.values(), schema.columns, strict=True)
        columns = [_example_column(values, column.kind) for values, column in pairs]
        frame = pd.concat(columns, axis=1)
    names = [column.name for column in schema.columns]
    # MLflow compares the names with a range, which warns about pandas' own text type
    frame.columns = pd.Index(names, dtype=object)
    return frame


def _example_column(values: NDArray[Any], kind: str) -> Any:
    import pandas as pd

    column = pd.Series(values[:EXAMPLE_ROWS, 0])
    return column if kind == "number" else column.astype(object).where(column != "", None)


def environment() -> dict[str, Any]:
    """Return what the model needs to run as a conda environment.

    MLflow writes requirements.txt from it.
    """
    packages = [f"{name}=={version(name)}" for name in PACKAGES]
    python = f"python={platform.python_version()}"
    return {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [python, "pip", {"pip": packages}],
    }


def signature_of(model: onnx.ModelProto, schema: Schema) -> Any:
    """Return the outputs of an ONNX model, and the tensors that it takes, as MLflow's signature."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema as MlflowSchema
    from mlflow.types import TensorSpec

    def spec(value: onnx.ValueInfoProto) -> Any:
        tensor = value.type.tensor_type
        shape = [-1, *(size.dim_value or -1 for size in list(tensor.shape.dim)[1:])]
        return TensorSpec(NUMPY_TYPES[tensor.elem_type], shape, value.name)

    outputs = MlflowSchema([spec(value) for value in model.graph.output])
    if not schema.has_tensors:
        return ModelSignature(outputs=outputs)
    inputs: list[Any] = [
        TensorSpec(np.dtype(column.dtype), [-1, *column.shape], column.name)
        for column in schema.columns
    ]
    return ModelSignature(inputs=MlflowSchema(inputs), outputs=outputs)
