"""Write the predictions of a model for all rows of a table, piece by piece.

Pieces are read here one after another, predicted by a thread for each core or by the workers of a
cluster, and written here in their order. Each file of predictions appears whole, so a run that was
killed goes on with the files that are not there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from onnxpress.benchmark.environment import usable_cores
from onnxpress.commands.score.files import ScoredFile
from onnxpress.commands.score.predictions_file import output_columns, write_predictions
from onnxpress.commands.score.rows import Source, source_of
from onnxpress.commands.score.stamp import Stamp, stamp_of, unfinished
from onnxpress.commands.score.unknown import (
    Known,
    Unknown,
    add,
    known_categories,
    unknown_categories,
    unknown_line,
)
from onnxpress.engine.choosing import engine_at
from onnxpress.engine.engine import Engine, in_order
from onnxpress.engine.threads import threads
from onnxpress.errors import UserError
from onnxpress.pipeline.console import advancing, answering, say, working
from onnxpress.pipeline.files import atomic_path
from onnxpress.pipeline.inputs import read_schema
from onnxpress.pipeline.keys import keys_named
from onnxpress.pipeline.onnx_inputs import read_onnx
from onnxpress.pipeline.params import SCHEDULER_FORM, is_scheduler, load_params
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.arrow_types import decoded
from onnxpress.tables.csv_types import CsvForm
from onnxpress.tables.names import OUTPUT_NAMES, PREDICTION, predicted_columns
from onnxpress.tables.pieces import Piece, feeds_of, pieces, rows_of_piece
from onnxpress.tables.schema import Schema


@dataclass(frozen=True)
class Job:
    """Whose predictions are written for which rows, and where."""

    model: Path
    table: str
    """A CSV or Parquet file, a folder of such files, or a glob, here or in S3."""
    output: Path
    keep: tuple[str, ...] = ()
    """Columns of the rows that are written beside the predictions."""
    scheduler: str | None = None
    """The address of the cluster whose workers predict; None: ``engine.scheduler``."""


@dataclass(frozen=True)
class Scored:
    """What was found of a piece."""

    predictions: pa.Table
    unknown: dict[str, Unknown]
    last: bool
    """Whether no row of the file comes after it."""


class Scorer:
    """A model that predicts pieces of tables."""

    def __init__(
        self, model: bytes, schema: Schema, form: CsvForm, keep: tuple[str, ...], known: Known
    ) -> None:
        """Open the model, which was judged before."""
        self.session = open_session(model)
        self.model, self.schema, self.form, self.keep = model, schema, form, keep
        self.known = known
        self.columns = tuple(dict.fromkeys([*(each.name for each in schema.columns), *keep]))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle all but the session, which a worker opens when the scorer arrives."""
        return Scorer, (self.model, self.schema, self.form, self.keep, self.known)

    def pieces(self, source: Source, files: list[ScoredFile]) -> Iterator[Piece]:
        """Yield the rows of files, one file after another."""
        for file in files:
            with source.reading(file):
                yield from pieces(file.rows, self.columns, rows_of_piece(len(self.columns)))

    def score(self, piece: Piece) -> Scored:
        """Return the predictions for a piece; kept columns come first.

        Raises:
            UserError: a row cannot be scored; the line names it.
        """
        feeds = feeds_of(piece, self.schema, self.form)
        if not piece.table.num_rows:
            feeds = {name: _blank(values) for name, values in feeds.items()}
        found = predict_onnx(self.session, feeds).take(np.arange(piece.table.num_rows))
        kept = {name: decoded(piece.table[name]) for name in self.keep}
        unknown = unknown_categories(piece, self.known, self.form.missing)
        return Scored(pa.table({**kept, **output_columns(found, self.schema)}), unknown, piece.last)


