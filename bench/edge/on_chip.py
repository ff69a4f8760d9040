"""What a body really takes on a Cortex-M4F: bytes, stack, and cycles counted in an emulator."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxpress.bodies.c_source import c_sources, prototypes
from onnxpress.bodies.steps import Program

COMPILER = (
    "arm-none-eabi-gcc",
    *("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
    *("-std=c99", "-Os"),
)

HARNESS = """\
#include "m.h"
#include <stddef.h>
static const float rows[{count}][{columns}] = {{
{rows}
}};
static {kind} result[{size}];
volatile int sink;
void *memset(void *to, int value, size_t count)
{{
    unsigned char *at = to;
    while (count--)
        *at++ = (unsigned char)value;
    return to;
}}
void *memcpy(void *to, const void *from, size_t count)
{{
    unsigned char *at = to;
    const unsigned char *with = from;
    while (count--)
        *at++ = *with++;
    return to;
}}
__attribute__((noinline)) void mark(void) {{ sink++; }}
void _start(void)
{{
    int at;
    for (at = 0; at < {count}; at++) {{
{calls}
    }}
    __asm volatile("mov r7, #1\\nmov r0, #0\\nsvc 0");
}}
"""

TAKEN = 4
"""Cycles of a branch that is taken: 1, and 3 to fill the pipeline."""

CYCLES = {
    "vdiv|vsqrt": 15,
    "vf?n?ml[as]": 4,
    "[us]div": 12,
    "(ldr|str)d": 3,
    "v|ldr|str|ml[as]": 2,
    "": 1,
}
"""The most cycles by the beginning of a name (Cortex-M4 r0p1 reference manual, tables 3-1 and 7-1).

A number that the next instruction may need is taken to be needed there, which costs one more.
"""

LINE = re.compile(r"^ +([0-9a-f]+):\t([0-9a-f]{4}(?: [0-9a-f]{4})?) +\t(\S+)(?:\t([^;@]*))?")


@dataclass(frozen=True)
class Taken:
    """What a body takes."""

    flash: int
    """Bytes of code and constants in its object file, all functions."""
    ram: int
    """Bytes of its data, and of the stack of a call: the frames of the deepest calls."""
    cycles: int
    """Of the slowest call for one of the rows."""


@dataclass(frozen=True)
class Instruction:
    """An instruction as objdump shows it."""

    size: int
    name: str
    operands: str

    @property
    def cycles(self) -> int:
        """The most cycles, but for a branch that is taken."""
        name = self.name.split(".")[0]
        if re.match(r"v?(push|pop|ldm|stm)", name):
            return 1 + _listed(self.operands)
        return next(cycles for pattern, cycles in CYCLES.items() if re.match(pattern, name))


def _listed(operands: str) -> int:
    """How many registers a list has: ``{r4, r5, r7-r9}`` has 5."""
    count = 0
    for part in re.findall(r"[{,] *([a-z]+\d*(?:-[a-z]+\d+)?)(?=[,}])", operands):
        first, _, last = part.partition("-")
        count += int(re.sub(r"\D", "", last)) - int(re.sub(r"\D", "", first)) + 1 if last else 1
    return count


def taken(program: Program, rows: NDArray[np.float32] | None = None) -> Taken:
    """Compile a body and measure it; without rows no cycles are counted."""
    sources = c_sources(program, "m", "model.onnx")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "m.h").write_text(sources.header)
        (folder / "m.c").write_text(sources.source)
        _call(folder, *COMPILER, "-fstack-usage", "-c", "m.c")
        numbers = _call(folder, "arm-none-eabi-size", "m.o").splitlines()[1].split()
        text, data, bss = map(int, numbers[:3])
        frames = {
            line.split("\t")[0].split(":")[-1]: int(line.split("\t")[1])
            for line in (folder / "m.su").read_text().splitlines()
        }
        cycles = 0 if rows is None else max(_cycles(program, rows, folder))
    return Taken(text + data, data + bss + _deepest(frames), cycles)


def _deepest(frames: dict[str, int]) -> int:
    """The frames of an entry, of a step, and of a function that steps call."""
    helpers = {name: size for name, size in frames.items() if name in ("order", "exponential")}
    entries = {name: size for name, size in frames.items() if name.startswith("m_")}
    steps = frames.keys() - helpers.keys() - entries.keys()
    return (
        max(entries.values())
        + max((frames[name] for name in steps), default=0)
        + max(helpers.values(), default=0)
    )


def _cycles(program: Program, rows: NDArray[np.float32], folder: Path) -> Iterator[int]:
    """Yield the cycles of each call for each row, of the label and of the result."""
    names = [each.partition("(")[0].split()[-1] for each in prototypes(program, "m")]
    ends = "(rows[at], result)"
    calls = [f"m{names[-1][1:]}{ends}"]
    if program.chosen is not None:
        calls.append("sink += m_predict(rows[at])")
    elif program.result.size == 1:
        calls = ["result[0] = m_predict(rows[at])"]
    lines = [f"        mark();\n        {call};" for call in calls]
    table = ",\n".join(f"{{{', '.join(_number(value) for value in row)}}}" for row in rows)
    harness = HARNESS.format(
        count=len(rows), columns=rows.shape[1], rows=table, kind="float",
        size=program.result.size, calls="\n".join([*lines, "        mark();"]),
    )  # fmt: skip
    (folder / "harness.c").write_text(harness)
    flags = ("-nostdlib", "-ffreestanding", "-fno-tree-loop-distribute-patterns")
    _call(folder, *COMPILER, *flags, "-c", "harness.c")
    _call(folder, *COMPILER, "-nostdlib", "m.o", "harness.o", "-o", "m.elf")
    listing = _call(folder, "arm-none-eabi-objdump", "-d", "m.elf")
    mark = int(re.findall(r"^([0-9a-f]+) <mark>:", listing, re.MULTILINE)[0], 16)
    code = {
        int(found[1], 16): Instruction(2 * len(found[2].split()), found[3], found[4] or "")
        for found in map(LINE.match, listing.splitlines())
        if found
    }
    command = ["qemu-arm", "-cpu", "max", "-singlestep", "-d", "exec,nochain", "m.elf"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    trace = [int(at, 16) for at in re.findall(r"\[[0-9a-f]+/([0-9a-f]+)/", done.stderr)]
    spent = None
    for at, following in pairwise(trace):
        if at == mark:
            if spent is not None:
                yield spent
            spent = 0
        instruction = code[at]
        jumped = following != at + instruction.size
        spent = (spent or 0) + instruction.cycles + (TAKEN - 1 if jumped else 0)


def _number(value: np.float32) -> str:
    if np.isnan(value):
        return "0.0f/0.0f"
    if np.isinf(value):
        return "1.0f/0.0f" if value > 0 else "-1.0f/0.0f"
    return f"{float(value)!r}f"


def _call(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.strip()[-500:]}")
    return done.stdout
