"""A program as one SQL expression over the columns of its rows.

A column may be float32 or double; it counts as the float32 number next to it, as in the model.
NULL is a missing number. The SQL is what SQLite and DuckDB have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.bodies.c_source import as_splits
from onnxpress.bodies.oblivious import unit_of
from onnxpress.bodies.steps import (
    Arithmetic,
    Dense,
    Filled,
    Inputs,
    Joined,
    LeafSums,
    NoBody,
    Program,
    Scaled,
    Step,
    Trees,
)
from onnxpress.evaluate.probes.float_order import number as float_at

FLOAT32_WHOLE = 2**24
"""Up to here float32 holds all whole numbers."""
BEYOND = 2.0**128
"""Where the next float32 number behind the last one would be."""
MOST_LEAVES = 100_000


def sql_expression(program: Program) -> str:
    """Return SQL for the label of a classifier, or for the prediction.

    Numbers are double. They are those of the model once rounded to float32, of a linear model
    within rounding.

    Raises:
        NoBody: the model has no such form.
    """
    if program.chosen is None:
        if program.result.size != 1:
            raise NoBody("an SQL expression has one value, and the model predicts several")
        return _numbers(program.result)[0]
    scores = program.chosen
    texts = [_literal(each) for each in program.classes]
    if isinstance(scores, Scaled) and not scores.offset.any():
        shares = scores.scale.astype(np.float64) / unit_of(scores.scale).min()
        sums = _numbers(scores.source)
        values = [
            f"{_whole(share)} * {sums[column]}"
            for share, column in zip(shares, scores.column, strict=True)
        ]
    else:
        values = _numbers(scores)
    return _greatest(values, texts)


def _greatest(values: list[str], labels: list[str]) -> str:
    """The label of the first greatest value; NULL if one is NULL.

    A subquery computes each value once.
    """
    names = [f"s{place}" for place in range(len(values))]
    cases = []
    for place, name in enumerate(names):
        before = [f"{name} > {other}" for other in names[:place]]
        after = [f"{name} >= {other}" for other in names[place + 1 :]]
        cases.append(f"WHEN {' AND '.join(before + after) or 'TRUE'} THEN {labels[place]}")
    columns = ",\n  ".join(f"{value} AS {name}" for value, name in zip(values, names, strict=True))
    chosen = f"CASE {' '.join(cases)} END"
    return f"(SELECT {chosen} FROM (SELECT\n  {columns}) AS scores)"  # noqa: S608 - names are quoted


def quoted(name: str) -> str:
    """Quote an identifier; a quotation mark in it is written twice."""
    doubled = name.replace('"', '""')
    if "\0" in doubled:
        raise NoBody(f"a column of SQL has no name with a zero byte: {name!r}")
    return f'"{doubled}"'


def _literal(label: Any) -> str:
    if isinstance(label, str):
        doubled = label.replace("'", "''")
        if "\0" in doubled:
            raise NoBody(f"a text of SQL has no zero byte: {label!r}")
        return f"'{doubled}'"
    return str(int(label))


def _real(value: float) -> str:
    text = repr(float(value))
    return text if any(mark in text for mark in ".e") else f"{text}.0"


def _whole(value: float) -> str:
    return str(int(value))


@singledispatch
def _numbers(step: Step) -> list[str]:
    """SQL for each number of a step."""
    what = f"{type(step).__name__} has no form in SQL"
    raise NoBody(f"{what}; forests and linear models of numbers have one, for their label")


@_numbers.register
def _(step: Inputs) -> list[str]:
    return [quoted(name) for name in step.names]


@_numbers.register
def _(step: Joined) -> list[str]:
    found: list[str] = []
    for part in step.parts:
        numbers = _numbers(part.step)
        found += [numbers[place] for place in part.place.ravel()]
    return found


@_numbers.register
def _(step: Arithmetic) -> list[str]:
    if step.operator in ("max", "min"):
        sign = "<" if step.operator == "max" else ">"
        return [
            f"CASE WHEN {value} {sign} {_real(end)} THEN {_real(end)} ELSE {value} END"
            for value, end in zip(_numbers(step.source), step.constant, strict=True)
        ]
    pairs = zip(_numbers(step.source), map(_real, step.constant), strict=True)
    ordered = [pair[::-1] if step.swapped else pair for pair in pairs]
    return [f"({left} {step.operator} {right})" for left, right in ordered]


@_numbers.register
def _(step: Filled) -> list[str]:
    if not np.isnan(step.missing):
        raise NoBody(f"the number {step.missing:g} counts as missing; SQL has NULL for that")
    pairs = zip(_numbers(step.source), step.constant, strict=True)
    return [f"COALESCE({value}, {_real(filling)})" for value, filling in pairs]


@_numbers.register
def _(step: Dense) -> list[str]:
    values = _numbers(step.source)
    if any(isinstance(each, Dense) for each in _ancestors(step.source)):
        raise NoBody("a net has no form in SQL; forests and linear models have one")
    found = []
    for weights, bias in zip(step.weights.T, step.bias, strict=True):
        products = [
            f"{_real(weight)} * {value}" for weight, value in zip(weights, values, strict=True)
        ]
        found.append(_sum([*products, _real(bias)]))
    return found


def _ancestors(step: Step) -> list[Step]:
    found = [step]
    for source in step.sources:
        found += _ancestors(source)
    return found


@_numbers.register
def _(step: LeafSums) -> list[str]:
    names = _compared(step.source)
    trees = len(step.feature)
    _check_size(step.table.size)
    tests = [
        [_less(names[f], t) for f, t in zip(*levels, strict=True)]
        for levels in zip(step.feature, step.threshold, strict=True)
    ]
    return [
        _sum([_oblivious(tests[tree], step.table[tree, :, column]) for tree in range(trees)])
        for column in range(step.size)
    ]


def _oblivious(tests: Sequence[str], leaves: NDArray[np.int8]) -> str:
    """One tree: bit ``l`` of a leaf's number is the answer to test ``l``."""
    if (leaves == leaves[0]).all():
        return str(leaves[0])
    yes, no = (_oblivious(tests[1:], leaves[bit::2]) for bit in (1, 0))
    return yes if yes == no else f"CASE WHEN {tests[0]} THEN {yes} ELSE {no} END"


