"""What is known of a table: the task, the target, and the feature columns in order."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal


@dataclass(frozen=True)
class Column:
    """A feature column, and whether values of it are missing.

    ``number`` is float32, NaN where missing; ``category`` and ``text`` are str, empty there. A
    ``tensor`` has numbers in each row, none of them missing.
    """

    name: str
    kind: Literal["number", "category", "text", "tensor"]
    missing: bool
    shape: tuple[int, ...] = ()
    """Of a row of a tensor: (1, 8, 8) of grey images (rows, 1, 8, 8)."""
    dtype: str = "float32"
    """Of a tensor: uint8, int64 or float32."""


Target = str | tuple[str, ...]
"""The column to predict, or several of a regression."""


@dataclass(frozen=True)
class Schema:
    """The task, the target, and the feature columns in order."""

    task: Literal["classification", "regression"]
    target: Target
    columns: tuple[Column, ...]
    target_std: float | tuple[float, ...] | None = None
    """Regression: standard deviation of the target in the training rows, in its own unit; one for
    each of several targets."""
    group: str | None = None
    """The column whose values say which rows belong together; None if each stands alone. It is no
    feature; the prepared rows have the numbers of the groups in it."""

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns to predict."""
        return columns_of(self.target)

    @property
    def target_name(self) -> str:
        """What a heading calls the target: ``price``, or ``price, area``."""
        return ", ".join(self.targets)

    @property
    def has_several_targets(self) -> bool:
        """Whether a prediction is a row of numbers."""
        return not isinstance(self.target, str)

    @cached_property  # asked for once a column
    def all_numeric(self) -> bool:
        """Whether the models take one matrix ``X`` instead of one input per column."""
        return all(column.kind == "number" for column in self.columns)

    @property
    def has_tensors(self) -> bool:
        """Whether every input is a tensor, and there are no columns of a table."""
        return any(column.kind == "tensor" for column in self.columns)

    def describe_columns(self) -> str:
        """Return how many columns of each kind there are, in a clause."""
        if self.has_tensors:
            return ", ".join(describe_tensor(column) for column in self.columns)
        kinds = [column.kind for column in self.columns]
        texts = f", {kinds.count('text')} texts" if "text" in kinds else ""
        return f"{kinds.count('number')} numbers, {kinds.count('category')} categories{texts}"

    def to_json(self) -> dict[str, Any]:
        """Return the schema as JSON values; :func:`as_schema` reads them back."""
        content = asdict(self)
        for column in content["columns"]:
            if column["kind"] != "tensor":
                del column["shape"], column["dtype"]
        return content


def describe_tensor(column: Column) -> str:
    """Return the name, shape and type of a row of a tensor: ``'X' 1 x 8 x 8 float32``."""
    return f"{column.name!r} {' x '.join(map(str, column.shape))} {column.dtype}"


def columns_of(target: Target) -> tuple[str, ...]:
    """Return the columns to predict."""
    return (target,) if isinstance(target, str) else target


def as_schema(content: dict[str, Any]) -> Schema:
    """Return the schema that :meth:`Schema.to_json` has written.

    Raises:
        ValueError: ``content`` lacks a key, or has one too many.
    """
    fields = dict(content)
    try:
        columns = tuple(
            Column(**{**column, "shape": tuple(column.get("shape", ()))})
            for column in fields.pop("columns")
        )
        for key in ("target", "target_std"):
            if isinstance(fields.get(key), list):
                fields[key] = tuple(fields[key])
        return Schema(columns=columns, **fields)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(str(error)) from error
