"""What is known of a table: the task, the target, and the feature columns in order."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Column:
    """A feature column, and whether values of it are missing.

    ``number`` is float32, NaN where missing; ``category`` and ``text`` are str, empty there.
    """

    name: str
    kind: Literal["number", "category", "text"]
    missing: bool


@dataclass(frozen=True)
class Schema:
    """The task, the target, and the feature columns in order."""

    task: Literal["classification", "regression"]
    target: str
    columns: tuple[Column, ...]
    target_std: float | None = None
    """Regression: standard deviation of the target in the training rows, in its own unit."""

    @property
    def all_numeric(self) -> bool:
        """Whether the models take one matrix ``X`` instead of one input per column."""
        return all(column.kind == "number" for column in self.columns)

    def describe_columns(self) -> str:
        """Return how many columns of each kind there are, in a clause."""
        kinds = [column.kind for column in self.columns]
        texts = f", {kinds.count('text')} texts" if "text" in kinds else ""
        return f"{kinds.count('number')} numbers, {kinds.count('category')} categories{texts}"

    def to_json(self) -> dict[str, Any]:
        """Return the schema as JSON values; :func:`as_schema` reads them back."""
        return asdict(self)


def as_schema(content: dict[str, Any]) -> Schema:
    """Return the schema that :meth:`Schema.to_json` has written.

    Raises:
        ValueError: ``content`` lacks a key, or has one too many.
    """
    fields = dict(content)
    try:
        columns = tuple(Column(**column) for column in fields.pop("columns"))
        return Schema(columns=columns, **fields)
    except (KeyError, TypeError) as error:
        raise ValueError(str(error)) from error
