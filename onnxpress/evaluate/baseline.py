"""A model that a constant beats, as a wrong export or a wrong target makes it."""

from __future__ import annotations

from typing import Any

from onnxpress.errors import UserError
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.scores import worse_than_constant
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema


def baseline_warning(model: Any, rows: Rows, schema: Schema, name: str) -> str | None:
    """A warning if the original predicts the ``rows`` worse than a constant does; else None.

    ``name`` is what the line calls the rows.

    Raises:
        UserError: the model gives labels alone, or more than one value per row.
    """
    try:
        values = predict_original(model, rows.feeds, schema).values
    except UserError:
        raise
    except Exception:  # it refuses these rows; later stages say so
        return None
    return worse_than_constant(schema, rows.target, values, name)
