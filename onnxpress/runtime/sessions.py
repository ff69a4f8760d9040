"""Sessions of onnxruntime, and what they answer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from onnxpress.errors import UserError
from onnxpress.pipeline.files import read_bytes
from onnxpress.runtime.checked import checked_onnx
from onnxpress.runtime.predictions import Predictions, as_column, as_labels
from onnxpress.tables.names import LABEL, PREDICTION, PROBABILITIES, SCORES
from onnxpress.tables.rows import Feeds


def open_session(model: bytes, threads: int = 1) -> Any:
    """An onnxruntime session on the CPU, of bytes that are ours or that :func:`checked_onnx` has let pass.

    Raises:
        UserError: onnxruntime cannot load the model.
        MemoryError: it needs more memory than there is.
    """
    import onnxruntime as ort  # 0.2 s

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = (
        3  # warnings of onnxruntime are hints to model authors, errors are raised anyway
    )
    options.add_session_config_entry(
        "session.load_model_format", "ONNX"
    )  # it would take "ORTM" in the bytes for its own
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise_memory_error(error)
        raise UserError(
            f"onnxruntime {ort.__version__} cannot load this ONNX model: {error}; run `dvc repro --force convert`"
        ) from error


ALLOCATION_FAILED = re.compile(
    r"bad_alloc|[Ff]ailed to allocate memory|bad allocation|length_error|bad_array_new_length"
)


def raise_memory_error(error: BaseException) -> None:
    """Raise MemoryError if that is what an exception of onnxruntime stands for."""
    if ALLOCATION_FAILED.search(str(error)):
        raise MemoryError("onnxruntime has no memory for this model") from error


def load_session(path: Path, threads: int = 1) -> Any:
    """An onnxruntime session of a model file.

    Raises:
        UserError: the file is missing or is no ONNX model that onnxruntime can load.
    """
    model = read_bytes(path)
    checked_onnx(model, str(path))
    return open_session(model, threads)


def predict_onnx(session: Any, feeds: Feeds) -> Predictions:
    """Predict with an ONNX model that follows the contract's output names.

    Raises:
        MemoryError: it needs more memory than there is.
    """
    try:
        results = session.run(None, feeds)
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise_memory_error(error)
        raise
    outputs = dict(zip((output.name for output in session.get_outputs()), results, strict=True))
    if PREDICTION in outputs:
        return Predictions(as_column(outputs[PREDICTION]).astype(np.float64), None)
    values = as_labels(outputs[LABEL])
    scores = outputs.get(PROBABILITIES, outputs.get(SCORES))
    return Predictions(
        values, np.asarray(scores, np.float64).reshape(len(values), -1), PROBABILITIES in outputs
    )
