"""A program as SQL expressions over the columns of its rows.

A column may be float32 or double; it counts as the float32 number next to it, as in the model.
NULL is a missing number. The SQL is what SQLite and DuckDB have in common.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import singledispatchmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.bodies.oblivious import unit_of
from onnxpress.bodies.ordered import as_splits
from onnxpress.bodies.sql_trees import oblivious_case, real, tree_case
from onnxpress.bodies.steps import (
    Activation,
    Arithmetic,
    Dense,
    Filled,
    Inputs,
    Joined,
    LeafSums,
    NoBody,
    Program,
    Scaled,
    Shares,
    Softmax,
    Step,
    Trees,
)

FLOAT32_WHOLE = 2**24
"""Up to here float32 holds all whole numbers."""
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
        return _Query(program, program.result).numbers()[0]
    labels = [_literal(each) for each in program.classes]
    return _Query(program, program.chosen).choice(labels)


def sql_columns(program: Program) -> dict[str, str]:
    """Return SQL for the probability of each class, or its score, by the name of a column.

    Numbers are double. Those of trees are the model's once rounded to float32; behind a softmax or
    a logistic, and of linear models, they are within rounding.

    Raises:
        NoBody: the model has no such form, or is no classifier.
    """
    if program.chosen is None:
        raise NoBody("the model has no classes, and so no probabilities")
    kind = "score" if program.name == "scores" else "probability"
    names = [f"{kind}_{each}" for each in program.classes]
    return dict(zip(names, _Query(program, program.result).numbers(), strict=True))


def quoted(name: str) -> str:
    """Quote an identifier; a quotation mark in it is written twice."""
    if "\0" in name or not name:
        raise NoBody(f"a column of SQL has a name without zero bytes, got {name!r}")
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _taken(names: Sequence[str], expressions: list[str]) -> list[str]:
    """``expressions`` over the columns ``names``, if SQLite takes them, which has limits.

    Raises:
        NoBody: it does not, or two columns have the same name there.
    """
    folded = [name.casefold() for name in names]
    for place, name in enumerate(names):
        if folded.index(folded[place]) != place:
            raise NoBody(f"two columns are called {name!r}, and SQL takes a and A for the same")
    store = sqlite3.connect(":memory:")
    try:
        store.execute(f"CREATE TABLE data ({', '.join(map(quoted, names)) or 'id'})")
        store.execute(f"EXPLAIN SELECT {', '.join(expressions)} FROM data")  # noqa: S608 - names are quoted
    except sqlite3.Error as error:
        raise NoBody(f"SQLite {sqlite3.sqlite_version} refuses the SQL: {error}") from error
    finally:
        store.close()
    return expressions


def _literal(label: Any) -> str:
    if isinstance(label, str):
        doubled = label.replace("'", "''")
        if "\0" in doubled:
            raise NoBody(f"a text of SQL has no zero byte: {label!r}")
        return f"'{doubled}'"
    return str(int(label))


class _Query:
    """Nested queries, each of which computes what the one around it reads several times.

    The innermost reads the columns of a row, outside of it.
    """

    def __init__(self, program: Program, end: Step) -> None:
        """Prepare to write the numbers of ``end``."""
        self.end = end
        self.prefix = "v"
        while any(name.casefold().startswith(self.prefix) for name in program.inputs.names):
            self.prefix += "_"  # else DuckDB may take a column for one of these
        self.layers = self.leaves = 0
        used = sorted(_used(program, end))
        self.names = [program.inputs.names[column] for column in used]
        self.source = ""
        numbers = [_number(quoted(name)) for name in self.names]
        self.columns = dict(zip(used, self._named(numbers), strict=True))

    def numbers(self) -> list[str]:
        """SQL for each number.

        Raises:
            NoBody: together they are too long, as each has all inner queries, or SQLite refuses it.
        """
        values = self._numbers(self.end)
        _check_size(self.leaves * (1 if self.layers == 1 else len(values)))
        found = [f"(SELECT {value} FROM {self.source})" for value in values]  # noqa: S608 - names are quoted
        return _taken(self.names, found)

    def choice(self, labels: Sequence[str]) -> str:
        """SQL for the label of the first greatest number; NULL if one is NULL."""
        names = self._named(self._numbers(self.end))
        cases = []
        for place, name in enumerate(names):
            before = [f"{name} > {other}" for other in names[:place]]
            after = [f"{name} >= {other}" for other in names[place + 1 :]]
            test = " AND ".join(before + after) or f"{name} IS NOT NULL"
            cases.append(f"WHEN {test} THEN {labels[place]}")
        found = f"(SELECT CASE {' '.join(cases)} END FROM {self.source})"  # noqa: S608 - names are quoted
        return _taken(self.names, [found])[0]

    def _named(self, values: Sequence[str]) -> list[str]:
        """Have ``values`` computed by a query, and return their names."""
        names = [f"{self.prefix}{self.layers}_{place}" for place in range(len(values))]
        pairs = zip(values or ["1"], names or [f"{self.prefix}none"], strict=True)
        columns = ", ".join(f"{value} AS {name}" for value, name in pairs)
        source = f" FROM {self.source}" if self.source else ""
        self.source = f"(SELECT {columns}{source}\n) AS {self.prefix}{self.layers}"
        self.layers += 1
        return names

    @singledispatchmethod
    def _numbers(self, step: Step) -> list[str]:
        what = f"{type(step).__name__} has no form in SQL"
        raise NoBody(f"{what}; forests and linear models of numbers have one")

    @_numbers.register
    def _(self, step: Inputs) -> list[str]:
        return [self.columns.get(column, "NULL") for column in range(step.size)]

    @_numbers.register
    def _(self, step: Joined) -> list[str]:
        sources = {part.step for part in step.parts}
        if len(sources) > 1 and any(isinstance(each, _LAYERS) for each in _ancestors(step)):
            raise NoBody(
                "it joins numbers that are computed apart; forests and linear models do not"
            )
        numbers = {source: self._numbers(source) for source in sources}
        return [numbers[part.step][place] for part in step.parts for place in part.place.ravel()]

    @_numbers.register
    def _(self, step: Arithmetic) -> list[str]:
        pairs = list(zip(self._numbers(step.source), map(real, step.constant), strict=True))
        if step.operator in ("max", "min"):
            sign = "<" if step.operator == "max" else ">"
            return [f"CASE WHEN {v} {sign} {end} THEN {end} ELSE {v} END" for v, end in pairs]
        ordered = [pair[::-1] if step.swapped else pair for pair in pairs]
        return [f"({left} {step.operator} {right})" for left, right in ordered]

    @_numbers.register
    def _(self, step: Filled) -> list[str]:
        if not np.isnan(step.missing):
            raise NoBody(f"the number {step.missing:g} counts as missing; SQL has NULL for that")
        pairs = zip(self._numbers(step.source), step.constant, strict=True)
        return [f"COALESCE({value}, {real(filling)})" for value, filling in pairs]

    @_numbers.register
    def _(self, step: Dense) -> list[str]:
        if any(isinstance(each, Dense) for each in _ancestors(step.source)):
            raise NoBody("a net has no form in SQL; forests and linear models have one")
        values, found = self._named(self._numbers(step.source)), []
        for weights, bias in zip(step.weights.T, step.bias, strict=True):
            pairs = zip(weights, values, strict=True)
            products = [f"{real(weight)} * {value}" for weight, value in pairs]
            found.append(_sum([*products, real(bias)]))
        names = self._named(found)
        return [f"CASE WHEN {name} - {name} = 0e0 THEN {name} END" for name in names]

    @_numbers.register
    def _(self, step: Activation) -> list[str]:
        if step.function != "logistic":
            raise NoBody(f"{step.function} has no form in SQL; forests and linear models need none")
        return [f"1e0 / (1e0 + exp(-({value})))" for value in self._numbers(step.source)]

    @_numbers.register
    def _(self, step: Softmax) -> list[str]:
        names = self._named(self._numbers(step.source))
        shares = (_sum([f"exp({other} - {name})" for other in names]) for name in names)
        return [f"1e0 / {share}" for share in shares]

    @_numbers.register
    def _(self, step: Shares) -> list[str]:
        names = self._named(self._numbers(step.source))
        total = _sum([f"abs({name})" for name in names])
        return [f"CASE WHEN {total} > 0e0 THEN {name} / {total} ELSE {name} END" for name in names]

    @_numbers.register
    def _(self, step: LeafSums) -> list[str]:
        names = self._compared(step.source)
        self._count(step.table.size)
        found = []
        for column in range(step.size):
            trees = zip(step.feature, step.threshold, step.table[:, :, column], strict=True)
            found.append(
                _sum([oblivious_case([names[f] for f in tree], *rest) for tree, *rest in trees])
            )
        return found

    @_numbers.register
    def _(self, step: Scaled) -> list[str]:
        sums = self._numbers(step.source)
        found = []
        for column, scale, offset in zip(step.column, step.scale, step.offset, strict=True):
            product = f"{real(scale)} * {sums[column]}"
            found.append(_sum([product, real(offset)]) if offset else f"({product})")
        return found

    @_numbers.register
    def _(self, step: Trees) -> list[str]:
        names, forest = self._compared(step.source), step.forest
        values = forest.leaf_values.astype(np.float64)
        self._count(values.size)
        _check_sums(step, values)
        splits = as_splits(forest)
        features = [names[feature] for feature in forest.feature]
        return [
            _sum([tree_case(splits, root, features, column) for root in splits.root.tolist()])
            for column in values.T
        ]

    def _count(self, leaves: int) -> None:
        self.leaves += leaves
        _check_size(self.leaves)

    def _compared(self, source: Step) -> list[str]:
        """The columns that trees compare, which must be as they are.

        Raises:
            NoBody: they are computed in float32.
        """
        if not isinstance(source, Inputs):
            cure = "forests need no scaler or imputer before them"
            raise NoBody(f"its trees compare numbers that are computed in float32; {cure}")
        return self._numbers(source)


_LAYERS = (Dense, Softmax, Shares)
"""Steps that make a query of their own."""


def _number(column: str) -> str:
    """A column as double; NULL for a NaN of DuckDB, and for a text in SQLite.

    A text is behind all numbers there, as is a name in quotes that no column has.
    """
    return f"CASE WHEN {column} <= CAST(9e999 AS DOUBLE) THEN CAST({column} AS DOUBLE) END"


def _used(program: Program, end: Step) -> set[int]:
    """The places of the inputs that are read."""
    found: set[int] = set()
    for step in program.steps(end):
        if program.inputs is end or (
            program.inputs in step.sources and not isinstance(step, Trees | LeafSums | Joined)
        ):
            return set(range(program.inputs.size))
        if isinstance(step, Joined):
            places = (part.place for part in step.parts if part.step is program.inputs)
            found.update(int(place) for each in places for place in each.ravel())
        elif isinstance(step, Trees | LeafSums):
            feature = step.forest.feature if isinstance(step, Trees) else step.feature
            found.update(np.unique(feature).tolist())
    return found


def _ancestors(step: Step) -> Iterator[Step]:
    yield step
    for source in step.sources:
        yield from _ancestors(source)


def _check_sums(step: Trees, values: NDArray[np.float64]) -> None:
    """See that sums of leaves (leaves, size) are the same in float32 and double.

    Raises:
        NoBody: they are rounded.
    """
    forest = step.forest
    most = np.zeros(step.size)
    for tree in range(forest.n_trees):
        most += np.abs(values[forest.tree_of_leaf == tree]).max(axis=0, initial=0.0)
    unit = np.where(values, unit_of(forest.leaf_values), np.inf).min(axis=0, initial=np.inf)
    exact = forest.n_trees == 1 or bool((most / unit <= FLOAT32_WHOLE).all())
    if not exact or forest.base_values.any() or forest.aggregate != "SUM":
        cure = "compress the model with --level refined"
        raise NoBody(f"sums of its leaves are rounded in float32, and SQL has double; {cure}")


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
