"""scale.png: CPU seconds and peak memory of each stage against what grows, as in scale.md."""

from __future__ import annotations

from collections.abc import Sequence

from bench.scale.axes import AXES, STEPS, TIMED, Record, of
from onnxpress.report.pictures.canvas import figure, logarithmic, png, style

COSTS = {"cpu_s": "CPU seconds", "peak_mb": "peak memory (MB)"}
MARKS = "osv^D*Px"


def picture(records: Sequence[Record]) -> bytes:
    """Draw a column per axis, a row for CPU and one for memory, as PNG."""
    names = [axis.name for axis in AXES if any(each["axis"] == axis.name for each in records)]
    steps = [step for step in STEPS if step not in TIMED]
    with style():
        drawn = figure(4.6 * len(names), 7)
        parts = drawn.subplots(len(COSTS), len(names), squeeze=False, sharex="col", sharey="row")
        for axes, (cost, words) in zip(parts, COSTS.items(), strict=True):
            for axis, name in zip(axes, names, strict=True):
                for step, mark in zip(steps, MARKS, strict=True):
                    line = sorted(of(records, name, step), key=lambda each: each["size"])
                    sizes, costs = zip(*((each["size"], each[cost]) for each in line), strict=True)
                    axis.plot(sizes, costs, marker=mark, markersize=4, linewidth=1, label=step)
                logarithmic(axis.xaxis)
                logarithmic(axis.yaxis)
            axes[0].set_ylabel(words)
        for axis, name in zip(parts[-1], names, strict=True):
            axis.set_xlabel(f"{name} that the stage reads" if name == "rows" else name)
            axis.tick_params(axis="x", rotation=20)
        handles, labels = parts[0][0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside lower center", ncols=len(steps), fontsize=9)
        return png(drawn)
