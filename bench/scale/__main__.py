"""How the cost of each stage grows: ``python -m bench.scale`` writes scale.json, .md and .png.

``--quick`` takes sizes that need two minutes. ``--most rows=1000000`` leaves out larger sizes.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.scale import scale_picture, scale_report
from bench.scale.axes import AXES, Record, measure
from bench.scale.workers import compare
from onnxpress.pipeline.console import say
from onnxpress.pipeline.files import read_json, write_bytes, write_json
from onnxpress.pipeline.running import run_stage

RESULTS = Path(__file__).parents[1] / "results"
COMPARED, QUICK_COMPARED = 2_000_000, 20_000
"""Rows of which one worker is held against two."""


def main() -> None:
    """Measure each size in a folder of its own, and write the results after each."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description="growth of costs")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--axes", nargs="*", default=[axis.name for axis in AXES], help="of these")
    parser.add_argument(
        "--most", nargs="*", default=[], metavar="AXIS=SIZE", help="leave out larger sizes"
    )
    parser.add_argument("--compared", type=int, help="rows for one worker against two; 0: none")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the folder of the results")
    asked = parser.parse_args()
    most = {name: int(size) for name, _, size in (each.partition("=") for each in asked.most)}
    rows = asked.compared
    if rows is None:
        rows = QUICK_COMPARED if asked.quick else COMPARED
    records: list[Record] = []
    content: dict[str, Any] = {"records": records, "workers": [], "load": 0.0}
    with tempfile.TemporaryDirectory(prefix="scale-") as name:
        for axis in AXES:
            sizes = axis.quick if asked.quick else axis.sizes
            for size in sizes if axis.name in asked.axes else ():
                if size <= most.get(axis.name, size):
                    records += measure(axis, size, Path(name) / f"{axis.name}-{size}")
                    say(f"{axis.name} {size:,}: measured")
                    write(content, asked.output)
        if rows:
            content["workers"] = compare(rows, Path(name) / "workers")
    write(content, asked.output)
    sys.stdout.write((asked.output / "scale.md").read_text(encoding="utf-8"))


def write(content: dict[str, Any], folder: Path) -> None:
    """Write the results; page and picture are of the file, whose numbers are rounded."""
    content["load"] = os.getloadavg()[0]
    write_json(folder / "scale.json", content)
    stored = read_json(folder / "scale.json")
    write_bytes(folder / "scale.md", scale_report.page(stored).encode())
    if stored["records"]:
        write_bytes(folder / "scale.png", scale_picture.picture(stored["records"]))


if __name__ == "__main__":
    run_stage("scale", main)