def score_piece(piece: Piece, scorer: Scorer) -> Scored:
    """Return the predictions for a piece: a call for an engine."""
    return scorer.score(piece)


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
    with answering(in_json=in_json) as answer, keys_named("data"), ExitStack() as stack:
        schema, params = read_schema(), load_params()
        data = params.data
        form = CsvForm(tuple(data.missing_values), data.decimal, data.thousands)
        model = read_onnx(job.model, schema)
        refuse_kept(job.keep, schema)
        if job.scheduler is not None and not is_scheduler(job.scheduler):
            raise UserError(f"--scheduler should be {SCHEDULER_FORM}; correct the address")
        if job.output.parts[:1] == ("s3:",):
            raise UserError(
                "--output should be a folder of this machine, got an address in S3; name a "
                "folder, and copy it when all is scored"
            )
        source = stack.enter_context(source_of(job.table, job.output))
        stamp = stamp_of(model, schema, job.keep, form)
        with working("looking at what is scored already"):
            left = unfinished(source.files, stamp, source.made_from)
        began = time.monotonic()
        scorer = Scorer(model, schema, form, job.keep, known_categories(model, schema))
        scheduler = job.scheduler or params.engine.scheduler
        rows, unknown = score_files(scorer, source, left, stamp, scheduler) if left else (0, {})
        seconds = max(time.monotonic() - began, 1e-9)
        answer(
            {
                "output": str(job.output),
                "files": len(left),
                "files_before": len(source.files) - len(left),
                "rows": rows,
                "rows_per_second": round(rows / seconds),
                "unknown_categories": {name: asdict(found) for name, found in unknown.items()},
            }
        )
        if unknown:
            say(f"warning: {unknown_line(unknown)}")
        if before := len(source.files) - len(left):
            say(f"{before} of {len(source.files)} files were scored before")
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


def _engine(scheduler: str | None) -> AbstractContextManager[Engine]:
    """Return a thread for each core, or the workers of a cluster."""
    if scheduler is None:
        return threads(usable_cores())
    return engine_at(scheduler, lambda line: say(f"warning: {line}"))


def score_files(
    scorer: Scorer, source: Source, files: list[ScoredFile], stamp: Stamp, scheduler: str | None
) -> tuple[int, dict[str, Unknown]]:
    """Write the predictions for each of some files of a source.

    Returns how many rows there were, and what the model did not know in them.

    Raises:
        UserError: as :func:`main`.
    """
    began, rows = time.monotonic(), 0
    unknown: dict[str, Unknown] = {}
    sizes = {file: source.size(file) for file in files}
    with (
        _engine(scheduler) as engine,
        ThreadPoolExecutor(1) as pool,
        advancing(sum(sizes.values()), "scoring") as advance,
        closing(
            in_order(engine, score_piece, scorer.pieces(source, files), engine.share(scorer))
        ) as scored,
    ):
        for file in files:
            made_from = pool.submit(with_rows, stamp, source, file)
            with atomic_path(file.predictions) as temporary:
                tables = of_a_file(scored, unknown)
                for table in write_predictions(temporary, tables, made_from.result):
                    rows += table.num_rows
                    seconds = max(time.monotonic() - began, 1e-9)
                    advance(0, _speed(rows, len(files), seconds))
                source.refuse_changed(file)
            advance(sizes[file])
    return rows, unknown


def with_rows(stamp: Stamp, source: Source, file: ScoredFile) -> Stamp:
    """Return the stamp of the predictions for a file."""
    return stamp | source.made_from(file)


def of_a_file(scored: Iterator[Scored], unknown: dict[str, Unknown]) -> Iterator[pa.Table]:
    """Yield the predictions of the file that comes next, and note what is unknown in it."""
    for piece in scored:
        add(unknown, piece.unknown)
        yield piece.predictions
        if piece.last:
            return


def _speed(rows: int, files: int, seconds: float) -> str:
    speed = f"{rows / seconds:,.0f} rows a second"
    named = "1 file" if files == 1 else f"{files} files"
    return f"{rows:,} rows of {named} in {seconds:.1f} s, {speed}"
