"""Rows and a model for the tests of `onnxpress score`, and what it has written."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from onnxpress.pipeline.files import write_bytes, write_json
from tests.support.drift_models import Model, model

QUANTIZED = Path("outputs/model_quantized.onnx")
CLASSIFIER = model("texts/RandomForestClassifier")
OUT = Path("scored")


def put(made: Model) -> None:
    """Write a model and its schema, as the chain does."""
    write_bytes(QUANTIZED, made.onnx)
    write_json(Path("outputs/schema.json"), made.schema.to_json())


def raw(made: Model = CLASSIFIER, times: int = 1) -> pd.DataFrame:
    """The rows of a model, with a key, as others would store them."""
    frame = pd.concat([made.frame.drop(columns="target")] * times, ignore_index=True)
    frame = frame.replace({"": None})
    return frame.assign(key=[f"k{number}" for number in range(len(frame))])


def store(frame: pd.DataFrame, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, row_group_size=100)
    return path


def contents(folder: Path = OUT) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
