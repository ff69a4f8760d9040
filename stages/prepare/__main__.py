"""Read the data, settle its schema, split it, and write each part as Parquet."""

from __future__ import annotations

import pandas as pd

from onnxpress.tables.csv_types import CsvForm
from onnxpress.tables.parts import leak_findings, part_findings, shared_lines
from onnxpress.tables.surprises import column_findings, lines, target_findings
from stages.common.console import say, working
from stages.common.errors import run_stage
from stages.common.files import CALIBRATION, SCHEMA, TEST, TRAIN, write_json
from stages.common.params import Data, load_params
from stages.prepare.frames import settle, write_parquet
from stages.prepare.sources import Source, load_source
from stages.prepare.split import Parts, split


def main() -> None:
    """params.yaml and data/ in, three Parquet files and their schema out."""
    params = load_params()
    with working(f"reading {params.data.source}"):
        source = load_source(params.data.source, params.data.target, csv_form(params.data), params.data.text)
        frame, schema = settle(source.table, source.target, params.data.task, params.data.text)
        parts = split(frame, schema, params.data.test_size, params.data.calibration_size, params.seed)
        for path, part in zip((TRAIN, CALIBRATION, TEST), (parts.train, parts.calibration, parts.test), strict=True):
            write_parquet(path, part)
    write_json(SCHEMA, parts.schema.to_json())
    kinds = [column.kind for column in schema.columns]
    texts = f", {kinds.count('text')} texts" if params.data.text else ""
    say(f"{params.data.source}: {len(frame)} rows, {kinds.count('number')} numbers, {kinds.count('category')} categories{texts}")
    if left_out := source.table.num_rows - len(frame):
        say(f"{left_out} rows without a target are left out")
    say(f"{schema.task} of {schema.target!r}: {parts.describe_target()}")
    say(f"{len(parts.train)} training, {len(parts.calibration)} calibration, {len(parts.test)} test rows")
    for line in surprises(source, frame, parts, params.data.task):
        say(f"warning: {line}")


def surprises(source: Source, frame: pd.DataFrame, parts: Parts, task: str) -> list[str]:
    """What in the data may surprise, a line per reason."""
    schema = parts.schema
    known = pd.concat([parts.train, parts.calibration])
    findings = [
        *(target_findings(source.table, schema.target, task, source.cells) if schema.task == "classification" else ()),
        *leak_findings(frame, schema),
        *column_findings(source.table, schema, source.cells),
        *part_findings(parts.train, parts.test, schema),
    ]
    return [*source.lines, *lines(findings), *shared_lines(known, parts.test)]


def csv_form(data: Data) -> CsvForm:
    """How params say that a CSV file is written."""
    return CsvForm(tuple(data.missing_values), data.decimal, data.thousands)


if __name__ == "__main__":
    run_stage("prepare", main)
