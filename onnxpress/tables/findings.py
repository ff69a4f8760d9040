"""Something that may surprise about a column of a table, and how a line says it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from onnxpress.tables.wording import listed, shown


@dataclass(frozen=True)
class Finding:
    """Something that may surprise about a column: why, in a word, and the line after its name."""

    reason: str
    column: str
    says: str
    what: str = "column"


def finding_lines(findings: Iterable[Finding]) -> list[str]:
    """Return one line per reason; the first column's words speak for all that share the reason."""
    by_reason: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        by_reason[finding.reason, finding.what].append(finding)
    lines = []
    for (_, what), (first, *others) in by_reason.items():
        also = listed(other.column for other in others)
        count = f"{len(others)} more column{'s' if len(others) > 1 else ''}"
        rest = f" (and so in {count}: {also})" if others else ""
        lines.append(f"{what} {shown(first.column)} {first.says}{rest}")
    return lines
