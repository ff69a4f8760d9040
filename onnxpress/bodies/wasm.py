"""The C of a program compiled to WebAssembly, and a module of JavaScript that calls it."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from onnxpress.bodies.c_source import Sources, prototypes
from onnxpress.bodies.steps import Program
from onnxpress.errors import UserError

FLAGS = (
    "--target=wasm32",
    "-std=c99",
    "-Os",
    "-ffreestanding",
    "-fno-builtin",  # else loops become calls of memset, which is in no library here
    "-nostdlib",
    "-Wl,--no-entry",
    "-Wl,--strip-all",
    "-Wl,--stack-first",  # a stack that is too small then ends the call, and changes no table
)
LEAST_STACK = 16_384
"""Bytes beside the numbers of steps."""
SAFE = 2**53
"""Numbers of JavaScript hold whole numbers below it."""
PACKAGES = {"clang": "clang", "wasm-ld": "lld"}
"""By program, the package of Debian that has it."""

ENTRIES = """\
#include "{name}.h"

static float row[{columns}], result[{size}];

__attribute__((export_name("row"))) float *row_at(void)
{{
    return row;
}}

__attribute__((export_name("result"))) float *result_at(void)
{{
    return result;
}}

__attribute__((export_name("finish"))) void finish(void)
{{
    {call};
}}
"""

CHOICE = """
__attribute__((export_name("predict"))) int predict(void)
{{
    return {name}_predict(row);
}}
"""

MODULE = """\
// {columns} numbers in, as in the comment of {name}.h; a missing one is NaN. Written by onnxpress.
{classes}// `wasm` is the address of {name}.wasm, or its bytes.
export async function load(wasm) {{
  const given = wasm instanceof ArrayBuffer || ArrayBuffer.isView(wasm);
  const bytes = given ? wasm : await (await fetch(wasm)).arrayBuffer();
  const {{ memory, {entries} }} = (await WebAssembly.instantiate(bytes)).instance.exports;
  const input = new Float32Array(memory.buffer, row(), {columns});
  const output = new Float32Array(memory.buffer, result(), {size});
  const put = (values) => {{
    if (values.length !== {columns}) throw new RangeError(`expected {columns} numbers`);
    input.set(values);
  }};
  return {{
{methods}
  }};
}}
"""

FINISH = "{name}: (values) => (put(values), finish(), output.slice()),"


def compiled(program: Program, sources: Sources, name: str) -> bytes:
    """Return the WebAssembly of ``sources``.

    Raises:
        UserError: the compiler is not installed, or refuses the source.
    """
    for tool, package in PACKAGES.items():
        if shutil.which(tool) is None:
            cure = f"on Debian: apt-get install {package}"
            raise UserError(f"WebAssembly needs {tool}, which is not on PATH; {cure}")
    with tempfile.TemporaryDirectory() as folder:
        files = {
            f"{name}.h": sources.header,
            f"{name}.c": sources.source,
            "entries.c": entries(program, name),
        }
        for file, text in files.items():
            (Path(folder) / file).write_text(text, encoding="utf-8")
        stack = f"-Wl,-z,stack-size={_stack(program)}"
        command = ["clang", *FLAGS, stack, f"{name}.c", "entries.c", "-o", "model.wasm"]
        done = subprocess.run(  # noqa: S603 - our own source, compiled by the user's compiler
            command, cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            line = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
            raise UserError(f"clang cannot compile to WebAssembly: {line}; is lld of its version?")
        return (Path(folder) / "model.wasm").read_bytes()


def _stack(program: Program) -> int:
    """Bytes for the numbers of all steps, and for those of a row in the order of float32."""
    ends = [program.result] if program.chosen is None else [program.result, program.chosen]
    numbers = sum(step.size for step in program.steps(*ends))
    return LEAST_STACK + 16 * numbers


def entries(program: Program, name: str) -> str:
    """Return the C behind the exported functions, which share one row and one result."""
    function = prototypes(program, name)[-1].partition("(")[0].split()[-1]
    single = program.chosen is None and program.result.size == 1
    call = f"result[0] = {function}(row)" if single else f"{function}(row, result)"
    text = ENTRIES.format(
        name=name, columns=program.inputs.size, size=program.result.size, call=call
    )
    return text if program.chosen is None else text + CHOICE.format(name=name)


def javascript(program: Program, name: str) -> str:
    """Return the module, which exports ``load`` and the classes of a classifier."""
    methods, classes, called = [FINISH.format(name="predict")], "", "row, result, finish"
    if program.chosen is not None:
        classes = f"export const classes = [{', '.join(_classes(program))}];\n"
        kind = "predictScores" if program.name == "scores" else "predictProba"
        choice = "predict: (values) => (put(values), classes[predict()]),"
        methods, called = [choice, FINISH.format(name=kind)], f"{called}, predict"
    return MODULE.format(
        name=name,
        columns=program.inputs.size,
        size=program.result.size,
        classes=classes,
        entries=called,
        methods="\n".join(f"    {method}" for method in methods),
    )


def _classes(program: Program) -> list[str]:
    """The labels; whole numbers that a number of JavaScript would round are BigInt, all of them."""
    if isinstance(program.classes, tuple):
        return [json.dumps(text) for text in program.classes]
    numbers = np.asarray(program.classes).tolist()
    end = "" if all(abs(number) < SAFE for number in numbers) else "n"
    return [f"{number}{end}" for number in numbers]
