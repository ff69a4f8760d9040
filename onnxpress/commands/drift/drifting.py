"""Print how far the rows of a file have drifted from the training rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from onnxpress.commands.drift.rows_of_log import rows_of_log
from onnxpress.commands.drift.rows_of_table import TableRows
from onnxpress.drift.counting import Counts
from onnxpress.drift.profiling import Profile, predicted
from onnxpress.drift.shifts import Shift, Verdict, checked_profile, counts_of, shifts
from onnxpress.errors import GateFailed, UserError
from onnxpress.pipeline.console import answering, say, screen
from onnxpress.pipeline.files import read_bytes, read_json
from onnxpress.pipeline.inputs import read_schema
from onnxpress.pipeline.named_source import local
from onnxpress.pipeline.outputs import QUANTIZED_MODEL, SERVING
from onnxpress.pipeline.params import load_params
from onnxpress.runtime.sessions import open_session
from onnxpress.serving.drift_component import PROFILE as DRIFT_PROFILE
from onnxpress.tables.csv_types import CsvForm
from onnxpress.tables.folders import names_several
from onnxpress.tables.rows import Feeds
from onnxpress.tables.schema import Schema
from onnxpress.tables.sources import SUFFIXES
from onnxpress.text import shortened, visible

PROFILE = SERVING / DRIFT_PROFILE
LOGS = (".jsonl", ".json", ".log", ".ndjson")


@dataclass(frozen=True)
class Question:
    """The rows that are held against the profile."""

    table: str
    """A table (CSV, Parquet, arrays), a folder or a glob of Parquet files, or a log of requests
    (JSON lines); or the address of such in S3."""
    limit: float | None = None
    """An index above it is drift; None: the profile's."""


def main(question: Question, *, in_json: bool = False) -> None:
    """Print the index of each feature and output, and the verdict.

    Raises:
        GateFailed: something has drifted.
        UserError: the file is wrong, or outputs are missing.
    """
    with answering(in_json=in_json) as answer, local(question.table) as (table, shown):
        schema, profile = read_schema(), read_profile()
        model = read_bytes(QUANTIZED_MODEL)
        if sha256(model).hexdigest() != profile["model"]:
            raise UserError(f"{PROFILE} is not of {QUANTIZED_MODEL}; run `dvc repro`")
        pieces, lines = _rows(table, schema)
        counts, rows = _counted(profile, pieces, open_session(model))
        if not rows:
            raise UserError(f"{table} has no row; expected at least one")
        found = shifts(profile, counts, question.limit)
        limit = profile["limit"] if question.limit is None else question.limit
        drifted = [shift.name for shift in found if shift.verdict == Verdict.DRIFTED]
        answer(_result(question.table, rows, limit, found, drifted))
        for line in lines():
            say(f"warning: {shown(line)}")
        if not in_json:
            _show(found, rows)
        if drifted:
            names = ", ".join(shortened(name) for name in drifted)
            raise GateFailed(
                f"{question.table}: {names} drifted (PSI above {limit:g} and above chance)"
            )


def read_profile(path: Path = PROFILE) -> Profile:
    """Return the profile that the package stage has written.

    Raises:
        UserError: there is none, or it is something else.
    """
    try:
        return checked_profile(read_json(path))
    except ValueError as error:
        raise UserError(f"{path}: {error}; run `dvc repro --force package`") from error


def _counted(profile: Profile, pieces: Iterator[Feeds], session: Any) -> tuple[list[Counts], int]:
    """Return how many rows are in the bins of each entry of the profile, and how many in all."""
    counts: list[Counts] = []
    rows = 0
    for feeds in pieces:
        found = counts_of(profile, feeds, predicted(session, feeds))
        counts = [one + other for one, other in zip(counts, found, strict=True)] if rows else found
        rows += len(next(iter(feeds.values())))
    return counts, rows


def _rows(table: str, schema: Schema) -> tuple[Iterator[Feeds], Callable[[], list[str]]]:
    """Return the rows in pieces, and what tells lines about them after the last one."""
    path = Path(table)
    if path.suffix in LOGS and path.is_file():
        return rows_of_log(path, schema), list
    if path.is_file() and path.suffix not in SUFFIXES:
        expected = ", ".join([*SUFFIXES, *LOGS])
        raise UserError(f"{table!r} should end in one of {expected}")
    if not path.is_file() and not names_several(table):
        raise UserError(f"{table!r} is not a file or a folder; correct the path")
    data = load_params().data
    form = CsvForm(tuple(data.missing_values), data.decimal, data.thousands)
    found = TableRows(table, form, schema)
    return found.pieces(), lambda: found.lines


def _result(
    table: str, rows: int, limit: float, found: list[Shift], drifted: list[str]
) -> dict[str, Any]:
    entries = [shift.to_json() for shift in found]
    return {"file": table, "rows": rows, "limit": limit, "drifted": drifted, "entries": entries}


def _show(found: list[Shift], rows: int) -> None:
    """Print a table, the largest index first."""
    from rich.table import Table
    from rich.text import Text

    names = ("column", "PSI", "chance", "verdict", "most changed", "before", "now", "missing")
    table = Table(title=f"{rows} rows")
    for name in names:
        numeric = name in ("PSI", "chance", "before", "now", "missing")
        table.add_column(name, justify="right" if numeric else "left")
    for shift in sorted(found, key=lambda each: -each.psi):
        name = f"{shift.name} (output)" if shift.output else shift.name
        table.add_row(
            Text(visible(shortened(name))),
            f"{shift.psi:.3f}",
            f"{shift.chance:.3f}",
            str(shift.verdict),
            Text(visible(shortened(shift.most))),
            *(f"{100 * share:.1f} %" for share in (shift.before, shift.now, shift.missing)),
        )
    screen().print(table)
