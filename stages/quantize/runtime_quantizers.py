"""The quantisers that come with onnxruntime, as candidates: dynamic and static int8.

They treat matrix products and leave every ai.onnx.ml operator alone, so most scikit-learn models come out as they went in.
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

from stages.common.table import Feeds, Rows, take
from stages.quantize.candidates import NotApplicable
from stages.quantize.dense import MATRIX_PRODUCTS, layers

MIN_DYNAMIC_WEIGHTS = 64 * 64
MIN_STATIC_WEIGHTS = 256 * 128
"""A smaller matrix is slower in int8 than in float32 at 32 rows: quantising its input costs more than the product saves."""
MAX_CALIBRATION_ROWS = 1000
ADVICE = ("Please consider to run pre-processing before quantization",)
"""What onnxruntime tells the authors of models, which these are not; its pre-processing fuses what is fused at load anyway."""


def dynamic(model: onnx.ModelProto, _rows: Rows) -> onnx.ModelProto:
    """Weights in int8, activations quantised at run time.

    Raises:
        NotApplicable: the graph has no matrix product large enough to gain.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    nodes = _large_products(model, MIN_DYNAMIC_WEIGHTS)
    with _output_file() as path, _quiet():
        quantize_dynamic(
            _copy(model),
            path,
            op_types_to_quantize=list(MATRIX_PRODUCTS),
            nodes_to_quantize=nodes,
            weight_type=QuantType.QInt8,
            reduce_range=True,  # 7 bits: 8 saturate in the 16-bit sums of CPUs without VNNI, and answers differ between CPUs
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return _tidy(onnx.load(path), model)


def static(model: onnx.ModelProto, rows: Rows) -> onnx.ModelProto:
    """Weights and activations in int8 (QDQ), with activation ranges taken from training rows.

    Raises:
        NotApplicable: the graph has no matrix product large enough to gain.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    nodes = _large_products(model, MIN_STATIC_WEIGHTS)

    class Reader(CalibrationDataReader):  # type: ignore[misc] # onnxruntime has no types
        """Feeds the calibrator with training rows, a hundred at a time."""

        batches = _batches(rows)

        def get_next(self) -> Feeds | None:
            """The next batch, None at the end."""
            return next(self.batches, None)

    with _output_file() as path, _quiet():
        quantize_static(
            _copy(model),
            path,
            Reader(),
            op_types_to_quantize=list(MATRIX_PRODUCTS),
            nodes_to_quantize=nodes,
            weight_type=QuantType.QInt8,
            reduce_range=True,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return _tidy(onnx.load(path), model)


def _large_products(model: onnx.ModelProto, min_weights: int) -> list[str]:
    """Names of the matrix products with a layer's weights of at least ``min_weights`` elements."""
    products = [node for node in model.graph.node if node.op_type in MATRIX_PRODUCTS]
    if not products:
        raise NotApplicable("the graph has no matrix product; these quantisers treat nothing else")
    weights = layers(model, min_weights)
    large = [node.name for node in products if node.input[1] in weights]
    if not large:
        raise NotApplicable(f"its matrix products have fewer than {min_weights} weights each; int8 would be slower")
    return large


def _batches(rows: Rows, size: int = 100) -> Iterator[Feeds]:
    for start in range(0, min(len(rows), MAX_CALIBRATION_ROWS), size):
        yield take(rows.feeds, np.arange(start, min(start + size, len(rows))))


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    """The quantisers move weights out of the model they are given."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def _tidy(quantized: onnx.ModelProto, model: onnx.ModelProto) -> onnx.ModelProto:
    """The quantised model in topological order, with the metadata of ``model``, and without what takes space for nothing.

    Inferred shapes are derived, and typed fields write a float16 as a varint of up to three bytes, where raw data takes two.
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
    """Drop the advice that the quantisers log on the root logger; all else that is logged meanwhile passes."""

    def passes(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(ADVICE)

    logger = logging.getLogger()
    logger.addFilter(passes)
    try:
        yield
    finally:
        logger.removeFilter(passes)
