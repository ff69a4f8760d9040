"""The static int8 quantiser that comes with onnxruntime, as a candidate.

It treats matrix products and leaves every ai.onnx.ml operator alone, so most scikit-learn models
come out unchanged. Its dynamic one gives all rows of a call one scale;
:mod:`onnxpress.quantize.dense.dynamic` takes its place.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from onnxpress.graph.gemm import with_upright_weights
from onnxpress.quantize.dense.layers import MATRIX_PRODUCTS, weights_to_treat
from onnxpress.tables.rows import Feeds, Rows, take

MIN_STATIC_WEIGHTS = 256 * 128
"""A smaller matrix is slower in int8 than in float32 at 32 rows.

Quantising its input costs more than the product saves.
"""
MAX_CALIBRATION_ROWS = 1000
ADVICE = (
    "Please consider to run pre-processing before quantization",
    "Please consider pre-processing before quantization",
)
"""Hints of onnxruntime to authors of models, who we are not.

Its pre-processing fuses what is fused at load anyway.
"""


def static(model: onnx.ModelProto, rows: Rows) -> onnx.ModelProto:
    """Weights and activations in int8 (QDQ), with activation ranges taken from training rows.

    Raises:
        NotApplicable: the graph has no matrix product large enough to gain.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    model = _named(with_upright_weights(model))
    weights = weights_to_treat(model, MIN_STATIC_WEIGHTS)
    nodes = [
        node.name
        for node in model.graph.node
        if node.op_type in MATRIX_PRODUCTS and node.input[1] in weights
    ]

    class Reader(CalibrationDataReader):  # type: ignore[misc] # onnxruntime has no types
        """Feeds the calibrator with training rows, a hundred at a time."""

        batches = _batches(rows)

        def get_next(self) -> Feeds | None:
            """The next batch, None at the end."""
            return next(self.batches, None)

    with _output_file() as path, _quiet():
        quantize_static(
            model,
            path,
            Reader(),
            op_types_to_quantize=list(MATRIX_PRODUCTS),
            nodes_to_quantize=nodes,
            weight_type=QuantType.QInt8,
            reduce_range=True,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return _tidy(onnx.load(path), model)


def _named(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give each node a name of its own, in place: the quantiser finds nodes by their names."""
    for position, node in enumerate(model.graph.node):
        node.name = f"n{position}"
    return model


def _batches(rows: Rows, size: int = 100) -> Iterator[Feeds]:
    for start in range(0, min(len(rows), MAX_CALIBRATION_ROWS), size):
        yield take(rows.feeds, np.arange(start, min(start + size, len(rows))))


def _tidy(quantized: onnx.ModelProto, model: onnx.ModelProto) -> onnx.ModelProto:
    """The quantised model in topological order, with the metadata of ``model``, and smaller.

    Inferred shapes are dropped, for runtimes infer them again. Tensors become raw data: typed
    fields write a float16 as a varint of up to three bytes, raw data as two.
    """
    from onnxruntime.transformers.onnx_model import OnnxModel

    OnnxModel(quantized).topological_sort()
    del quantized.graph.value_info[:], quantized.metadata_props[:]
    quantized.metadata_props.extend(model.metadata_props)
    for tensor in quantized.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
    return quantized


@contextmanager
def _output_file() -> Iterator[Path]:
    """A path in a temporary folder: the quantisers write files only."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "model.onnx"


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop the hints that the quantisers log on the root logger; all other records pass."""

    def passes(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(ADVICE)

    logger = logging.getLogger()
    logger.addFilter(passes)
    try:
        yield
    finally:
        logger.removeFilter(passes)
