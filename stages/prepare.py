"""Read the data, settle its schema, split it, and write each part as Parquet."""

from __future__ import annotations

import pandas as pd

from onnxpress.errors import UserError
from onnxpress.pipeline.console import say, working
from onnxpress.pipeline.files import write_json
from onnxpress.pipeline.outputs import CALIBRATION, SCHEMA, TEST, TRAIN
from onnxpress.pipeline.params import Data, load_params
from onnxpress.pipeline.running import run_stage
from onnxpress.tables.csv_types import CsvForm
from onnxpress.tables.frames import settle, write_parquet
from onnxpress.tables.parts import leak_findings, part_findings, shared_lines
from onnxpress.tables.schema import Schema
from onnxpress.tables.sources import Source, load_source
from onnxpress.tables.split import Parts, split
from onnxpress.tables.surprises import column_findings, lines, quantity_findings, target_findings


def main() -> None:
    """params.yaml and data/ in, three Parquet files and their schema out."""
    params = load_params()
    data = params.data
    with working(f"reading {data.source}"):
        source = load_source(data.source, data.target, csv_form(data), data.text)
        frame, schema = settle(source.table, source.target, data.task, data.text)
        told = source_lines(source, frame, schema, data.task)
    kinds = [column.kind for column in schema.columns]
    texts = f", {kinds.count('text')} texts" if data.text else ""
    say(
        f"{data.source}: {len(frame)} rows, {kinds.count('number')} numbers, {kinds.count('category')} categories{texts}"
    )
    if left_out := source.table.num_rows - len(frame):
        say(f"{left_out} rows without a target are left out")
    warn(told)
    parts = split(frame, schema, data.test_size, data.calibration_size, params.seed)
    for path, part in zip(
        (TRAIN, CALIBRATION, TEST), (parts.train, parts.calibration, parts.test), strict=True
    ):
        write_parquet(path, part)
    write_json(SCHEMA, parts.schema.to_json())
    say(f"{schema.task} of {schema.target!r}: {parts.describe_target()}")
    say(
        f"{len(parts.train)} training, {len(parts.calibration)} calibration, {len(parts.test)} test rows"
    )
    warn(part_lines(parts))


def source_lines(source: Source, frame: pd.DataFrame, schema: Schema, task: str) -> list[str]:
    """What may surprise about the data as they come."""
    classes = schema.task == "classification"
    findings = [
        *(
            target_findings(source.table, schema.target, source.cells, decided=task != "auto")
            if classes
            else quantity_findings(source.table, schema.target)
        ),
        *leak_findings(frame, schema),
        *column_findings(source.table, schema, source.cells),
    ]
    return [*source.lines, *lines(findings)]


def part_lines(parts: Parts) -> list[str]:
    """What may surprise about the rows of the parts."""
    known = pd.concat([parts.train, parts.calibration])
    return [
        *lines(part_findings(parts.train, parts.test, parts.schema)),
        *shared_lines(known, parts.test),
    ]


def warn(told: list[str]) -> None:
    """Say each line as a warning."""
    for line in told:
        say(f"warning: {line}")


def csv_form(data: Data) -> CsvForm:
    """How params say that a CSV file is written.

    Raises:
        UserError: one character is both the decimal mark and the thousands separator.
    """
    if data.decimal == data.thousands:
        raise UserError(
            f"params.yaml: data.decimal and data.thousands are the same character, {data.decimal!r}; change one"
        )
    return CsvForm(tuple(data.missing_values), data.decimal, data.thousands)


if __name__ == "__main__":
    run_stage("prepare", main)
