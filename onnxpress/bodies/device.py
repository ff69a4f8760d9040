"""The device that a model is for: a microcontroller that runs its C, or this machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from numbers import Real

import onnx

from onnxpress.bodies.on_chip import CORE, on_chip
from onnxpress.bodies.reading import read_program
from onnxpress.bodies.steps import NoBody
from onnxpress.errors import UserError
from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.device import LIMITS, Device
from onnxpress.quantize.options import Options
from onnxpress.quantize.speed import row_microseconds
from onnxpress.tables.rows import Rows
from onnxpress.text import shortened

CLOCK = "clock_mhz"
CLOCK_MHZ = 64.0
"""The clock of a common Cortex-M4F."""
OF_C = ("flash_kb", "ram_kb", CLOCK)
"""Keys that only C has; without them, time is that of onnxruntime."""

WORDS = ("`device`", "`budgets`")
"""What errors call the budget of the device, and the limits on losses."""


def device_of(options: Options, rows: Rows, words: tuple[str, str] = WORDS) -> Device | None:
    """Return the device that ``options`` ask for; None if they ask for none.

    ``rows`` are what onnxruntime is timed with.

    Raises:
        UserError: a key or a number is wrong, or another objective is asked for.
    """
    settings, key = options.device, words[0]
    if not settings:
        return None
    _check(settings, key)
    if options.objective != "size":
        raise UserError(
            f"{key} picks the best score that fits, so the objective should be size, "
            f"got {options.objective}"
        )
    limits = {name: float(settings[name]) for name in LIMITS if name in settings}
    measure: Callable[[bytes], Mapping[str, float]] = partial(_in_onnxruntime, rows=rows)
    about = "measured in onnxruntime on this machine, so another may choose another model"
    if any(name in settings for name in OF_C):
        clock = float(settings.get(CLOCK, CLOCK_MHZ))
        measure = partial(_as_c, clock_mhz=clock)
        about = f"predicted for C on a {CORE} at {clock:g} MHz"
    timed = not any(name in settings for name in OF_C)
    return Device(limits, measure, about, timed, *words)


def _check(settings: Mapping[str, float], key: str) -> None:
    names = (*LIMITS, CLOCK)
    for name, value in settings.items():
        if name not in names:
            came = shortened(repr(name))
            raise UserError(f"{key} should have keys of {', '.join(names)}, got {came}")
        number = isinstance(value, Real) and not isinstance(value, bool)
        if not number or not 0 < value < math.inf:
            shown = shortened(repr(value))
            raise UserError(f"{key} should have a number above 0 for {name}, got {shown}")
    if not any(name in settings for name in LIMITS):
        raise UserError(f"{key} should limit one of {', '.join(LIMITS)}, it has {CLOCK} alone")


def _as_c(model: bytes, clock_mhz: float) -> dict[str, float]:
    """What the C of a model takes.

    Raises:
        NotApplicable: it has none.
    """
    try:
        found = on_chip(read_program(onnx.load_from_string(model)))
    except NoBody as error:
        raise NotApplicable(str(error)) from error
    kb = 1024
    return {
        "flash_kb": found.flash / kb,
        "ram_kb": found.ram / kb,
        "row_us": found.cycles / clock_mhz,
    }


def _in_onnxruntime(model: bytes, rows: Rows) -> dict[str, float]:
    return {"row_us": row_microseconds(model, rows)}
