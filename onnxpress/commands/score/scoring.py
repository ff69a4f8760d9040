"""Write the predictions of a model for all rows of a table, piece by piece.

Pieces are read one after another, predicted by a thread for each core, and written in their order.
Each file of predictions appears whole, so a run that was killed goes on with the files that are
not there. The threads share one session.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from onnxpress.benchmark.environment import usable_cores
from onnxpress.commands.score.files import ScoredFile, files_of
from onnxpress.commands.score.predictions_file import output_columns, write_predictions
from onnxpress.commands.score.stamp import Stamp, stamp_of, unfinished, with_rows
from onnxpress.errors import UserError
from onnxpress.pipeline.console import advancing, answering, say, working
from onnxpress.pipeline.files import atomic_path
from onnxpress.pipeline.inputs import read_schema
from onnxpress.pipeline.onnx_inputs import read_onnx
from onnxpress.pipeline.params import load_params
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.arrow_types import decoded
from onnxpress.tables.csv_types import CsvForm
from onnxpress.tables.names import OUTPUT_NAMES, PREDICTION, predicted_columns
from onnxpress.tables.pieces import Piece, feeds_of, pieces, rows_of_piece
from onnxpress.tables.schema import Schema

PIECES_AHEAD = 2
"""For each thread: so many are read and not yet predicted, or predicted and not yet written."""

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class Job:
    """Whose predictions are written for which rows, and where."""

    model: Path
    table: str
    """A CSV or Parquet file, a folder of such files, or a glob."""
    output: Path
    keep: tuple[str, ...] = ()
    """Columns of the rows that are written beside the predictions."""


class Scorer:
    """A model that predicts pieces of tables."""

    def __init__(self, model: bytes, schema: Schema, form: CsvForm, keep: tuple[str, ...]) -> None:
        """Open the model, which was judged before."""
        self.session = open_session(model)
        self.schema, self.form, self.keep = schema, form, keep
        self.columns = tuple(dict.fromkeys([*(each.name for each in schema.columns), *keep]))

    def pieces(self, files: list[ScoredFile]) -> Iterator[Piece]:
        """Yield the rows of all files, one file after another."""
        for file in files:
            yield from pieces(file.rows, self.columns, rows_of_piece(len(self.columns)))

    def score(self, piece: Piece) -> tuple[pa.Table, bool]:
        """Return the predictions for a piece, and whether they are the last of their file.

        Kept columns come first.

        Raises:
            UserError: a row cannot be scored; the line names it.
        """
        feeds = feeds_of(piece, self.schema, self.form)
        if not piece.table.num_rows:
            feeds = {name: _blank(values) for name, values in feeds.items()}
        found = predict_onnx(self.session, feeds).take(np.arange(piece.table.num_rows))
        kept = {name: decoded(piece.table[name]) for name in self.keep}
        return pa.table({**kept, **output_columns(found, self.schema)}), piece.last


def _blank(values: NDArray[Any]) -> NDArray[Any]:
    """Return a row of zeros or empty texts: not every operator takes no row at all."""
    kind = "" if values.dtype.kind == "O" else 0
    return np.full((1, *values.shape[1:]), kind, values.dtype)


def main(job: Job, *, in_json: bool = False) -> None:
    """Score what is not scored yet, and print how fast.

    Raises:
        UserError: rows cannot be scored, the files or the model are wrong, or the output holds
            predictions made from something else.
    """
    with answering(in_json=in_json) as answer:
        schema, data = read_schema(), load_params().data
        form = CsvForm(tuple(data.missing_values), data.decimal, data.thousands)
        model = read_onnx(job.model, schema)
        refuse_kept(job.keep, schema)
        files = files_of(job.table, job.output)
        stamp = stamp_of(model, schema, job.keep, form)
        with working("looking at what is scored already"):
            left = unfinished(files, stamp)
        began = time.monotonic()
        rows = score_files(Scorer(model, schema, form, job.keep), left, stamp)
        seconds = max(time.monotonic() - began, 1e-9)
        answer(
            {
                "output": str(job.output),
                "files": len(left),
                "files_before": len(files) - len(left),
                "rows": rows,
                "rows_per_second": round(rows / seconds),
            }
        )
        if before := len(files) - len(left):
            say(f"{before} of {len(files)} files were scored before")
        say(f"{job.output}: {_speed(rows, len(left), seconds)}")


def refuse_kept(keep: tuple[str, ...], schema: Schema) -> None:
    """See that the model takes tables, and that no kept column is called like a prediction.

    Raises:
        UserError: it does not, or one is.
    """
    if schema.has_tensors:
        raise UserError("score takes tables, and this model takes arrays; run it with onnxruntime")
    taken = set(keep) & {*OUTPUT_NAMES, *predicted_columns(PREDICTION, schema.targets)}
    if taken:
        raise UserError(f"--keep {min(taken)}: a column of predictions has this name; rename yours")


def score_files(scorer: Scorer, files: list[ScoredFile], stamp: Stamp) -> int:
    """Write the predictions for each file, and return how many rows there were.

    Raises:
        UserError: as :func:`main`.
    """
    cores, began, rows = usable_cores(), time.monotonic(), 0
    before = {file: file.rows.stat() for file in files}
    total = sum(each.st_size for each in before.values())
    with ThreadPoolExecutor(cores) as pool, advancing(total, "scoring") as advance:
        scored = in_order(pool, scorer.score, scorer.pieces(files), PIECES_AHEAD * cores)
        for file in files:
            made_from = pool.submit(with_rows, stamp, file.rows)
            with atomic_path(file.predictions) as temporary:
                for table in write_predictions(temporary, of_a_file(scored), made_from.result):
                    rows += table.num_rows
                    seconds = max(time.monotonic() - began, 1e-9)
                    advance(0, _speed(rows, len(files), seconds))
                refuse_changed(file.rows, before[file])
            advance(before[file].st_size)
    return rows


def of_a_file(scored: Iterator[tuple[pa.Table, bool]]) -> Iterator[pa.Table]:
    """Yield the predictions of the file that comes next."""
    for table, is_last in scored:
        yield table
        if is_last:
            return


def refuse_changed(path: Path, before: os.stat_result) -> None:
    """See that rows are still those that were scored.

    Raises:
        UserError: their file has changed.
    """
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise UserError(f"{path} changed while it was scored; run again")


def in_order(
    pool: ThreadPoolExecutor, function: Callable[[In], Out], items: Iterable[In], ahead: int
) -> Iterator[Out]:
    """Yield what ``function`` returns for each of the items, in their order.

    At most ``ahead`` items are taken before their results are asked for.

    Raises:
        UserError: of the function or of the items, after the results before it.
    """

    def futures() -> Iterator[Future[Out]]:
        try:
            for item in items:
                yield pool.submit(function, item)
        except UserError as error:
            failed: Future[Out] = Future()
            failed.set_exception(error)
            yield failed

    waiting: deque[Future[Out]] = deque()
    try:
        for future in futures():
            waiting.append(future)
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _speed(rows: int, files: int, seconds: float) -> str:
    speed = f"{rows / seconds:,.0f} rows a second"
    return f"{rows:,} rows of {files} files in {seconds:.1f} s, {speed}"
