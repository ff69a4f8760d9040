"""Sessions of onnxruntime, and what their models predict."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onnxpress.errors import UserError
from onnxpress.reading import read_bytes
from onnxpress.runtime.checked import checked_onnx
from onnxpress.runtime.predictions import Predictions, as_labels, as_numbers
from onnxpress.tables.names import LABEL, PREDICTION, PROBABILITIES, SCORES
from onnxpress.tables.rows import Feeds

ERRORS_ONLY = 3
"""onnxruntime's level of logging: its warnings are for authors of models, errors are raised."""

ROWS_OF_CALL, VALUES_OF_CALL = 1024, 2**22
"""The most rows of tensors in a call, and the most values that they have."""

ALLOCATION_FAILED = re.compile(
    r"bad_alloc|[Ff]ailed to allocate memory|bad allocation|length_error|bad_array_new_length"
)


def open_session(model: bytes, threads: int = 1) -> Any:
    """Open an onnxruntime session on the CPU with so many ``threads``.

    The bytes are of our own making, or :func:`checked_onnx` has let them pass.

    Raises:
        UserError: onnxruntime cannot load the model.
        MemoryError: it needs more memory than there is.
    """
    import onnxruntime as ort  # 0.2 s

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = ERRORS_ONLY
    # bytes with "ORTM" in them would be taken for onnxruntime's own format
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise_memory_error(error)
        version = ort.__version__
        raise UserError(
            f"onnxruntime {version} cannot load this ONNX model: {error}; convert it again"
        ) from error


def raise_memory_error(error: BaseException) -> None:
    """Raise MemoryError if an exception of onnxruntime means that there is no memory."""
    if ALLOCATION_FAILED.search(str(error)):
        raise MemoryError("onnxruntime has no memory for this model") from error


def load_session(path: Path, threads: int = 1) -> Any:
    """Open an onnxruntime session of a model file, which is checked before.

    Raises:
        UserError: the file is missing or is no ONNX model that onnxruntime can load.
    """
    model = read_bytes(path)
    checked_onnx(model, str(path))
    return open_session(model, threads)


def run(session: Any, outputs: list[str] | None, feeds: Feeds) -> list[Any]:
    """Return the ``outputs`` of a model for rows, all of them for None.

    Tensors are run in several calls: what a net computes of many images at once may not fit into
    the memory.
    """
    rows = len(next(iter(feeds.values())))
    size = _rows_of_call(feeds)
    if rows <= size:
        return list(session.run(outputs, feeds))
    parts = []
    for start in range(0, rows, size):
        part = {name: values[start : start + size] for name, values in feeds.items()}
        parts.append(session.run(outputs, part))
    return [_joined(values) for values in zip(*parts, strict=True)]


def _rows_of_call(feeds: Feeds) -> int:
    """Return how many rows are run at once; of tables all."""
    rows = len(next(iter(feeds.values())))
    tensors = [each for each in feeds.values() if each.ndim > 2 or each.dtype.kind in "iu"]
    if not tensors:
        return max(1, rows)
    row = sum(values.size for values in feeds.values()) // max(1, rows)
    return max(1, min(ROWS_OF_CALL, VALUES_OF_CALL // max(1, row)))


def _joined(values: Sequence[Any]) -> Any:
    """Return one output of several calls: an array, or the list of a ZipMap."""
    if isinstance(values[0], list):
        return [each for part in values for each in part]
    return np.concatenate(values)


def predict_onnx(session: Any, feeds: Feeds) -> Predictions:
    """Predict with an ONNX model whose outputs have the names of :mod:`onnxpress.tables.names`.

    Raises:
        MemoryError: it needs more memory than there is.
    """
    try:
        results = run(session, None, feeds)
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise_memory_error(error)
        raise
    names = (output.name for output in session.get_outputs())
    return predictions_of(dict(zip(names, results, strict=True)))


class OnnxModel:
    """A model that predicts with a session of the process that it is in, wherever it is sent."""

    def __init__(self, model: bytes) -> None:
        """Open a session of a model that was checked before."""
        self._model, self._session = model, open_session(model)

    def __reduce__(self) -> tuple[type[OnnxModel], tuple[bytes]]:
        """Leave out the session, which cannot be pickled."""
        return OnnxModel, (self._model,)

    def __call__(self, feeds: Feeds) -> Predictions:
        """Predict as :func:`predict_onnx`."""
        return predict_onnx(self._session, feeds)


def predictions_of(outputs: Mapping[str, Any]) -> Predictions:
    """Return what the outputs of an ONNX model say, by the names of onnxpress.tables.names.

    Raises:
        KeyError: there is neither a prediction nor a label.
        UserError: a row has a table of predictions.
    """
    if PREDICTION in outputs:
        return Predictions(as_numbers(outputs[PREDICTION]), None)
    values = as_labels(outputs[LABEL])
    scores = outputs.get(PROBABILITIES, outputs.get(SCORES))
    matrix = np.asarray(scores, np.float64).reshape(len(values), -1)
    return Predictions(values, matrix, proper=PROBABILITIES in outputs)
