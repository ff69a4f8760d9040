"""A model that a constant beats, as a wrong export or a wrong target makes it."""

from __future__ import annotations

from typing import Any

from onnxpress.errors import UserError
from onnxpress.estimators.predicting import predict_original
from onnxpress.evaluate.scores import worse_than_constant
from onnxpress.pipeline.console import say
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema


def say_if_worthless(model: Any, rows: Rows, schema: Schema, name: str) -> None:
    """Say so where the original predicts the ``rows`` worse than a constant does."""
    if not len(rows):
        return
    try:
        values = predict_original(model, rows.feeds, schema).values
    except UserError:
        raise
    except Exception:  # it refuses these rows, which is said where it is tried
        return
    line = worse_than_constant(schema, rows.target, values, name)
    if line is not None:
        say(line)
