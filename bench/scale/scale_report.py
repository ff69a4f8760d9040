"""scale.md, from the records of scale.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.scale.axes import AXES, FITS, STEPS, TIMED, Record, of
from bench.scale.growth import Exponent, exponent

LIMIT = 1.1
"""The most that an exponent in rows may be, the fit apart."""
HEAD = """\
# How the cost grows

Written by `python -m bench.scale`. CPU seconds are those of a stage and of all processes below it,
peak memory is that of the largest of them, with what it has mapped of files, which the kernel may
drop: evaluate keeps its rows there. The load average was {load:.1f} at the end: it is in every wall
time, and in CPU seconds little.

An exponent is the slope of what is above the smallest size, in logarithms, with its standard
error: 1 is linear. It is over what the stage reads: prepare and score all rows, evaluate and drift
the test rows, the others the rows that are kept, at most a million. Stages marked * fit the
estimator, and grow at least as its fit does. A dash: what is above the start of Python is too
little. [The picture](scale.png) shows the same costs.
"""


def exponents(records: Sequence[Record]) -> dict[tuple[str, str], Exponent | None]:
    """Return the exponent of each line, by axis and step."""
    lines = {(each["axis"], each["step"]): None for each in records}
    found = {}
    for axis, step in lines:
        line = of(records, axis, step)
        found[axis, step] = exponent(
            [each["size"] for each in line], [each["cpu_s"] for each in line]
        )
    return found


def super_linear(records: Sequence[Record]) -> list[str]:
    """Return the steps whose exponent in rows is above the limit, and does not fit by chance."""
    return [
        step
        for (axis, step), found in exponents(records).items()
        if axis == "rows"
        and step not in FITS
        and found
        and found.value - (found.error or 0) > LIMIT
    ]


def page(content: dict[str, Any]) -> str:
    """Return the page."""
    records, parts = content["records"], [HEAD.format(load=content["load"])]
    steps = [step for step in STEPS if step not in TIMED]
    names = [axis.name for axis in AXES if any(each["axis"] == axis.name for each in records)]
    parts += [_table(records, name, steps) for name in names]
    slow = super_linear(records)
    known = [step for (axis, step), one in exponents(records).items() if axis == "rows" and one]
    verdict = f"above {LIMIT}: {', '.join(slow)}" if slow else f"none is above {LIMIT}"
    verdict += f", of {len(known)} stages that grow enough to tell"
    parts.append(f"**Exponents in rows, the fit apart: {verdict}.**\n")
    if content["workers"]:
        parts.append(_workers(content["workers"]))
    return "\n".join(parts)


def _table(records: Sequence[Record], axis: str, steps: Sequence[str]) -> str:
    found = exponents(records)
    sizes = sorted(
        {each["of"] if axis == "rows" else each["size"] for each in records if each["axis"] == axis}
    )
    head = ["stage", *(f"{size:,}" for size in sizes), "exponent"]
    lines = [
        f"## {axis.capitalize()}\n",
        "CPU seconds / peak MB.\n",
        f"| {' | '.join(head)} |",
        f"|---|{'---:|' * (len(head) - 1)}",
    ]
    for step in steps:
        line = sorted(of(records, axis, step), key=lambda each: each["of"] * 10**9 + each["size"])
        cells = [f"{each['cpu_s']:.1f} / {each['peak_mb']:,.0f}" for each in line]
        name = f"{step} *" if step in FITS else step
        lines.append(f"| {' | '.join([name, *cells, _shown(found[axis, step])])} |")
    return "\n".join([*lines, ""])


def _shown(found: Exponent | None) -> str:
    if found is None:
        return "-"
    return f"{found.value:.2f}" + ("" if found.error is None else f" ± {found.error:.2f}")


_COLUMNS = (
    *("step", "rows", "here", "1 worker", "2 workers", "ratio", "ratio of trials"),
    *("two at once", "bytes", "tasks"),
)


def _workers(records: Sequence[Record]) -> str:
    counts = sorted(records[0]["simulated_s"], key=int)
    lines = [
        "## Workers\n",
        "Seconds of the same step in this process, and on workers of one thread each on this",
        "machine. The trials are from the start of the first task to the end of the last, without",
        "the start of Python. Two at once is what this machine can gain at all: how much faster it",
        "does the step twice in two processes than one after the other. The rest is simulated:",
        "list scheduling of the tasks' times on one worker, as if no task waited for another, and",
        "with what is between them.\n",
        f"| {' | '.join([*_COLUMNS, *counts])} |",
        f"|---|{'---:|' * (len(_COLUMNS) - 1 + len(counts))}",
    ]
    for each in records:
        one, two = each["workers_1_s"], each["workers_2_s"]
        cells = [each["step"], f"{each['rows']:,}", f"{each['here_s']:.1f}", f"{one:.1f}"]
        trials = each["trials_1_s"] / each["trials_2_s"]
        cells += [f"{two:.1f}", f"{one / two:.2f}", f"{trials:.2f}"]
        cells.append(f"{2 * each['here_s'] / each['both_s']:.2f}")
        cells += ["identical" if each["identical"] else "DIFFERENT", str(each["tasks"])]
        cells += [f"{each['simulated_s'][count]:.1f}" for count in counts]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])
