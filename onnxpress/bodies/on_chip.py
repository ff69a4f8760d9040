"""What the C of a program takes on a Cortex-M4F: never less than it does.

Tables are counted. Code, the frames of functions and cycles are ceilings for each kind of step,
measured over random models of every kind (``python -m bench.edge.predicted``) with
arm-none-eabi-gcc 12.2 and ``-Os -std=c99``. The same file gives the same numbers everywhere,
without a compiler.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from onnxpress.bodies.c_source import c_sources
from onnxpress.bodies.steps import (
    Activation,
    Arithmetic,
    Dense,
    Filled,
    Joined,
    LeafSums,
    Program,
    Quotient,
    Scaled,
    Shares,
    Softmax,
    Step,
    Total,
    Trees,
)
from onnxpress.graph.trees.forest import Forest

CORE = "Cortex-M4F"

Work = Counter[str]
"""How often each kind of operation is done for a row."""

CODE: dict[type[Step], int] = {
    Activation: 120,
    Arithmetic: 65,
    Dense: 40,
    Filled: 45,
    Joined: 25,
    LeafSums: 90,
    Quotient: 65,
    Scaled: 25,
    Shares: 110,
    Softmax: 160,
    Total: 65,
    Trees: 90,
}
"""Bytes of instructions of a step, written into both functions where it is short."""
CODE_ENTRY, CODE_TABLE, CODE_PART, CODE_EXPONENTIAL = 75, 14, 25, 210
"""The same of a function of the header, the address of a table, a loop that joins, and e^x."""

CYCLES = {
    "entry": 50,
    "step": 15,
    "part": 8,
    "number": 17,
    "divided": 35,
    "exponential": 125,
    "product": 15,
    "key": 20,
    "tree": 8,
    "question": 22,
    "split": 34,
    "leaf": 21,
}
"""Of each operation (:func:`_work`): loads take 2 and branches 4, as in ARM's reference manual."""

NUMBER = 4
"""Bytes of a number on the stack."""
FRAMES = 80
"""Bytes of saved registers, at most, of the functions that are open at once."""


@dataclass(frozen=True)
class OnChip:
    """What one model takes."""

    flash: int
    """Bytes of code and constants, of all functions: what ``size`` calls text."""
    ram: int
    """Bytes of the stack of one call. There are no variables; the caller's row and result are not
    counted."""
    cycles: int
    """Of the label or the result of the slowest row, if flash has no wait states."""


def on_chip(program: Program) -> OnChip:
    """Predict what ``program`` takes.

    Raises:
        NoBody: it has too many numbers for a source.
    """
    ends = [program.result] if program.chosen is None else [program.result, program.chosen]
    calls = [program.steps(end)[1:] for end in ends]
    tables = c_sources(program, "model", "").tables
    return OnChip(
        sum(map(_aligned, tables)) + CODE_TABLE * len(tables) + _code(calls),
        max(_stack(steps) for steps in calls) + FRAMES,
        max(_cycles(steps, end) for steps, end in zip(calls, ends, strict=True)),
    )


def _aligned(size: int) -> int:
    return -(-size // NUMBER) * NUMBER


def _code(calls: list[list[Step]]) -> int:
    """Bytes of all functions, which share steps."""
    steps = set[Step]().union(*calls)
    parts = sum(len(step.parts) for step in steps if isinstance(step, Joined))
    powers = any("exponential" in _work(step) for step in steps)
    own = sum(CODE[type(step)] for step in steps)
    return own + len(calls) * CODE_ENTRY + parts * CODE_PART + powers * CODE_EXPONENTIAL


def _stack(steps: list[Step]) -> int:
    """Bytes of the numbers of all steps, and of the numbers that trees compare."""
    return NUMBER * sum(step.size + max(_work(step)["key"], 1) for step in steps)


def _cycles(steps: list[Step], end: Step) -> int:
    work = Work(entry=1, step=len(steps), number=end.size)
    for step in steps:
        work.update(_work(step))
    return sum(CYCLES[name] * count for name, count in work.items())


@singledispatch
def _work(step: Step) -> Work:
    """What a step does for a row, at most."""
    raise TypeError(f"{type(step).__name__} has no form in C")


@_work.register
def _(step: Arithmetic) -> Work:
    return Work({"divided" if step.operator == "/" else "number": step.size})


@_work.register
def _(step: Filled) -> Work:
    return Work(number=step.size)


@_work.register
def _(step: Scaled) -> Work:
    return Work(number=step.size)


@_work.register
def _(step: Joined) -> Work:
    return Work(number=step.size, part=len(step.parts))


@_work.register
def _(step: Activation) -> Work:
    if step.function == "relu":
        return Work(number=step.size)
    return Work(divided=step.size, exponential=step.size)


@_work.register
def _(step: Softmax) -> Work:
    return Work(number=step.size, divided=step.size, exponential=step.size)


@_work.register
def _(step: Shares) -> Work:
    return Work(number=step.size, divided=step.size)


@_work.register
def _(step: Total) -> Work:
    return Work(number=step.source.size)


@_work.register
def _(step: Quotient) -> Work:
    return Work(divided=step.size)


@_work.register
def _(step: Dense) -> Work:
    return Work(number=step.size, product=step.weights.size)


@_work.register
def _(step: LeafSums) -> Work:
    trees, depth = step.feature.shape
    asked = len(np.unique(step.feature))
    return Work(key=asked, tree=trees, question=trees * depth, leaf=trees * step.size)


@_work.register
def _(step: Trees) -> Work:
    forest = step.forest
    of_one_target = step.size > 1 and bool((np.diff(forest.leaf_offset) == 1).all())
    return Work(
        key=len(np.unique(forest.feature)),
        tree=forest.n_trees,
        split=_longest_paths(forest),
        leaf=forest.n_trees * (1 if of_one_target else step.size),
        divided=step.size if forest.aggregate == "AVERAGE" else 0,
        number=step.size,
    )


def _longest_paths(forest: Forest) -> int:
    """The splits on the longest way through each tree, of all trees together."""
    tree, node, total = np.arange(forest.n_trees), forest.roots, 0
    while True:
        tree, node = np.unique(np.stack([tree, node])[:, node >= 0], axis=1)
        if not len(tree):
            return total
        total += len(np.unique(tree))
        node = np.concatenate([forest.true_child[node], forest.false_child[node]])
        tree = np.concatenate([tree, tree])
