"""The Parquet file of the predictions for a file of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from onnxpress.commands.score.stamp import Stamp, metadata_of
from onnxpress.runtime.predictions import Predictions
from onnxpress.tables.names import LABEL, PREDICTION, PROBABILITIES, SCORES, predicted_columns
from onnxpress.tables.schema import Schema

ROWS_OF_GROUP = 2**20
"""At least so many rows are a row group, but for the last."""


def output_columns(found: Predictions, schema: Schema) -> dict[str, pa.Array]:
    """Return predictions as columns, (rows,) each.

    A classifier has a ``label`` and a list of ``probabilities`` (``scores`` if it has no
    probabilities) in the order of its classes, which are sorted; a regressor has a ``prediction``,
    or ``prediction.price`` and so on of several targets. Numbers are float32, as the model gives
    them.
    """
    if found.scores is None:
        heads = predicted_columns(PREDICTION, schema.targets)
        numbers = found.values.reshape(len(found.values), len(heads))
        return {
            head: pa.array(column, pa.float32())
            for head, column in zip(heads, numbers.T.astype("float32"), strict=True)
        }
    width = found.scores.shape[1]
    flat = pa.array(found.scores.ravel().astype("float32"))
    scores = pa.FixedSizeListArray.from_arrays(flat, width)
    return {LABEL: pa.array(found.values), PROBABILITIES if found.proper else SCORES: scores}


def write_predictions(
    path: Path, tables: Iterator[pa.Table], stamp: Callable[[], Stamp]
) -> Iterator[pa.Table]:
    """Write predictions, at least one table of them, and what they were made from.

    Each table is yielded on its way; ``stamp`` waits for what they were made from.
    """
    first = next(tables)
    plain = [name for name in first.column_names if name not in (PROBABILITIES, SCORES)]
    with parquet.ParquetWriter(path, first.schema, use_dictionary=plain) as writer:
        held: list[pa.Table] = []
        for table in chain([first], tables):
            yield table
            if sum(each.num_rows for each in held) >= ROWS_OF_GROUP:
                writer.write_table(pa.concat_tables(held).combine_chunks())
                held = []
            held.append(table)
        writer.write_table(pa.concat_tables(held).combine_chunks())
        writer.add_key_value_metadata(metadata_of(stamp()))
