"""Replay models in other runtimes, print what came of it, and write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onnxpress.certify.certifying import certify
from onnxpress.certify.table import HEADINGS, summary, table
from onnxpress.certify.usual import usual_runtimes
from onnxpress.commands.certify.replayed_rows import Files, of_files, of_repository
from onnxpress.commands.option_names import options_named
from onnxpress.pipeline.console import answering, progress, say, screen
from onnxpress.pipeline.files import write_json
from onnxpress.pipeline.outputs import RUNTIMES
from onnxpress.runtimes import Runtime, runtime_of
from onnxpress.text import visible


def main(
    files: Files,
    runtimes: Sequence[str] = (),
    *,
    out: Path | None = None,
    in_json: bool = False,
) -> None:
    """Certify a model of the user's, or if none is named the models of this repository.

    The findings are written to ``out``; by default those of the repository to runtimes.json.

    Raises:
        UserError: a file is wrong, or a name in ``runtimes`` is none of a runtime.
    """
    with answering(in_json=in_json) as answer, options_named():
        asked = _runtimes(runtimes)
        own = files.model is None and files.data is None
        replayed = of_repository() if own else of_files(files)
        found = certify(replayed.models, replayed.feeds, replayed.rows, asked, progress).to_json()
        path = out or (RUNTIMES if own else None)
        if path is not None:
            write_json(path, found)
        answer(found)
        if not in_json:
            _show(found)
        for line in summary(found):
            say(line)
        if path is not None:
            say(f"written: {path}")


def _runtimes(names: Sequence[str]) -> list[Runtime]:
    return [runtime_of(name) for name in names] or usual_runtimes()


def _show(found: Mapping[str, Any]) -> None:
    """Show a table; the reasons are lines below it."""
    from rich.table import Table

    shown = Table()
    for heading in HEADINGS[:-1]:
        shown.add_column(heading, no_wrap=heading in {"runtime", "model"})
    for *cells, _ in table(found):
        shown.add_row(*map(visible, cells))
    screen().print(shown)
