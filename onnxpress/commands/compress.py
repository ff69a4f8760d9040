"""Quantise a model of the user's, on rows of the user's, without any repository."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxpress.commands.given_model import opened, start_sandbox
from onnxpress.commands.given_table import TableFile, read_table, refuse_other_files
from onnxpress.commands.option_names import options_named
from onnxpress.errors import UserError
from onnxpress.given.sandbox import GivenFile
from onnxpress.pipeline.console import answering, progress, say, working
from onnxpress.pipeline.files import write_bytes
from onnxpress.tables.column_types import AnyTask
from onnxpress.tables.schema import Target

if TYPE_CHECKING:
    from onnxpress import Comparison, Compressed


@dataclass(frozen=True)
class Job:
    """What to compress, and where to write the result."""

    model: Path
    data: TableFile
    target: Target
    out: Path
    task: AnyTask = "auto"
    trust: tuple[str, ...] = ()
    max_seconds: float = 600
    max_memory_mb: int = 8192
    """What opening and trying the model may take."""

    force: bool = False
    """Whether ``out`` may be there already."""

    @property
    def file(self) -> GivenFile:
        """The model's file, and the limits for opening it."""
        return GivenFile(self.model, self.trust, self.max_seconds, self.max_memory_mb)


def main(job: Job, settings: Mapping[str, Any], *, in_json: bool = False) -> None:
    """Write the compressed model and print what it costs.

    ``settings`` are keywords of :func:`onnxpress.compress`.

    Raises:
        UserError: an argument is wrong, or the model is refused.
    """
    with answering(in_json=in_json) as answer, options_named():
        refuse_out(job)
        refuse_other_files(job.data)
        start_sandbox(job.file)
        table = read_table(job.data, job.target, job.task)
        model = opened(job.file, table)

        import onnxpress

        rows = table.features, table.target
        groups, seed = table.groups, settings.get("seed", 0)
        result = onnxpress.compress(model, *rows, groups=groups, **settings, progress=progress)
        with working(f"comparing with {job.model}"):
            compared = onnxpress.compare(model, result, *rows, groups=groups, seed=seed)
        write_bytes(job.out, result.data)
        answer(as_json(job, result, compared))
        for line in result.warnings:
            say(f"warning: {line}")
        for line in [] if in_json else lines(job, result, compared):
            say(line)


def refuse_out(job: Job) -> None:
    """See that ``out`` can be written, before hours are spent on what goes there.

    Raises:
        UserError: it has another suffix, is there already, or its folder is not.
    """
    out, folder = job.out, job.out.parent
    if out.suffix != ".onnx":
        raise UserError(f"--out should end in .onnx, got {str(out)!r}")
    if out.resolve() in {job.model.resolve(), job.data.path.resolve()}:
        raise UserError(f"--out is the file that is read, {out}; choose another name")
    if out.exists() and not job.force:
        raise UserError(f"{out} is there already; choose another name, or pass --force")
    if not folder.is_dir():
        raise UserError(f"--out should lie in a folder that is there, got {str(out)!r}")
    if not os.access(folder, os.W_OK):
        raise UserError(f"you may not write to the folder of {out}; choose another")


def drop(result: Compressed) -> float:
    """Return what the chosen model loses of the score; 0.0 for the plain model."""
    chosen = [each for each in result.verdicts if each.name == result.candidate]
    return float(chosen[0].score_drop or 0.0) if chosen else 0.0


def lines(job: Job, result: Compressed, compared: Comparison) -> list[str]:
    """Return the summary: sizes, method, score and agreement."""
    from onnxpress.given.exports.weights import size_on_disk

    before, plain, after = size_on_disk(job.model), len(result.plain), len(result.data)
    return [
        f"{job.model}: {_kb(before)}, as ONNX {_kb(plain)}",
        f"{job.out}: {_kb(after)}, {result.times_smaller:.1f} times smaller than ONNX",
        result.summary,
        f"score lost: {drop(result):.4g} ({result.scoring})",
        *str(compared).splitlines(),
    ]


def _kb(size: int) -> str:
    return f"{size / 1024:,.1f} KB"


def as_json(job: Job, result: Compressed, compared: Comparison) -> dict[str, Any]:
    """Return the result for a script."""
    from onnxpress.given.exports.weights import size_on_disk

    return {
        "model": str(job.model),
        "out": str(job.out),
        "bytes": {
            "model": size_on_disk(job.model),
            "onnx": len(result.plain),
            "out": len(result.data),
        },
        "candidate": result.candidate,
        "score_drop": drop(result),
        "agreement": compared.agreement,
        "comparison": compared.to_json(),
        "choice": result.to_json(),
    }
