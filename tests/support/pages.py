"""README, CONTRIBUTING and the pages of docs/: their shell blocks, links, anchors and paths."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import ROOT

README = ROOT / "README.md"

PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
"""The pages that users read in English."""

RUN_BY_CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def text(page: Path) -> str:
    """The content of a page."""
    return page.read_text(encoding="utf-8")


def shell_blocks(pages: list[Path]) -> list[str]:
    """The shell blocks of the pages in order, each once."""
    found = []
    for page in pages:
        found += re.findall(r"```sh\n(.*?)```", text(page), re.DOTALL)
    return list(dict.fromkeys(found))


def make_commands(pages: list[Path]) -> list[str]:
    """The lines of shell blocks that begin with make, each once."""
    lines = [line for block in shell_blocks(pages) for line in block.splitlines()]
    return list(dict.fromkeys(line for line in lines if line.startswith("make ")))


def other_blocks(pages: list[Path]) -> list[str]:
    """The shell blocks without make."""
    return [block for block in shell_blocks(pages) if "make " not in block]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"```.*?```", "", text(page), flags=re.DOTALL)


def links(page: Path) -> list[str]:
    """The targets of links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """The anchors of the headings, as GitHub makes them.

    ``## What you get, and how`` has the anchor ``what-you-get-and-how``.
    """
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
