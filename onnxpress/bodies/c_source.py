"""A program as a C99 header and source: no allocation, no library, tables in flash.

Numbers are compared as whole numbers in the order of float32, so that a chip without a
floating-point unit finds the leaves, and mostly the label of a refined forest, in integers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import singledispatchmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.bodies.c_tables import Tables, number, wrapped
from onnxpress.bodies.oblivious import unit_of
from onnxpress.bodies.steps import (
    Activation,
    Arithmetic,
    Dense,
    Filled,
    Joined,
    LeafSums,
    NoBody,
    Program,
    Quotient,
    Scaled,
    Shares,
    Softmax,
    Step,
    Total,
    Trees,
)
from onnxpress.graph.trees.forest import Forest, Mode
from onnxpress.quantize.forest.lossless.leaf_table import int8_steps

MOST_NUMBERS = 2**22
"""Larger tables would make a source that compilers take minutes for."""
INT32 = 2**31

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


def c_sources(program: Program, name: str, origin: str) -> Sources:
    """Write ``program`` as ``<name>.h`` and ``<name>.c``; ``origin`` is the file that it is from.

    Raises:
        NoBody: it has too many numbers for a source.
    """
    writer = _Writer(name)
    entries = _entries(writer, program, name)
    tables = "\n".join(writer.tables.lines)
    helpers = (ORDER, "order("), (EXPONENTIAL, "exponential(")
    body = "\n".join(writer.functions)
    used = [text for text, call in helpers if call in body]
    parts = [f'#include "{name}.h"', FIT, tables, *used, body, entries]
    header = _header(program, name, origin)
    return Sources(header, "\n".join(part.rstrip("\n") + "\n" for part in parts if part))


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
    return "int64_t" if np.abs(program.classes).max() >= INT32 else "int32_t"


def _text(text: str) -> str:
    """A C string: bytes beyond ASCII, quotes and question marks are written as numbers."""
    plain = set(b" !#$%&'()*+,-./:;<=>@[]^_`{|}~") | set(range(48, 58))
    plain |= set(range(65, 91)) | set(range(97, 123))
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode()) + '"'


def _entries(writer: _Writer, program: Program, name: str) -> str:
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
        items = items or [str(each) for each in np.asarray(classes).tolist()]
        kind = _class_type(program)
        lines += [f"const {kind} {name}_classes[{len(items)}] = {{", *wrapped(items), "};", ""]
    lines += [heads[0], "{", *writer.choice(program, program.chosen), "}", ""]
    lines += [heads[1], "{", *writer.calls(program, program.result, _array(program)), "}"]
    return "\n".join(lines)


@dataclass
class _Writer:
    """One function for each step, written once, and their tables."""

    name: str
    tables: Tables = field(default_factory=Tables)
    functions: list[str] = field(default_factory=list)
    numbers: dict[Step, int] = field(default_factory=dict)

    def place(self, step: Step, kind: str) -> str:
        """The C name of what belongs to ``step``."""
        if step not in self.numbers:
            self.numbers[step] = len(self.numbers) + 1
            self._check(step)
            before = len(self.functions)
            lines = self._function(step)
            self.functions.insert(before, "\n".join(lines))
        return f"{kind}{self.numbers[step]}"

    def _check(self, step: Step) -> None:
        size = 0
        if isinstance(step, Trees):
            size = step.forest.n_splits + step.forest.n_leaves
        if isinstance(step, LeafSums):
            size = step.table.size
        if isinstance(step, Dense):
            size = step.weights.size
        if size > MOST_NUMBERS:
            raise NoBody(
                f"the model has a table of {size:,} numbers, and C sources have at most "
                f"{MOST_NUMBERS:,}; compress it first, with --level refined for a forest"
            )

    def calls(self, program: Program, end: Step, out: str) -> list[str]:
        """Lines that compute ``end``, into the array ``out`` if it has a name."""
        declared, called = [], []
        names: dict[Step, str] = {program.inputs: "row"}
        for step in program.steps(end)[1:]:
            function = self.place(step, "step")
            names[step] = out if step is end and out else self.place(step, "v")
            if names[step] != out:
                kind = "int32_t" if isinstance(step, LeafSums) else "float"
                declared.append(f"    {kind} {names[step]}[{step.size}];")
            sources = dict.fromkeys(names[source] for source in step.sources)
            called.append(f"    {function}({', '.join([*sources, names[step]])});")
        if not called:  # the result is the row
            called = [f"    {out}[{place}] = row[{place}];" for place in range(end.size)]
        return declared + called

    def choice(self, program: Program, chosen: Step) -> list[str]:
        """Lines that return the first greatest number of ``chosen``."""
        weights = _whole_weights(chosen)
        end = chosen.source if weights is not None and isinstance(chosen, Scaled) else chosen
        value = "row" if end is program.inputs else self.place(end, "v")
        lines = [*self.calls(program, end, ""), "    int best = 0, each;"]
        element = f"{value}[{{}}]"
        if weights is not None and isinstance(chosen, Scaled):
            if (weights != 1).any():
                self.tables.whole("weight", weights)
                element = f"{element} * weight[{{}}]"
            if not np.array_equal(chosen.column, np.arange(chosen.size)):
                self.tables.whole("column", chosen.column)
                element = element.replace(f"{value}[{{}}]", f"{value}[column[{{}}]]")
        first, other = element.replace("{}", "best"), element.replace("{}", "each")
        lines.insert(lines.index("    int best = 0, each;"), "")
        declared = [line for line in lines if re.match(r"    (float|int32_t|int) \w+(\[|\s)", line)]
        called = [line for line in lines if line and line not in declared]
        loop = [f"    for (each = 1; each < {chosen.size}; each++)"]
        loop += [f"        if ({other} > {first})", "            best = each;", "    return best;"]
        return [*declared, *called, *loop]

    @singledispatchmethod
    def _function(self, step: Step) -> list[str]:
        raise TypeError(f"{type(step).__name__} has no form in C")

    def _loop(self, step: Step, formula: str) -> list[str]:
        """A function that computes each number by itself."""
        number_of = self.numbers[step]
        return [
            f"static void step{number_of}(const float *x, float *y)",
            "{",
            "    int i;",
            f"    for (i = 0; i < {step.size}; i++)",
            f"        y[i] = {formula};",
            "}",
            "",
        ]

    @_function.register
    def _(self, step: Joined) -> list[str]:
        at, parameters = self.numbers[step], dict.fromkeys(part.step for part in step.parts)
        names = {source: f"x{place}" for place, source in enumerate(parameters)}
        given = ", ".join(f"const float *{name}" for name in names.values())
        lines, start = [f"static void step{at}({given}, float *y)", "{", "    int i;"], 0
        for number_of, part in enumerate(step.parts):
            table = self.tables.whole(f"from{at}_{number_of}", part.place.ravel())
            lines.append(f"    for (i = 0; i < {part.place.size}; i++)")
            lines.append(f"        y[i + {start}] = {names[part.step]}[{table}[i]];")
            start += part.place.size
        return [*lines, "}", ""]

    @_function.register
    def _(self, step: Arithmetic) -> list[str]:
        constant = self._constant(step, step.constant)
        if step.operator in ("max", "min"):
            sign = "<" if step.operator == "max" else ">"
            return self._loop(step, f"x[i] {sign} {constant} ? {constant} : x[i]")
        left, right = (constant, "x[i]") if step.swapped else ("x[i]", constant)
        return self._loop(step, f"{left} {step.operator} {right}")

    def _constant(self, step: Step, values: NDArray[np.float32], index: str = "i") -> str:
        """C for the constant of the number at ``index``."""
        if (values == values[0]).all():
            text = number(values[0])
            return f"({text})" if text.startswith("-") else text
        return self.tables.shared(f"constant{self.numbers[step]}", values, index)

    @_function.register
    def _(self, step: Filled) -> list[str]:
        missing = "x[i] != x[i]" if np.isnan(step.missing) else f"x[i] == {number(step.missing)}"
        return self._loop(step, f"{missing} ? {self._constant(step, step.constant)} : x[i]")

    @_function.register
    def _(self, step: Activation) -> list[str]:
        if step.function == "relu":
            return self._loop(step, "x[i] < 0.0f ? 0.0f : x[i]")
        at, factor = self.numbers[step], "2.0f * " if step.function == "tanh" else ""
        share = "(1.0f - e) / (1.0f + e)" if step.function == "tanh" else "1.0f / (1.0f + e)"
        other = "-share" if step.function == "tanh" else "1.0f - share"
        return [
            f"static void step{at}(const float *x, float *y)",
            "{",
            "    int i;",
            f"    for (i = 0; i < {step.size}; i++) {{",
            f"        const float e = exponential({factor}(x[i] < 0.0f ? x[i] : -x[i]));",
            f"        const float share = {share};",
            f"        y[i] = x[i] < 0.0f ? {other} : share;",
            "    }",
            "}",
            "",
        ]

    @_function.register
    def _(self, step: Softmax) -> list[str]:
        at, size = self.numbers[step], step.size
        return [
            f"static void step{at}(const float *x, float *y)",
            "{",
            "    float most = x[0], total = 0.0f;",
            "    int i;",
            f"    for (i = 1; i < {size}; i++)",
            "        most = x[i] > most ? x[i] : most;",
            f"    for (i = 0; i < {size}; i++) {{",
            "        y[i] = exponential(x[i] - most);",
            "        total += y[i];",
            "    }",
            f"    for (i = 0; i < {size}; i++)",
            "        y[i] /= total;",
            "}",
            "",
        ]

    @_function.register
    def _(self, step: Shares) -> list[str]:
        at, size = self.numbers[step], step.size
        return [
            f"static void step{at}(const float *x, float *y)",
            "{",
            "    float total = 0.0f;",
            "    int i;",
            f"    for (i = 0; i < {size}; i++)",
            "        total += x[i] < 0.0f ? -x[i] : x[i];",
            f"    for (i = 0; i < {size}; i++)",
            "        y[i] = total > 0.0f ? x[i] / total : x[i];",
            "}",
            "",
        ]

    @_function.register
    def _(self, step: Total) -> list[str]:
        return [
            f"static void step{self.numbers[step]}(const float *x, float *y)",
            "{",
            "    int i;",
            "    y[0] = 0.0f;",
            f"    for (i = 0; i < {step.source.size}; i++)",
            "        y[0] += x[i];",
            "}",
            "",
        ]

    @_function.register
    def _(self, step: Quotient) -> list[str]:
        return [
            f"static void step{self.numbers[step]}(const float *x, const float *over, float *y)",
            "{",
            "    int i;",
            f"    for (i = 0; i < {step.size}; i++)",
            "        y[i] = x[i] / over[0];",
            "}",
            "",
        ]

    @_function.register
    def _(self, step: Dense) -> list[str]:
        at, inputs = self.numbers[step], step.source.size
        steps = step.step
        if step.codes is None or steps is None:
            weight = self.tables.shared(f"weight{at}", step.weights.T, f"j * {inputs} + i")
            total = "sum"
        else:
            table = self.tables.whole(f"weight{at}", step.codes.T)
            weight = f"{table}[j * {inputs} + i]"
            total = f"sum * {self._constant(step, steps, 'j')}"
        bias = self.tables.floats(f"bias{at}", step.bias)
        return [
            f"static void step{at}(const float *x, float *y)",
            "{",
            "    int i, j;",
            f"    for (j = 0; j < {step.size}; j++) {{",
            "        float sum = 0.0f;",
            f"        for (i = 0; i < {inputs}; i++)",
            f"            sum += x[i] * {_as_float(step, weight)};",
            f"        y[j] = {total} + {bias}[j];",
            "    }",
            "}",
            "",
        ]

    def _keys(self, step: Step, feature: NDArray[Any]) -> tuple[list[str], NDArray[Any]]:
        """Lines that order the numbers which are compared, and which of these each feature is."""
        used, number_of = np.unique(feature, return_inverse=True)
        place = "i"
        if not np.array_equal(used, np.arange(len(used))):
            place = f"{self.tables.whole(f'used{self.numbers[step]}', used)}[i]"
        lines = [
            f"    for (i = 0; i < {len(used)}; i++)",
            f"        key[i] = order(x[{place}]);",
        ]
        return [f"    int32_t key[{max(len(used), 1)}];", *lines], number_of.reshape(feature.shape)

    @_function.register
    def _(self, step: LeafSums) -> list[str]:
        at, (trees, depth) = self.numbers[step], step.feature.shape
        keys, feature = self._keys(step, step.feature)
        column = self.tables.whole(f"feature{at}", feature)
        cut = self.tables.shared(f"cut{at}", rank(step.threshold), "question")
        table = self.tables.whole(f"leaf{at}", step.table)
        leaf = f"((tree << {depth}) + (int)leaf)" + (f" * {step.size} + i" if step.size > 1 else "")
        return [
            f"static void step{at}(const float *x, int32_t *y)",
            "{",
            keys[0],
            "    int i, tree, level, question = 0;",
            *keys[1:],
            f"    for (i = 0; i < {step.size}; i++)",
            "        y[i] = 0;",
            f"    for (tree = 0; tree < {trees}; tree++) {{",
            "        unsigned leaf = 0;",
            f"        for (level = 0; level < {depth}; level++, question++)",
            f"            leaf |= (unsigned)(key[{column}[question]] < {cut}) << level;",
            *_each(step.size, f"y[{{}}] += {table}[{leaf}];", 8),
            "    }",
            "}",
            "",
        ]

    @_function.register
    def _(self, step: Scaled) -> list[str]:
        source = "x[i]"
        if not np.array_equal(step.column, np.arange(step.size)):
            source = f"x[{self.tables.whole(f'column{self.numbers[step]}', step.column)}[i]]"
        scale = self._constant(step, step.scale)
        formula = f"(float){source} * {scale}"
        if step.offset.any():
            at = self.numbers[step]
            formula += f" + {self.tables.floats(f'offset{at}', step.offset)}[i]"
        lines = self._loop(step, formula)
        return [lines[0].replace("const float *x", "const int32_t *x"), *lines[1:]]

    @_function.register
    def _(self, step: Trees) -> list[str]:
        at, forest = self.numbers[step], step.forest
        keys, feature = self._keys(step, forest.feature)
        splits = as_splits(forest)
        column = self.tables.whole(f"feature{at}", feature)
        cut = self.tables.shared(f"cut{at}", splits.cut, "node")
        left = self.tables.whole(f"left{at}", splits.left)
        right = self.tables.whole(f"right{at}", splits.right)
        root = self.tables.whole(f"root{at}", splits.root)
        goes = f"key[{column}[node]] <= {cut}"
        if splits.missing_left.any():
            missing = self.tables.whole(f"missing{at}", splits.missing_left.astype(np.uint8))
            goes += f" || ({missing}[node] && key[{column}[node]] == INT32_MAX)"
        n_splits = forest.n_splits
        return [
            f"static void step{at}(const float *x, float *y)",
            "{",
            keys[0],
            "    int32_t node;",
            "    int i, tree;",
            *keys[1:],
            f"    for (i = 0; i < {step.size}; i++)",
            "        y[i] = 0.0f;",
            f"    for (tree = 0; tree < {forest.n_trees}; tree++) {{",
            f"        node = {root}[tree];",
            f"        while (node < {n_splits})",
            f"            node = {goes} ? {left}[node] : {right}[node];",
            f"        node -= {n_splits};" if n_splits else "",
            *self._leaves(step, at),
            "    }",
            *self._ends(step, at),
            "}",
            "",
        ]

    def _leaves(self, step: Trees, at: int) -> list[str]:
        """Lines that add the leaf ``node``."""
        forest, size = step.forest, step.size
        if size > 1 and (np.diff(forest.leaf_offset) == 1).all():
            target = self.tables.whole(f"target{at}", forest.leaf_target)
            value = self._values(at, forest.leaf_weight[:, None], "node")
            return [f"        y[{target}[node]] += {value};"]
        if size == 1:
            return [f"        y[0] += {self._values(at, forest.leaf_values, 'node')};"]
        rows, number_of = np.unique(forest.leaf_values, axis=0, return_inverse=True)
        if len(rows) * (size - 1) > len(number_of) * size:  # few rows are alike
            rows, row = forest.leaf_values, "node"
        else:
            row = f"{self.tables.whole(f'row{at}', number_of)}[node]"
        return _each(size, f"y[{{}}] += {self._values(at, rows, f'{row} * {size} + i')};", 8)

    def _values(self, at: int, rows: NDArray[np.float32], index: str) -> str:
        """C for a leaf's value: int8 times a step if that is the same number."""
        steps = int8_steps(rows)
        if steps is None or steps[1].ndim:
            return self.tables.shared(f"leaf{at}", rows, index)
        table = self.tables.whole(f"leaf{at}", steps[0])
        return f"(float){table}[{index}] * {number(float(steps[1]))}"

    def _ends(self, step: Trees, at: int) -> list[str]:
        """Lines that make the average, and add the base values."""
        forest, lines = step.forest, []
        if forest.aggregate == "AVERAGE":
            lines += _each(step.size, f"y[{{}}] /= {number(forest.n_trees)};", 4)
        if forest.base_values.any():
            base = np.pad(forest.base_values, (0, step.size - len(forest.base_values)))
            lines += _each(
                step.size, f"y[{{}}] += {self.tables.floats(f'base{at}', base)}[{{}}];", 4
            )
        return lines


