"""A program as a C99 header and source: no allocation, no library, tables in flash."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from onnxpress.bodies.c_steps import INT32, StepWriter
from onnxpress.bodies.c_tables import WIDTHS, wrapped
from onnxpress.bodies.steps import Program

POINTER = 4

FIT = """\
#if defined(__FAST_MATH__)
#error "compile without -ffast-math: missing numbers and the order of sums must stay as they are"
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__) && defined(__FP_FAST_FMAF) && !defined(__STRICT_ANSI__)
#error "compile with -std=c99: products and sums must be rounded one after the other"
#endif
"""

ORDER = """\
/* The place of a number among all of float32; a missing one is behind all others. */
static int32_t order(float value)
{
    union { float value; int32_t bits; } same;
    same.value = value;
    if ((same.bits & 0x7fffffff) > 0x7f800000)
        return INT32_MAX;
    return same.bits < 0 ? -(same.bits & 0x7fffffff) : same.bits;
}
"""

EXPONENTIAL = """\
/* e to a power of 0 or less, within 2 units of the last place (Cephes, expf). */
static float exponential(float x)
{
    union { float value; int32_t bits; } power;
    float n, r;
    if (!(x > -87.0f))
        return x <= -87.0f ? 0.0f : x;
    power.bits = (int32_t)(x * 1.44269504f - 0.5f);
    n = (float)power.bits;
    r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    power.bits = (power.bits + 127) * 8388608;
    x = 1.9875691500e-4f * r + 1.3981999507e-3f;
    x = x * r + 8.3334519073e-3f;
    x = x * r + 4.1665795894e-2f;
    x = x * r + 1.6666665459e-1f;
    x = x * r + 5.0000001201e-1f;
    return (x * r * r + r + 1.0f) * power.value;
}
"""


@dataclass(frozen=True)
class Sources:
    """The two files."""

    header: str
    source: str
    tables: tuple[int, ...]
    """Bytes of each table of constants, on a chip of 32 bits."""


def c_sources(program: Program, name: str, origin: str) -> Sources:
    """Write ``program`` as ``<name>.h`` and ``<name>.c``; ``origin`` is the file that it is from.

    Raises:
        NoBody: it has too many numbers for a source.
    """
    writer = StepWriter()
    entries = _entries(writer, program, name)
    tables = "\n".join(writer.tables.lines)
    helpers = (ORDER, "order("), (EXPONENTIAL, "exponential(")
    body = "\n".join(writer.functions)
    used = [text for text, call in helpers if call in body]
    parts = [f'#include "{name}.h"', FIT, tables, *used, body, entries]
    header = _header(program, name, origin)
    source = "\n".join(part.rstrip("\n") + "\n" for part in parts if part)
    return Sources(header, source, (*writer.tables.bytes, *_class_bytes(program)))


def symbol(name: str) -> str:
    """Make a C name of a file's name.

    >>> symbol("model-2"), symbol("7.quantised")
    ('model_2', 'model_7_quantised')
    """
    made = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return made if re.match(r"[A-Za-z]", made) else f"model_{made}"


def prototypes(program: Program, name: str) -> list[str]:
    """Return the declarations of the functions, without semicolons."""
    row = f"const float row[{program.inputs.size}]"
    size = program.result.size
    if program.chosen is None and size == 1:
        return [f"float {name}_predict({row})"]
    if program.chosen is None:
        return [f"void {name}_predict({row}, float predictions[{size}])"]
    kind = "scores" if program.name == "scores" else "proba"
    result = f"void {name}_predict_{kind}({row}, float {_array(program)}[{size}])"
    return [f"int {name}_predict({row})", result]


def _array(program: Program) -> str:
    return "scores" if program.name == "scores" else "probabilities"


def has_own_classes(program: Program) -> bool:
    """Whether the labels are others than 0, 1, 2 and so on."""
    classes = program.classes
    return isinstance(classes, tuple) or not np.array_equal(classes, np.arange(len(classes)))


def _header(program: Program, name: str, origin: str) -> str:
    guard = f"{name.upper()}_H"
    columns = [f" *   {place}: {_comment(each)}" for place, each in enumerate(program.inputs.names)]
    words = {
        True: "Answers are those of the ONNX model in onnxruntime, to the last bit.",
        False: "Labels are those of the ONNX model in onnxruntime, numbers are within rounding.",
    }
    lines = [f"/* {_comment(origin)} as C, written by onnxpress.", " *"]
    lines += [f" * {words[program.is_exact]}", " * A missing number is a NaN.", " *"]
    lines += [" * A row has:", *columns, " */", f"#ifndef {guard}", f"#define {guard}", ""]
    lines += ["#include <stdint.h>", "", f"#define {name.upper()}_COLUMNS {program.inputs.size}"]
    if program.chosen is None:
        lines += [f"#define {name.upper()}_PREDICTIONS {program.result.size}", ""]
    else:
        lines += [f"#define {name.upper()}_CLASSES {program.chosen.size}", ""]
        if has_own_classes(program):
            lines += ["/* By the number that predict returns. */"]
            lines += [f"extern const {_class_type(program)} {name}_classes[{program.chosen.size}];"]
            lines += [""]
        lines += ["/* Returns the number of the class. */"]
    lines += [f"{each};" for each in prototypes(program, name)]
    return "\n".join([*lines, "", "#endif", ""])


def _comment(text: str) -> str:
    """``text`` as a comment may hold it: one line that ends no comment and starts none."""
    plain = text.encode("ascii", "replace").decode()
    return re.sub(r"[^ -~]", "?", plain).replace("*/", "*?").replace("/*", "?*").replace("??", "?")


def _class_type(program: Program) -> str:
    if isinstance(program.classes, tuple):
        return "char *const"
    fits = all(-INT32 < number < INT32 for number in np.asarray(program.classes).tolist())
    return "int32_t" if fits else "int64_t"


def _whole(number: int) -> str:
    """A whole number of 64 bits; C has no literal for the least one."""
    return f"({number + 1} - 1)" if number == np.iinfo(np.int64).min else str(number)


def _class_bytes(program: Program) -> list[int]:
    """Bytes of the table of classes, and of each text that it points to."""
    if program.chosen is None or not has_own_classes(program):
        return []
    classes = program.classes
    if isinstance(classes, tuple):
        return [POINTER * len(classes), *(len(each.encode()) + 1 for each in classes)]
    return [len(classes) * WIDTHS[_class_type(program)]]


def _text(text: str) -> str:
    """A C string: bytes beyond ASCII, quotes and question marks are written as numbers."""
    plain = set(b" !#$%&'()*+,-./:;<=>@[]^_`{|}~") | set(range(48, 58))
    plain |= set(range(65, 91)) | set(range(97, 123))
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode()) + '"'


def _entries(writer: StepWriter, program: Program, name: str) -> str:
    """The functions of the header."""
    lines: list[str] = []
    heads = prototypes(program, name)
    if program.chosen is None:
        single = program.result.size == 1
        end = [f"    return {writer.place(program.result, 'v')}[0];"] if single else []
        out = "" if single else "predictions"
        return "\n".join([heads[0], "{", *writer.calls(program, program.result, out), *end, "}"])
    if has_own_classes(program):
        classes = program.classes
        items = [_text(each) for each in classes] if isinstance(classes, tuple) else None
        items = items or [_whole(each) for each in np.asarray(classes).tolist()]
        kind = _class_type(program)
        lines += [f"const {kind} {name}_classes[{len(items)}] = {{", *wrapped(items), "};", ""]
    lines += [heads[0], "{", *writer.choice(program, program.chosen), "}", ""]
    lines += [heads[1], "{", *writer.calls(program, program.result, _array(program)), "}"]
    return "\n".join(lines)
