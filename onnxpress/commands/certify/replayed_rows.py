"""The models and the rows that are replayed: of this repository, or of the user's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from onnxpress.api.model_arguments import as_inputs, given_model
from onnxpress.api.table_arguments import features
from onnxpress.commands.given_table import TableFile, read_features, refuse_other_files
from onnxpress.errors import UserError
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.probes.probe_rows import probe_rows
from onnxpress.evaluate.probes.row_sets import count, joined
from onnxpress.pipeline.inputs import read_rows, read_schema
from onnxpress.pipeline.onnx_inputs import read_onnx
from onnxpress.pipeline.outputs import ONNX_MODEL, QUANTIZED_MODEL, TEST, TRAIN
from onnxpress.pipeline.params import load_params
from onnxpress.pipeline.trained_model import load_trained
from onnxpress.runtime.predictions import Predict, Predictions
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Feeds

PROBE_ROWS = 2000


@dataclass(frozen=True)
class Replayed:
    """Models by name, and rows that all of them take."""

    models: Mapping[str, bytes]
    feeds: Feeds
    rows: Mapping[str, int]
    """How many rows there are of each kind, in their order."""


@dataclass(frozen=True)
class Files:
    """A model of the user's and rows for it."""

    model: Path | None
    data: TableFile | None
    targets: tuple[str, ...] = ()
    """Columns of ``data`` that the model does not take."""
    seed: int = 0
    """Of the probe rows."""


@dataclass(frozen=True)
class Probing:
    """How probe rows are made."""

    predict: Predict
    """Decides which columns take missing numbers and unseen categories."""
    rows: int
    seed: int


def of_repository() -> Replayed:
    """Return model.onnx and model_quantized.onnx with the test rows and the probe rows.

    Raises:
        UserError: a file of the chain is missing or is not what its stage writes.
    """
    params, schema = load_params(), read_schema()
    models = {path.name: read_onnx(path, schema) for path in (ONNX_MODEL, QUANTIZED_MODEL)}
    train, test = (read_rows(path, schema).feeds for path in (TRAIN, TEST))
    original = load_trained(schema, params.train.trusted)
    predict = partial(predict_original, original, schema=schema)
    probing = Probing(predict, params.evaluate.probe_rows, params.seed)
    return _with_probes(models, train, {"test": test}, probing)


def of_files(files: Files) -> Replayed:
    """Return an ONNX model with the rows of a file, and probe rows made from them.

    Raises:
        UserError: a file is wrong, or they do not fit together.
    """
    model, data = files.model, files.data
    if model is None or data is None:
        raise UserError("MODEL and --data should be given together, or neither; see --help")
    refuse_other_files(data)
    if model.suffix != ".onnx":
        raise UserError(f"MODEL should be an .onnx file, got {str(model)!r}")
    given = given_model(model, str(model))
    table = features(_columns(data, files.targets))
    rows = table.rows(np.zeros(len(table), np.int64), given.task)
    feeds = as_inputs(open_session(given.data), rows.feeds, table.columns, str(model))
    probing = Probing(_refuse, PROBE_ROWS, files.seed)
    return _with_probes({model.name: given.data}, feeds, {"given": feeds}, probing)


def _columns(data: TableFile, targets: tuple[str, ...]) -> Any:
    """Return the columns, or arrays, that the model takes.

    Raises:
        UserError: the file cannot be read, or lacks one of ``targets``.
    """
    found: Any = read_features(data)
    names = list(found) if isinstance(found, dict) else found.column_names
    if lacking := [name for name in targets if name not in names]:
        raise UserError(f"--target names {lacking[0]!r}, which {data.path} lacks; it has {names}")
    if isinstance(found, dict):
        return {name: values for name, values in found.items() if name not in targets}
    return found.drop_columns(list(targets))


def _refuse(_: Feeds) -> Predictions:
    """Take no missing number or unseen category that the rows themselves do not have."""
    raise ValueError


def _with_probes(
    models: Mapping[str, bytes], learned: Feeds, given: Mapping[str, Feeds], probing: Probing
) -> Replayed:
    """Add probe rows made from ``learned`` rows at the thresholds of the first model."""
    first = onnx.load_from_string(next(iter(models.values())))
    made = probe_rows(first, learned, probing.predict, probing.rows, probing.seed).feeds
    [(kind, rows)] = given.items()
    return Replayed(models, joined(rows, made), {kind: count(rows), "probe": count(made)})