def _as_float(step: Dense, weight: str) -> str:
    return weight if step.codes is None else f"(float){weight}"


def _each(size: int, line: str, indent: int) -> list[str]:
    """``line`` for the only number, or in a loop over ``i``."""
    space = " " * indent
    if size == 1:
        return [f"{space}{line.replace('{}', '0')}"]
    return [
        f"{space}for (i = 0; i < {size}; i++)",
        f"{space}    {line.replace('{}', 'i')}",
    ]


@dataclass(frozen=True)
class Splits:
    """Splits that all ask ``order(x) <= cut``; children are splits, or splits plus leaves."""

    cut: NDArray[np.int32]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    missing_left: NDArray[np.bool_]
    root: NDArray[np.int64]


def as_splits(forest: Forest) -> Splits:
    """Write the splits of ``forest`` by one comparison.

    ``x < t`` is ``x <=`` the number before ``t``. ``x > t`` is ``x <= t`` with its children
    swapped, and a missing number goes to the left one then.
    """
    strict = np.isin(forest.mode, (Mode.LT, Mode.GTE))
    swapped = np.isin(forest.mode, (Mode.GT, Mode.GTE))

    def nodes(child: NDArray[np.int32]) -> NDArray[np.int64]:
        return np.where(child < 0, forest.n_splits + ~child.astype(np.int64), child)

    yes, no = nodes(forest.true_child), nodes(forest.false_child)
    return Splits(
        rank(forest.threshold) - strict.astype(np.int32),
        np.where(swapped, no, yes),
        np.where(swapped, yes, no),
        forest.missing_true != swapped,
        nodes(forest.roots),
    )


def rank(numbers: NDArray[Any]) -> NDArray[np.int32]:
    """The place of float32 numbers among all, infinities too; both zeros have 0.

    >>> rank(np.float32([0.0, -0.0, 1e-45, -1e-45])).tolist()
    [0, 0, 1, -1]
    """
    bits = np.asarray(numbers, np.float32).view(np.int32)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits).astype(np.int32)


def _whole_weights(chosen: Step) -> NDArray[np.int64] | None:
    """Whole numbers in the proportion of the scales, if their products with sums are int32."""
    if not isinstance(chosen, Scaled) or chosen.offset.any():
        return None
    unit = unit_of(chosen.scale).min()
    weights = chosen.scale.astype(np.float64) / unit
    most = np.abs(chosen.source.table.astype(np.int64)).max(axis=1).sum(axis=0)[chosen.column]
    if (most * np.abs(weights) >= INT32).any():
        return None
    return np.asarray(weights, np.int64)