@_numbers.register
def _(step: Scaled) -> list[str]:
    sums = _numbers(step.source)
    found = []
    for column, scale, offset in zip(step.column, step.scale, step.offset, strict=True):
        product = f"{_real(scale)} * {sums[column]}"
        found.append(_sum([product, _real(offset)]) if offset else f"({product})")
    return found


@_numbers.register
def _(step: Trees) -> list[str]:
    forest, names = step.forest, _compared(step.source)
    values = forest.leaf_values.astype(np.float64)
    _check_size(values.size * forest.n_trees // max(len(values), 1))
    most = np.zeros(step.size)
    for tree in range(forest.n_trees):
        most += np.abs(values[forest.tree_of_leaf == tree]).max(axis=0, initial=0.0)
    unit = np.where(values, unit_of(forest.leaf_values), np.inf).min(axis=0, initial=np.inf)
    exact = forest.n_trees == 1 or bool((most / unit <= FLOAT32_WHOLE).all())
    if not exact or forest.base_values.any() or forest.aggregate != "SUM":
        cure = "compress the model with --level refined"
        raise NoBody(f"sums of its leaves are rounded in float32, and SQL has double; {cure}")
    splits = as_splits(forest)

    def written(node: int, column: int) -> str:
        if node >= forest.n_splits:
            return _real(values[node - forest.n_splits, column])
        yes, no = (written(int(child), column) for child in (splits.left[node], splits.right[node]))
        test = _less(names[forest.feature[node]], float_after(splits.cut[node]))
        if splits.missing_left[node]:
            test = f"COALESCE({test}, TRUE)"
        return yes if yes == no else f"CASE WHEN {test} THEN {yes} ELSE {no} END"

    roots = splits.root.tolist()
    return [_sum([written(root, column) for root in roots]) for column in range(step.size)]


def float_after(rank: int) -> float:
    """The float32 number behind that of ``rank``; infinity behind the last one."""
    last = int(np.float32(np.inf).view(np.int32))
    if rank + 1 >= last:
        return float("inf") if rank + 1 == last else float("nan")
    return float(float_at(np.array([rank + 1]))[0])


def _compared(source: Step) -> list[str]:
    """The columns that trees compare, which must be as they are.

    Raises:
        NoBody: they are computed in float32.
    """
    if not isinstance(source, Inputs):
        cure = "forests need no scaler or imputer before them"
        raise NoBody(f"its trees compare numbers that are computed in float32; {cure}")
    return _numbers(source)


def _less(name: str, threshold: float) -> str:
    """SQL for ``float32(name) < threshold``.

    That is so for doubles below the middle between the threshold and the float32 number before it,
    and for the middle itself if it is rounded down.
    """
    if np.isnan(threshold):
        return f"{name} IS NOT NULL"
    if threshold == -np.inf:
        return "1 = 0"
    ends = threshold, np.nextafter(np.float32(threshold), np.float32(-np.inf))
    middle = sum(float(np.clip(float(end), -BEYOND, BEYOND)) for end in ends) / 2
    with np.errstate(over="ignore"):
        down = np.float32(middle) < np.float32(threshold)
    return f"{name} {'<=' if down else '<'} {_real(middle)}"


def _sum(terms: list[str]) -> str:
    """A sum in brackets of brackets, so that no parser finds it too deep."""
    if len(terms) == 1:
        return terms[0] if not terms[0].startswith("CASE") else f"({terms[0]})"
    half = len(terms) // 2
    return f"({_sum(terms[:half])} + {_sum(terms[half:])})"


def _check_size(leaves: int) -> None:
    if leaves > MOST_LEAVES:
        cure = "compress the model with --level refined"
        raise NoBody(f"an SQL expression of {leaves:,} leaves is too long; {cure}")
