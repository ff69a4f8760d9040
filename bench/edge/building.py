"""C compiled: its labels, ns a row on this machine, and its bytes on a microcontroller."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.edge.contestants import Contestant, rows_for

CHIPS = {
    "Cortex-M0+": ("-mcpu=cortex-m0plus",),
    "Cortex-M4F": ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
}
SMALL = ("-mthumb", "-Os", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")
NEWLIB = ("--specs=nano.specs", "--specs=nosys.specs")
REPEATS = 5

TIMED = """\
#define _POSIX_C_SOURCE 199309L
#include <stdint.h>
#include <stdio.h>
#include <time.h>
int label(const {value} *row);
static const {value} rows[{count}][{columns}] = {{
{rows}
}};
int main(void) {{
    struct timespec from, to;
    double best = 1e30, ns;
    volatile int sink;
    int at, round, repeat;
    for (at = 0; at < {count}; at++) printf("%d\\n", label(rows[at]));
    for (repeat = 0; repeat < {repeats}; repeat++) {{
        clock_gettime(CLOCK_MONOTONIC, &from);
        for (round = 0; round < {rounds}; round++)
            for (at = 0; at < {count}; at++) sink = label(rows[at]);
        clock_gettime(CLOCK_MONOTONIC, &to);
        ns = (to.tv_sec - from.tv_sec) * 1e9 + (to.tv_nsec - from.tv_nsec);
        if (ns < best) best = ns;
    }}
    (void)sink;
    printf("%.3f\\n", best / ((double){rounds} * {count}));
    return 0;
}}
"""

ON_CHIP = """\
#include <stdint.h>
int label(const {value} *row);
volatile {value} row[{columns}];
int main(void) {{ return {call}; }}
"""


@dataclass(frozen=True)
class Bytes:
    """What a model adds to a program that does nothing."""

    flash: int
    ram: int
    """.data and .bss"""
    stack: int
    """The largest frame of a function."""


def run(contestant: Contestant, rows: NDArray[np.float32]) -> tuple[NDArray[np.int64], float]:
    """The labels of ``rows``, and ns a row: the best of five."""
    given = rows_for(contestant, rows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(contestant, folder)
        text = TIMED.format(
            value=contestant.value, count=len(rows), columns=rows.shape[1], repeats=REPEATS,
            rounds=max(1, 200_000 // len(rows)), rows=_table(given),
        )  # fmt: skip
        (folder / "timed.c").write_text(text)
        command = ["gcc", "-std=gnu99", "-O2", "-w", *_sources(contestant, folder)]
        _call([*command, "-o", "timed", "-lm"], folder)
        lines = _call([str(folder / "timed")], folder).split()
    return np.array(lines[:-1], np.int64), float(lines[-1])


def size_on(contestant: Contestant, chip: str, columns: int) -> Bytes:
    """The bytes that the label takes on a chip."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(contestant, folder)
        found = []
        for call in ("label((const void *)row)", "((volatile char *)row)[0]"):
            text = ON_CHIP.format(value=contestant.value, columns=columns, call=call)
            (folder / "timed.c").write_text(text)
            sources = _sources(contestant, folder)
            command = ["arm-none-eabi-gcc", *CHIPS[chip], *SMALL, *NEWLIB, "-std=c99", "-w"]
            _call([*command, "-fstack-usage", *sources, "-o", "model.elf", "-lm"], folder)
            numbers = _call(["arm-none-eabi-size", "model.elf"], folder).splitlines()[1].split()
            found.append([int(number) for number in numbers[:3]])
        frames = [
            int(line.split("\t")[1])
            for path in folder.glob("*.su")
            if "timed" not in path.name
            for line in path.read_text().splitlines()
        ]
    text_, data, bss = (one - none for one, none in zip(*found, strict=True))
    return Bytes(text_ + data, data + bss, max(frames))


def _write(contestant: Contestant, folder: Path) -> None:
    for name, text in contestant.files.items():
        (folder / name).write_text(text)


def _sources(contestant: Contestant, folder: Path) -> list[str]:
    includes = [f"-I{contestant.includes}"] if contestant.includes else []
    return [*includes, *sorted(path.name for path in folder.glob("*.c"))]


def _table(rows: NDArray[Any]) -> str:
    end = "" if rows.dtype.kind == "i" else "f"
    texts = (", ".join(_number(value, end) for value in row) for row in rows.tolist())
    return ",\n".join(f"{{{text}}}" for text in texts)


def _number(value: float, end: str) -> str:
    text = repr(value)
    return f"{text}{end}" if re.search(r"[.e]", text) or not end else f"{text}.0{end}"


def _call(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.strip()[-500:]}")
    return done.stdout
