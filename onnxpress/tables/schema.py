"""What is known of a table: the task, the target, and the feature columns in order."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from onnxpress.errors import UserError
from onnxpress.pipeline.outputs import SCHEMA


@dataclass(frozen=True)
class Column:
    """A feature column: ``number`` is float32 with NaN where missing, ``category`` and ``text`` strings, empty there."""

    name: str
    kind: Literal["number", "category", "text"]
    missing: bool


@dataclass(frozen=True)
class Schema:
    """What every stage knows of the data: the task, the target, and the feature columns in order."""

    task: Literal["classification", "regression"]
    target: str
    columns: tuple[Column, ...]
    target_std: float | None = None
    """Regression: standard deviation of the training rows' target, in its own unit."""

    @property
    def all_numeric(self) -> bool:
        """Whether the models take one matrix ``X`` instead of one input per column."""
        return all(column.kind == "number" for column in self.columns)

    def to_json(self) -> dict[str, Any]:
        """The content of outputs/schema.json."""
        return asdict(self)


def as_schema(content: dict[str, Any]) -> Schema:
    """The schema of a parsed schema.json.

    Raises:
        UserError: it is not what the prepare stage writes.
    """
    try:
        columns = tuple(Column(**column) for column in content.pop("columns"))
        return Schema(columns=columns, **content)
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{SCHEMA} is not what the prepare stage writes ({error}); run `dvc repro --force prepare`"
        ) from error
