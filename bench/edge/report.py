"""The page of what was measured."""

from __future__ import annotations

from typing import Any

HEAD = """\
# Models as C

Written by `python -m bench.edge`. Flash and RAM are what a model adds to an empty program for the
chip (`-Os`, unused functions left out), for the label of a row: code, tables and the parts of
libgcc and newlib that it needs. Stack is the largest frame. Times are the best of five on one
core, gcc `-O2`; `onnxruntime` is the median of a call with one row, its floor that of a model
that does nothing.

The peers get the original forest of 100 trees, and the smallest of 1, 2, 3, 5, 10, 20, 50 or 100
trees that reaches the refined forest's score on the test rows, which is chosen on these rows in
their favour. `emlearn, int16` compares whole numbers, so its rows are scaled to 10,000 before,
which is not counted.

"""
SIZES = [
    "table",
    "contestant",
    "forest",
    "score",
    "flash_M0+",
    "flash_M4F",
    "RAM",
    "stack_M0+",
    "ns_a_row",
]
TIMES = [
    "table",
    "C,_ns",
    "onnxruntime,_ns",
    "its_floor,_ns",
    "floor_over_C",
]
BODIES = ["table", "body", "bytes", "ns_a_row"]
ABOUT_BODIES = """
The same model in every body, in the same run as the above; [the picture](../../docs/bodies.png) has
the peers, too. Bytes are flash on the Cortex-M0+ for C, the module and its JavaScript for
WebAssembly, the text for SQL, and with onnxruntime the model and all files of the runtime (of the
Python package; what the page loads of onnxruntime-web). Times are of one row a call in one thread,
in SQL a row of a table of 10,000. The machine is shared with other work, so compare times with each
other, and not with those of another run.
"""


def page(found: dict[str, Any]) -> str:
    """The page in Markdown."""
    equal = found["equal"]
    lines = [HEAD + _equal(equal)]
    lines += ["", f"| {_names(SIZES)} |", "|---|---|---|---:|---:|---:|---:|---:|---:|"]
    for row in found["tables"]:
        m0, m4 = row["bytes"]["Cortex-M0+"], row["bytes"]["Cortex-M4F"]
        what = f"{row['forest']}, {row['what']}" if "what" in row else row["forest"]
        cells = [row["table"], row["contestant"], what, f"{row['score']:.4f}"]
        cells += [f"{m0['flash']:,}", f"{m4['flash']:,}", f"{m0['ram']:,}", f"{m0['stack']:,}"]
        lines.append(f"| {' | '.join([*cells, format(row['ns'], ',.1f')])} |")
    lines += ["", f"| {_names(TIMES)} |", "|---|---:|---:|---:|---:|"]
    for row in found["tables"]:
        if "floor" in row:
            cells = [row["table"], f"{row['ns']:,.1f}", f"{row['onnxruntime']:,.0f}"]
            cells += [f"{row['floor']:,.0f}", f"{row['floor'] / row['ns']:,.0f}"]
            lines.append(f"| {' | '.join(cells)} |")
    lines += [ABOUT_BODIES, f"| {_names(BODIES)} |", "|---|---|---:|---:|"]
    for row in found["tables"]:
        for each in row.get("bodies", []):
            cells = [row["table"], each["body"], f"{each['bytes']:,}", f"{each['ns']:,.0f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _names(columns: list[str]) -> str:
    return " | ".join(columns).replace("_", " ")


def _equal(equal: dict[str, Any]) -> str:
    written = equal["models"] - len(equal["refused"])
    lines = [
        f"**{equal['equal']} of {written} random models** (refined and other forests, linear",
        "models and nets, each from a seed) answer all of their rows as onnxruntime does,",
        f"{equal['rows']:,} in all: rows of their kind, rows at thresholds and next to them, rows",
        f"with missing, infinite and very large numbers. {equal['left_out']:,} rows were left",
        "out: rounding may decide their label, or they have no finite answer.",
        f"{len(equal['refused'])} more models were refused:",
        "",
    ]
    return "\n".join([*lines, *(f"- {line}" for line in equal["refused"] or ["none"])])
