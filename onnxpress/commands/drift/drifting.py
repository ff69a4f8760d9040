"""Print how far the rows of a file have drifted from the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from onnxpress.commands.drift.rows_of_log import rows_of_log
from onnxpress.commands.drift.rows_of_table import Batch, rows_of_table
from onnxpress.drift.profiling import Profile, predicted
from onnxpress.drift.shifts import Shift, Verdict, checked_profile, shifts
from onnxpress.errors import GateFailed, UserError
from onnxpress.pipeline.console import answering, say, screen
from onnxpress.pipeline.files import read_bytes, read_json
from onnxpress.pipeline.inputs import read_schema
from onnxpress.pipeline.outputs import QUANTIZED_MODEL, SERVING
from onnxpress.pipeline.params import load_params
from onnxpress.runtime.sessions import open_session
from onnxpress.serving.drift_component import PROFILE as DRIFT_PROFILE
from onnxpress.tables.csv_types import CsvForm
from onnxpress.tables.schema import Schema
from onnxpress.tables.sources import SUFFIXES
from onnxpress.text import shortened, visible

PROFILE = SERVING / DRIFT_PROFILE
LOGS = (".jsonl", ".json", ".log", ".ndjson")


@dataclass(frozen=True)
class Question:
    """The rows that are held against the profile."""

    path: Path
    """A table (CSV, Parquet) or a log of requests (JSON lines)."""
    limit: float | None = None
    """An index above it is drift; None: the profile's."""


def main(question: Question, *, in_json: bool = False) -> None:
    """Print the index of each feature and output, and the verdict.

    Raises:
        GateFailed: something has drifted.
        UserError: the file is wrong, or outputs are missing.
    """
    with answering(in_json=in_json) as answer:
        schema, profile = read_schema(), read_profile()
        batch = _rows(question.path, schema)
        model = read_bytes(QUANTIZED_MODEL)
        if sha256(model).hexdigest() != profile["model"]:
            raise UserError(f"{PROFILE} is not of {QUANTIZED_MODEL}; run `dvc repro`")
        found = shifts(
            profile, batch.feeds, predicted(open_session(model), batch.feeds), question.limit
        )
        rows = len(next(iter(batch.feeds.values())))
        limit = profile["limit"] if question.limit is None else question.limit
        drifted = [shift.name for shift in found if shift.verdict == Verdict.DRIFTED]
        answer(_result(question.path, rows, limit, found, drifted))
        for line in batch.lines:
            say(f"warning: {line}")
        if not in_json:
            _show(found, rows)
        if drifted:
            names = ", ".join(shortened(name) for name in drifted)
            raise GateFailed(
                f"{question.path}: {names} drifted (PSI above {limit:g} and above chance)"
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


def _rows(path: Path, schema: Schema) -> Batch:
    if not path.is_file():
        raise UserError(f"{str(path)!r} is not a file; correct the path")
    if path.suffix in SUFFIXES:
        data = load_params().data
        form = CsvForm(tuple(data.missing_values), data.decimal, data.thousands)
        return rows_of_table(path, form, schema)
    if path.suffix in LOGS:
        return rows_of_log(path, schema)
    expected = ", ".join([*SUFFIXES, *LOGS])
    raise UserError(f"{str(path)!r} should end in one of {expected}")


def _result(
    path: Path, rows: int, limit: float, found: list[Shift], drifted: list[str]
) -> dict[str, Any]:
    entries = [shift.to_json() for shift in found]
    return {"file": str(path), "rows": rows, "limit": limit, "drifted": drifted, "entries": entries}


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
