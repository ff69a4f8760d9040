"""What a stage says while it works: a few plain lines, progress and colours on a terminal only, JSON for scripts."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from onnxpress.credentials.redaction import redacted_data
from onnxpress.pipeline.redacted_streams import raw_stream

if TYPE_CHECKING:
    from rich.console import Console
from onnxpress.text import json_text, visible

T = TypeVar("T")

REDRAW_SECONDS = 0.2

PLAIN_WIDTH = 110
"""Columns where there is no terminal to ask: logs stay the same wherever they are written."""


def say(text: str) -> None:
    """Print one line of what the stage does or found."""
    print(f"  {visible(text)}", flush=True)


def progress(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yield ``items`` with a progress bar on a terminal; elsewhere silently, so that logs stay plain and stable.

    The bar is drawn between items and never by a thread of its own, which would disturb a measurement.
    """
    from rich.progress import Progress, TextColumn  # a stage that never waits need not pay for it

    drawn = time.monotonic()
    columns = TextColumn("{task.description}", markup=False), *Progress.get_default_columns()[1:]
    with Progress(
        *columns, **_on_stderr(), transient=True, auto_refresh=False, disable=not _watched()
    ) as bar:
        task = bar.add_task(f"  {visible(what)}", total=total)
        for item in items:
            yield item
            bar.advance(task)
            if time.monotonic() - drawn > REDRAW_SECONDS:
                bar.refresh()
                drawn = time.monotonic()


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on a terminal that ``what``, which has no countable steps, goes on, and for how long; elsewhere silently.

    Drawn by a thread of its own, so not for what is timed. Lines said meanwhile would run into it: say them after.
    """
    if not _watched():
        yield
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, **_on_stderr(), transient=True) as bar:
        bar.add_task(f"  {visible(what)}", total=None)
        yield


def screen() -> Console:
    """Where tables are printed: stdout, with colours on a terminal, and every text as it is.

    ``NO_COLOR`` takes them away there, ``FORCE_COLOR`` adds them in a log, whose width is :data:`PLAIN_WIDTH` in any case.
    """
    from rich.console import Console

    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(highlight=False, markup=False, emoji=False, **_colours(), width=width)


@contextmanager
def answering(*, in_json: bool) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Give a function that takes the result of a command as JSON.

    ``in_json``: it prints it, and all that is said in the block goes to stderr. Otherwise it does nothing.
    """
    if not in_json:
        yield lambda _: None
        return
    stdout = sys.stdout
    with redirect_stdout(sys.stderr):
        yield lambda result: print(
            _fit_for(stdout, json_text(redacted_data(result))), file=raw_stream(stdout), flush=True
        )


def _fit_for(stream: TextIO, text: str) -> str:
    """JSON in which letters that the encoding of ``stream`` lacks are escapes."""
    encoding = stream.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return re.sub(r"[^\x00-\x7f]", lambda found: json.dumps(found[0])[1:-1], text)
    return text


def _watched() -> bool:
    """Whether somebody looks at stderr on a terminal that can redraw a line; ``FORCE_COLOR`` does not make a log one."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _on_stderr() -> dict[str, Any]:
    """Arguments of a progress bar. Lines said meanwhile appear above it, unless stdout leads elsewhere."""
    from rich.console import Console

    return {"console": Console(stderr=True, **_colours()), "redirect_stdout": sys.stdout.isatty()}


def _colours() -> dict[str, Any]:
    """No escape codes at all under ``NO_COLOR``, of which rich would keep bold and italic."""
    return {"color_system": None} if os.environ.get("NO_COLOR") else {}
