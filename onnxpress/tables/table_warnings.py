"""Everything that may surprise about a table, as lines that name the column and what to do."""

from __future__ import annotations

import pandas as pd

from onnxpress.tables.column_findings import column_findings
from onnxpress.tables.findings import Finding, finding_lines
from onnxpress.tables.schema import Schema
from onnxpress.tables.sources import Source
from onnxpress.tables.split import Parts
from onnxpress.tables.split_findings import part_findings, shared_lines
from onnxpress.tables.target_findings import leak_findings, quantity_findings, target_findings


def source_warnings(
    source: Source, frame: pd.DataFrame, schema: Schema, *, decided: bool
) -> list[str]:
    """Return what may surprise about a table as it comes.

    ``frame`` and ``schema`` are its typed columns; ``decided``: the task was chosen by the user,
    and not by the values of the target.
    """
    found = list[Finding]()
    for target in schema.targets:
        if schema.task == "classification":
            found += target_findings(source.table, target, source.cells, decided=decided)
        else:
            found += quantity_findings(source.table, target)
        found += leak_findings(frame, schema, target)
    found += column_findings(source.table, schema, source.cells)
    return [*source.lines, *finding_lines(found)]


def split_warnings(parts: Parts) -> list[str]:
    """Return what may surprise about the rows of the parts taken together.

    Rows that are the same in two groups surprise nobody: an item belongs to many queries.
    """
    known = pd.concat([parts.train, parts.calibration])
    found = part_findings(parts.train, parts.test, parts.schema)
    shared = [] if parts.schema.group is not None else shared_lines(known, parts.test)
    return [*finding_lines(found), *shared]
