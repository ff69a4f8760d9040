"""Everything that may surprise about a table, as lines that name the column and what to do."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pandas as pd

from onnxpress.tables.column_findings import column_findings
from onnxpress.tables.findings import Finding, finding_lines
from onnxpress.tables.folder_split import FolderParts
from onnxpress.tables.schema import Schema
from onnxpress.tables.sources import Source
from onnxpress.tables.split import Parts
from onnxpress.tables.split_findings import missing, part_findings, shared_lines
from onnxpress.tables.target_findings import leak_findings, quantity_findings, target_findings
from onnxpress.tables.tensors import Arrays, digests


def source_warnings(
    source: Source, frame: pd.DataFrame, schema: Schema, *, decided: bool
) -> list[str]:
    """Return what may surprise about a table as it comes.

    ``frame`` and ``schema`` are its typed columns; ``decided``: the task was chosen by the user,
    and not by the values of the target.
    """
    found = list[Finding]()
    schema = _of_columns(schema)
    for target in schema.targets:
        if schema.task == "classification":
            found += target_findings(source.table, target, source.cells, decided=decided)
        else:
            found += quantity_findings(source.table, target)
        found += leak_findings(frame, schema, target)
    found += column_findings(source.table, schema, source.cells)
    return [*source.lines, *finding_lines(found)]


def folder_warnings(found: FolderParts, *, decided: bool) -> list[str]:
    """Return what may surprise about the rows of a folder.

    Missing values are counted in all rows. Everything else is found on the rows that were kept, and
    a line says so, if they are not all.
    """
    parts = found.parts
    lines = source_warnings(found.source, found.frame, parts.schema, decided=decided)
    lines += finding_lines(part_findings(parts.train, found.test_missing, parts.schema))
    kept, others = len(found.frame), found.rows - found.test_rows
    if kept < others:
        lines.append(
            f"the {kept} rows that are kept were searched for what may surprise, and all rows for "
            "missing values only"
        )
    return lines


def split_warnings(parts: Parts, tensors: Arrays = MappingProxyType({})) -> list[str]:
    """Return what may surprise about the rows of the parts taken together.

    The index of each part says which rows of ``tensors`` it has. Rows that are the same in two
    groups surprise nobody: an item belongs to many queries.
    """
    known, test = pd.concat([parts.train, parts.calibration]), parts.test
    schema = _of_columns(parts.schema)
    gaps = {column.name: missing(test[column.name]) for column in schema.columns if column.missing}
    lines = finding_lines(part_findings(parts.train, gaps, schema))
    if parts.schema.group is not None:
        return lines
    if tensors:
        known, test = (
            part.assign(tensors=digests(tensors, part.index.to_numpy())) for part in (known, test)
        )
    return [*lines, *shared_lines(known, test)]


def _of_columns(schema: Schema) -> Schema:
    """Return a schema of the columns of a table alone, of which a frame has the values."""
    return replace(schema, columns=()) if schema.has_tensors else schema
