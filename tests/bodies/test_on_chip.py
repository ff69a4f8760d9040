"""What C is predicted to take on a Cortex-M4F, beside what its compiler and an emulator say."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from bench.edge.on_chip import Instruction, taken
from bench.edge.random_models import random_model
from onnxpress import convert
from onnxpress.bodies.on_chip import on_chip
from onnxpress.bodies.reading import read_program
from tests.support.compilers import tool

SAMPLE = range(12)
"""Seeds of random models, two of each kind; ``python -m bench.edge.predicted`` takes more."""


@pytest.mark.parametrize("seed", SAMPLE)
def test_a_model_never_takes_more_than_predicted(seed: int) -> None:
    for name in ("arm-none-eabi-gcc", "qemu-arm"):
        tool(name)
    _, model, rows = random_model(seed)
    program = read_program(model)
    predicted, real = on_chip(program), taken(program, rows[:3])
    assert real.flash <= predicted.flash
    assert real.ram <= predicted.ram
    assert 0 < real.cycles <= predicted.cycles


def test_of_a_large_model_nearly_all_is_tables_which_are_counted() -> None:
    tool("arm-none-eabi-gcc")
    x, y = load_digits(return_X_y=True)
    forest = RandomForestClassifier(30, random_state=0).fit(x, y)
    program = read_program(convert(forest, x.astype(np.float32)))
    real = taken(program)
    assert real.flash > 40_000
    assert real.flash <= on_chip(program).flash < 1.01 * real.flash


@pytest.mark.parametrize(
    ("name", "operands", "cycles"),
    [
        ("adds", "r0, r1, #1", 1),
        ("ldr", "r0, [r1]", 2),
        ("ldrb.w", "r0, [r1, r2]", 2),
        ("strd", "r0, r1, [sp]", 3),
        ("push", "{r4, r5, r6, lr}", 5),
        ("vpush", "{s16-s19}", 5),
        ("mla", "r0, r1, r2, r3", 2),
        ("vdiv.f32", "s0, s1, s2", 15),
        ("udiv", "r0, r1, r2", 12),
        ("bl", "8000 <order>", 1),
    ],
)
def test_instructions_take_what_the_manual_of_the_core_says(
    name: str, operands: str, cycles: int
) -> None:
    assert Instruction(2, name, operands).cycles == cycles
