"""What a stage prints while it works: a few plain lines, and JSON for scripts.

Progress and colours are for terminals only.
"""

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
from onnxpress.text import json_text, visible

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

REDRAW_SECONDS = 0.2
"""Between two drawings of a progress bar, at least."""
PLAIN_WIDTH = 110
"""Columns of a log, so that it is the same wherever it is written."""


def say(text: str) -> None:
    """Print one line about what the stage does or found."""
    print(f"  {visible(text)}", flush=True)


def progress(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yield ``items`` with a progress bar on a terminal, elsewhere silently."""
    with advancing(total, what) as advance:
        for item in items:
            yield item
            advance(1)


@contextmanager
def advancing(total: int, what: str) -> Iterator[Callable[..., None]]:
    """Yield a function that moves a progress bar on by so much; elsewhere than on a terminal none.

    Its second argument is what the bar says from then on. The bar is drawn when it is called, not
    by a thread, which would disturb a measurement.
    """
    from rich.progress import Progress, TextColumn  # not imported by a stage that never waits

    drawn = time.monotonic()
    columns = TextColumn("{task.description}", markup=False), *Progress.get_default_columns()[1:]
    style = {**_on_stderr(), "transient": True, "auto_refresh": False, "disable": not _watched()}
    with Progress(*columns, **style) as bar:
        task = bar.add_task(f"  {visible(what)}", total=total)

        def advance(by: int, now: str | None = None) -> None:
            nonlocal drawn
            bar.update(task, advance=by, description=now and f"  {visible(now)}")
            if time.monotonic() - drawn > REDRAW_SECONDS:
                bar.refresh()
                drawn = time.monotonic()

        yield advance


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on a terminal that ``what`` goes on, and for how long; elsewhere nothing.

    It is for work without countable steps. A thread draws it, so it is not for what is timed.
    Lines printed meanwhile would run into it: print them afterwards.
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
    """Return a console on stdout for tables: colours on a terminal, and every text as it is.

    ``NO_COLOR`` switches colours off, ``FORCE_COLOR`` on. A log always has :data:`PLAIN_WIDTH`.
    """
    from rich.console import Console

    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(highlight=False, markup=False, emoji=False, **_colours(), width=width)


@contextmanager
def answering(*, in_json: bool) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Yield a function that takes the result of a command.

    With ``in_json`` it prints the result as JSON, and all other lines of the block go to stderr.
    Otherwise it does nothing.
    """
    if not in_json:
        yield lambda _: None
        return
    stdout = sys.stdout
    with redirect_stdout(sys.stderr):

        def answer(result: Mapping[str, Any]) -> None:
            text = _encodable(json_text(redacted_data(result)), stdout)
            print(text, file=raw_stream(stdout), flush=True)

        yield answer


def _encodable(text: str, stream: TextIO) -> str:
    """Return JSON in which letters that the encoding of ``stream`` lacks are escapes."""
    encoding = stream.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return re.sub(r"[^\x00-\x7f]", lambda found: json.dumps(found[0])[1:-1], text)
    return text


def _watched() -> bool:
    """Whether stderr is a terminal that can redraw a line; ``FORCE_COLOR`` does not make it one."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _on_stderr() -> dict[str, Any]:
    """Return arguments of a progress bar: printed lines appear above it on the same terminal."""
    from rich.console import Console

    return {"console": Console(stderr=True, **_colours()), "redirect_stdout": sys.stdout.isatty()}


def _colours() -> dict[str, Any]:
    """Return arguments without any escape codes under ``NO_COLOR``; rich would keep bold."""
    return {"color_system": None} if os.environ.get("NO_COLOR") else {}
