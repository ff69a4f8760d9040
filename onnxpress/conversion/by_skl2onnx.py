"""Have skl2onnx convert an estimator, with the converters and patches of this package."""

from __future__ import annotations

from typing import Any

import onnx

from onnxpress.conversion import inputs
from onnxpress.conversion.converters import (
    centres,
    discriminant,
    functions,
    gradient_descent,
    imputers,
    neighbors,
    poisson,
    processes,
    radius,
    support_vectors,
)
from onnxpress.conversion.converters.boosters import converter as boosters
from onnxpress.conversion.converters.encoders import converter as encoders
from onnxpress.conversion.converters.text import converter as text
from onnxpress.conversion.converters.trees import converter as trees
from onnxpress.conversion.meta import converter as meta
from onnxpress.conversion.skl2onnx_patches import (
    chosen_columns,
    column_positions,
    float64_sums,
    largest_norm,
    linear_svc_zipmap,
    several_outputs,
    sparse_bins,
    wide_labels,
)
from onnxpress.estimators.layout import layout
from onnxpress.estimators.paths import evidence
from onnxpress.tables.schema import Schema

REGISTERED = (
    trees,
    boosters,
    support_vectors,
    neighbors,
    radius,
    discriminant,
    gradient_descent,
    centres,
    functions,
    poisson,
    processes,
    meta,
    encoders,
    imputers,
    text,
    float64_sums,
    largest_norm,
    linear_svc_zipmap,
    chosen_columns,
    column_positions,
    several_outputs,
    sparse_bins,
    wide_labels,
)
"""Converters and patches, each with a ``register`` that may be called again."""

INEXACT = {"Scaler"}
"""Operators to do without.

This one multiplies by 1 / scale. Sub and Div round as scikit-learn does, which matters to trees.
"""


def by_skl2onnx(estimator: Any, whole: Any, schema: Schema, opset: int) -> onnx.ModelProto:
    """Convert ``estimator``, with the inputs that suit ``whole``, which it is a part of.

    Raises:
        Exception: of any type; skl2onnx raises whatever its converters raise.
    """
    from skl2onnx import convert_sklearn

    for room in REGISTERED:
        room.register()
    taken = layout(whole, schema)
    blank = evidence(whole, len(taken.columns)).blank
    with imputers.blank_is_a_text(blank):
        model: onnx.ModelProto = convert_sklearn(
            estimator,
            initial_types=inputs.initial_types(taken, schema),
            target_opset=opset,
            black_op=INEXACT,
        )
    inputs.declare(model, taken, schema)
    return model
