"""Rows and the answers of onnxruntime, which a body is held against.

The rows are given ones, rows with one number at a threshold or next to it, and rows with missing,
infinite and very large numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxpress.bodies.rounding import doubtful, numbers_of
from onnxpress.bodies.steps import Program
from onnxpress.graph.writer import fed_inputs
from onnxpress.runtime.sessions import open_session

Matrix = NDArray[np.float32]
ODD = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-40, 3e38, -3e38, 1e9], np.float32)
MOST_OF_NETS = 1e9
"""Of larger numbers, sums of products are nothing but rounding."""
ODD_SHARE = 0.2
"""Of the numbers of an odd row."""


@dataclass(frozen=True)
class Answers:
    """What the ONNX model gives for rows."""

    rows: Matrix  # (rows, columns)
    label: NDArray[np.int64] | None  # (rows,) numbers of classes; None for regression
    result: Matrix  # (rows, size)
    apart: Matrix
    """How far another body may be from ``result``, (rows, size); zeros if it is exact."""
    left_out: int
    """Rows whose label rounding may decide, or that give no number; they are not among ``rows``."""


def probe(program: Program, given: Matrix | None, count: int, seed: int = 0) -> Matrix:
    """Return up to ``count`` rows: given ones, and as many at thresholds and with odd numbers."""
    rng = np.random.default_rng(seed)
    columns = program.inputs.size
    places = _places(program)
    if given is None or not len(given):
        given = _made(columns, places, rng, count)
    given = given[rng.permutation(len(given))[: max(count // 4, 1)]]
    column, number = (np.concatenate(part) for part in zip(*places, strict=True))
    chosen = rng.permutation(len(column))[: count // 2]
    near = given[rng.integers(0, len(given), len(chosen))].copy()
    near[np.arange(len(chosen)), column[chosen]] = number[chosen]
    odd = given[rng.integers(0, len(given), count // 4)].copy()
    strange = rng.random(odd.shape) < ODD_SHARE
    usual = np.abs(ODD) <= MOST_OF_NETS
    odd[strange] = rng.choice(ODD if program.chooses_exactly else ODD[usual], int(strange.sum()))
    return np.concatenate([given, near, odd])


Places = list[tuple[NDArray[np.intp], Matrix]]
"""Columns, and numbers to try in them."""


def _places(program: Program) -> Places:
    """Every threshold of an input, and its neighbours."""
    found: Places = [(np.zeros(0, np.intp), np.zeros(0, np.float32))]
    for column, threshold in program.thresholds():
        number = np.asarray(threshold, np.float32)
        near = [np.nextafter(number, np.float32(end)) for end in (np.inf, -np.inf)]
        numbers = np.concatenate([number, *near])
        found.append((np.full(len(numbers), column), numbers))
    return found


def _made(columns: int, places: Places, rng: np.random.Generator, count: int) -> Matrix:
    """Rows between and around the thresholds; without them, around 0 in several sizes."""
    sizes = 10.0 ** rng.uniform(-2, 2, (count, columns))
    rows = (rng.standard_normal((count, columns)) * sizes).astype(np.float32)
    for column, number in places[1:]:
        finite = number[np.isfinite(number)].astype(np.float64)
        if len(finite):
            low, high = finite.min(), finite.max()
            room = 0.2 * (high - low) + 0.1 * abs(high) + 1e-3
            rows[:, column[0]] = rng.uniform(low - room, high + room, count)
    return rows


def answers(model: onnx.ModelProto, program: Program, rows: Matrix) -> Answers:
    """Return what onnxruntime makes of ``rows``, one at a time as a body does."""
    session = open_session(model.SerializeToString())
    sizes = [value.type.tensor_type.shape.dim[1].dim_value for value in fed_inputs(model.graph)]
    parts = np.split(rows, np.cumsum(sizes)[:-1], axis=1)
    names = [value.name for value in fed_inputs(model.graph)]
    outputs = [value.name for value in model.graph.output]
    calls = [
        session.run(
            outputs, {name: part[at : at + 1] for name, part in zip(names, parts, strict=True)}
        )
        for at in range(len(rows))
    ]
    found = {
        name: np.concatenate(values)
        for name, values in zip(outputs, zip(*calls, strict=True), strict=True)
    }
    result = np.asarray(found[program.name], np.float32).reshape(len(rows), -1)
    apart = _apart(program, rows, result)
    sure = ~doubtful(program, rows) & (np.isfinite(result) & np.isfinite(apart)).all(axis=1)
    label = None
    if program.chosen is not None:
        label = _numbers_of_classes(
            program, next(found[name] for name in outputs if name != program.name)
        )
        label = label[sure]
    left_out = int((~sure).sum())
    return Answers(rows[sure], label, result[sure], apart[sure], left_out)


def _apart(program: Program, rows: Matrix, result: Matrix) -> Matrix:
    if program.is_exact:
        return np.zeros_like(result)
    found = numbers_of(program, rows)[program.result].apart
    up: Any = np.nextafter(found.astype(np.float32), np.float32(np.inf))
    return np.asarray(up, np.float32)


def _numbers_of_classes(program: Program, labels: NDArray[Any]) -> NDArray[np.int64]:
    """The number of each label among the classes."""
    classes = list(program.classes)
    number = {each if isinstance(each, str) else int(each): at for at, each in enumerate(classes)}
    return np.array(
        [number[each if isinstance(each, str) else int(each)] for each in labels.ravel()]
    )
