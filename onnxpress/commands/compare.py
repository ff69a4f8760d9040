"""Compare the predictions of two models on rows of the user's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxpress.commands.given_table import (
    TableFile,
    read_features,
    read_table,
    refuse_other_files,
)
from onnxpress.commands.option_names import options_named
from onnxpress.pipeline.console import answering, say, working
from onnxpress.tables.column_types import AnyTask
from onnxpress.tables.schema import Target


@dataclass(frozen=True)
class Pair:
    """Two models and the rows that both predict."""

    original: Path
    model: Path
    data: TableFile
    target: Target | None = None
    task: AnyTask = "auto"
    trust: tuple[str, ...] = ()
    score: str | None = None
    also: tuple[str, ...] = ()
    positive: str | None = None


def main(pair: Pair, *, seed: int = 0, in_json: bool = False) -> None:
    """Print how the predictions of two models differ; ``seed`` is that of the probe rows.

    Raises:
        UserError: a file is wrong, or they do not fit together.
    """
    with answering(in_json=in_json) as answer, options_named():
        refuse_other_files(pair.data)
        from onnxpress.api.model_arguments import given_model  # seconds

        given = [given_model(path, str(path), pair.trust) for path in (pair.original, pair.model)]
        original, model = (each.data or each.estimator for each in given)
        rows, target, groups = _rows(pair, given[0].task if pair.task == "auto" else pair.task)

        import onnxpress

        with working(f"comparing {pair.original} and {pair.model}"):
            found = onnxpress.compare(
                original,
                model,
                rows,
                target,
                groups=groups,
                score=pair.score,
                also=pair.also,
                positive=pair.positive,
                seed=seed,
            )
        files = {"original": str(pair.original), "model": str(pair.model)}
        answer({**files, **found.to_json(), "agreement": found.agreement})
        for line in [] if in_json else str(found).splitlines():
            say(line)


def _rows(pair: Pair, task: AnyTask) -> tuple[Any, Any, Any]:
    """The features, and the target and its groups if there are some."""
    if pair.target is None:
        return read_features(pair.data), None, None
    table = read_table(pair.data, pair.target, task)
    return table.features, table.target, table.groups
