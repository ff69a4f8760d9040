"""Convert a fitted scikit-learn estimator to an ONNX model that takes raw rows.

``STEPS`` is the conversion; each step is a function from model to model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import onnx

from onnxpress.conversion import steps
from onnxpress.conversion.adopted import adopted
from onnxpress.conversion.by_skl2onnx import by_skl2onnx
from onnxpress.conversion.converters.text.patterns import CannotTokenize
from onnxpress.conversion.converters.trees.deferring import deferred
from onnxpress.conversion.skl2onnx_patches.own_classes import as_known
from onnxpress.conversion.steps import Conversion, Step
from onnxpress.conversion.wrappers import unwrapped
from onnxpress.errors import UserError
from onnxpress.estimators.onnx_estimator import OnnxClassifier, OnnxRegressor
from onnxpress.tables.schema import Schema

NEWEST_OPSET = 22
"""The newest ai.onnx version that skl2onnx 1.20 writes (``skl2onnx.__max_supported_opset__``)."""

STEPS: tuple[Step, ...] = (
    steps.in_canonical_form,
    steps.with_the_opset_asked_for,
    steps.without_needless_casts,
    steps.with_named_outputs,
    steps.with_both_columns_of_scores,
    steps.with_labels_by_gather,
    steps.with_filled_trees,
    steps.with_trees_that_all_runtimes_read,
    steps.with_machines_as_products,
    steps.with_named_inputs,
    steps.with_the_names_of_columns,
    steps.checked,
)
"""From what skl2onnx makes to the model of the contract."""

STEPS_OF_TRANSFORMERS: tuple[Step, ...] = (
    steps.in_canonical_form,
    steps.with_the_opset_asked_for,
    steps.with_filled_trees,
    steps.with_named_inputs,
)
"""For the first steps of a pipeline, whose outputs have no names of the contract."""


class NotConvertible(UserError):
    """An estimator has no ONNX form, or none in this opset; ``reason`` says why."""

    def __init__(self, name: str, opset: int, error: Exception) -> None:
        """``name`` is the estimator's class, ``error`` what its converter raised."""
        self.reason = _reason(error)
        self.what = f"skl2onnx cannot convert {name} to ONNX opset {opset} ({self.reason})"
        super().__init__(f"{self.what}; choose another opset or another estimator")


OPSET_TOO_OLD = re.compile(r"This converter no longer works for opset \d+ < (\d+)")
"""What skl2onnx 1.20 says of an operator that an old opset lacks."""


def _reason(error: Exception) -> str:
    """Say in a few words why a converter raised ``error``."""
    said = " ".join(str(error).split())[:300]
    if type(error).__name__ in {"MissingShapeCalculator", "MissingConverter"}:
        return "skl2onnx has no converter for it"
    if type(error).__name__ == "InvalidInputLengthException" and "label" in said:
        return "a step that predicts labels has no ONNX form but at the end"
    if too_old := OPSET_TOO_OLD.match(said):
        return f"it needs opset {too_old[1]} or newer"
    if isinstance(error, (CannotTokenize, NotImplementedError)):
        return said
    return f"{type(error).__name__}: {said}"


def to_onnx(estimator: Any, schema: Schema, target_opset: int) -> onnx.ModelProto:
    """Convert a fitted estimator to a model in canonical form, checked in full.

    Inputs: one float32 ``X`` of shape (rows, features) for all-numeric data, otherwise one
    (rows, 1) float32 or string input for each column. Outputs: ``label`` (rows,), int64 or string,
    and ``probabilities`` (rows, classes), float32; for an estimator without ``predict_proba``
    ``scores`` instead, [-d, d] of a binary decision d. Regressors: ``prediction`` (rows, targets).

    1. A model that came as ONNX is adopted, in its own opset (:mod:`.adopted`).
    2. Classes of the user's own convert as the scikit-learn classes that they derive from.
    3. A search or another wrapper converts as the fitted estimator inside it.
    4. skl2onnx converts the rest, by its own converters and by those of this package.
    5. ``STEPS`` follow.

    Raises:
        NotConvertible: skl2onnx cannot express the estimator, or not in this opset.
        UserError: a given ONNX model does not fit the contract.
    """
    if isinstance(estimator, (OnnxClassifier, OnnxRegressor)):
        return adopted(estimator, schema)
    known = unwrapped(as_known(estimator))
    name = type(known[-1] if hasattr(known, "steps") else known).__name__
    return _converted(Conversion(known, estimator, schema, target_opset), STEPS, name)


def transformer_to_onnx(
    transformer: Any, whole: Any, schema: Schema, target_opset: int
) -> onnx.ModelProto:
    """Convert the first steps of the pipeline ``whole`` to a model of their own.

    Its outputs are what these steps make of raw rows.

    Raises:
        NotConvertible: they have no ONNX form.
    """
    conversion = Conversion(as_known(transformer), whole, schema, target_opset)
    return _converted(conversion, STEPS_OF_TRANSFORMERS, type(transformer).__name__)


def _converted(conversion: Conversion, steps: Sequence[Step], name: str) -> onnx.ModelProto:
    try:
        with deferred() as trees:
            model = by_skl2onnx(
                conversion.estimator, conversion.whole, conversion.schema, conversion.opset
            )
        for step in steps:
            model = step(model, conversion, trees)
    except Exception as error:  # of any type: converters raise even AttributeError
        raise NotConvertible(name, conversion.opset, error) from error
    return model
