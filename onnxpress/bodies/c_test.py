"""A C program that holds a body against rows and the answers of onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.bodies.c_source import prototypes
from onnxpress.bodies.c_tables import wrapped
from onnxpress.bodies.rows import Answers
from onnxpress.bodies.steps import Program

LABEL = """\
    if ({name}_predict(row) != label[at])
        return 0;
"""

RUNNER = """\
static float number(uint32_t bits)
{{
    union {{ uint32_t bits; float value; }} same;
    same.bits = bits;
    return same.value;
}}

/* Whether the model gives what onnxruntime gives for a row. */
static int is_equal(int at)
{{
    float row[{columns}], found[{size}];
    int i;
    for (i = 0; i < {columns}; i++)
        row[i] = number(rows[at][i]);
{label}{call}
    for (i = 0; i < {size}; i++) {{
        const float apart = found[i] - number(result[at][i]);
        if (!(apart <= {limit} && -apart <= {limit}))
            return 0;
    }}
    return 1;
}}

int main(void)
{{
    int at, wrong = 0;
    for (at = 0; at < {count}; at++) {{
        if (!is_equal(at)) {{
            if (wrong++ == 0)
                printf("row %d differs from onnxruntime\\n", at);
        }}
    }}
    printf("%d of {count} rows differ from onnxruntime\\n", wrong);
    return wrong != 0;
}}
"""


def c_test(program: Program, answers: Answers, name: str) -> str:
    """Write the program, which prints how many rows differ and returns 0 if none does."""
    lines = [f'#include "{name}.h"', "", "#include <stdio.h>", ""]
    lines += _table("uint32_t", "rows", _bits(answers.rows))
    lines += _table("uint32_t", "result", _bits(answers.result))
    limit = "0.0f"
    if not program.is_exact:
        lines += _table("uint32_t", "limit", _bits(answers.apart))
        limit = "number(limit[at][i])"
    label = ""
    if answers.label is not None:
        lines += _table("int32_t", "label", answers.label.tolist())
        label = LABEL.format(name=name)
    size = answers.result.shape[1]
    function = prototypes(program, name)[-1].partition("(")[0].split()[-1]
    call = f"    {function}(row, found);"
    if answers.label is None and size == 1:
        call = f"    found[0] = {function}(row);"
    runner = RUNNER.format(
        columns=answers.rows.shape[1], size=size, count=len(answers.rows),
        limit=limit, label=label, call=call,
    )  # fmt: skip
    return "\n".join([*lines, runner])


def _bits(values: NDArray[np.float32]) -> list[Any]:
    return [[f"0x{bits:08x}u" for bits in row] for row in values.view(np.uint32).tolist()]


def _table(kind: str, name: str, values: list[Any]) -> list[str]:
    """A table of one or two dimensions."""
    rows = [value for value in values if isinstance(value, list)]
    shape = f"[{len(values)}]" + (f"[{len(rows[0])}]" if rows else "")
    items = [f"{{ {', '.join(row)} }}" for row in rows] or [str(value) for value in values]
    return [f"static const {kind} {name}{shape} = {{", *wrapped(items), "};"]
