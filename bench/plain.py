"""skl2onnx's conversion without the converters that onnxpress registers: what its users get."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import onnx

OPSET = 12


def plainly_converted(estimator: Any, features: int) -> onnx.ModelProto:
    """A support vector machine or neighbours model as skl2onnx writes it, without a ZipMap.

    It takes float32 rows ``X``.
    """
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    options = {"zipmap": False} if hasattr(estimator, "classes_") else None
    with _plain_converters(), warnings.catch_warnings():
        # skl2onnx reads probA_ and probB_ of every SVC; scikit-learn 1.9 announces their end
        warnings.filterwarnings(
            "ignore", message="Attribute `prob[AB]_` was deprecated", category=FutureWarning
        )
        model: onnx.ModelProto = convert_sklearn(
            estimator,
            initial_types=[("X", FloatTensorType([None, features]))],
            target_opset=OPSET,
            options=options,
        )
    return model


@contextmanager
def _plain_converters() -> Iterator[None]:
    """skl2onnx's own converters of these families, within this context."""
    from skl2onnx.common._registration import get_converter, register_converter
    from skl2onnx.operator_converters import nearest_neighbours, support_vector_machines

    plain = {
        "SklearnSVC": support_vector_machines.convert_sklearn_svm_classifier,
        "SklearnSVR": support_vector_machines.convert_sklearn_svm_regressor,
        "SklearnKNeighborsClassifier": nearest_neighbours.convert_nearest_neighbors_classifier,
        "SklearnKNeighborsRegressor": nearest_neighbours.convert_nearest_neighbors_regressor,
    }
    registered = {alias: get_converter(alias) for alias in plain}
    try:
        for alias, converter in plain.items():
            register_converter(
                alias, converter, overwrite=True, options=registered[alias].get_allowed_options()
            )
        yield
    finally:
        for alias, found in registered.items():
            register_converter(
                alias, found._fct, overwrite=True, options=found.get_allowed_options()
            )
