"""The Korean pages follow the English ones: outline, commands, tables, links, figures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support import pages

KOREAN = ROOT / "docs" / "ko"
ENGLISH_OF = {
    ROOT / "README.ko.md": ROOT / "README.md",
    **{page: ROOT / "docs" / page.name for page in sorted(KOREAN.glob("*.md"))},
}
EACH_PAGE = pytest.mark.parametrize("page", ENGLISH_OF, ids=lambda page: page.name)
KEPT_CODE = re.compile(r"(?m)^ {4}\S.*$")
ONLY_IN_KOREAN = "English 링크가 따로 있는 문서는 한국어판이 있고, 나머지는 영어로 되어 있습니다."


def outline(page: Path) -> list[object]:
    """What both languages must share, in order.

    Headings by level, code as it is, names, links and figures, shapes of tables.
    """
    found: list[object] = []
    content = pages.text(page)
    for block in re.findall(r"```.*?```|(?:^[^\n]+\n?)+", content, re.DOTALL | re.MULTILINE):
        if block.startswith("<!--") or block.strip() == ONLY_IN_KOREAN:
            continue
        if block.startswith("```") or KEPT_CODE.match(block):
            found.append(block)
        elif block.startswith("#"):
            found.append(len(block.split()[0]))
        elif block.startswith("|"):
            rows = block.splitlines()
            found.append([(*shared(row, page), row.count("|")) for row in rows])
        else:
            found.append((*shared(block, page), block.count("\n- ")))
    return found


def shared(text: str, page: Path) -> tuple[list[str], list[str], list[str]]:
    """The names, links and figures of a text; headings have anchors in their own language."""
    without_links = re.sub(r"\]\([^)]+\)", "]", text)
    names = sorted(re.findall(r"`[^`]*`", text))
    return names, links(text, page), figures(without_links)


def links(text: str, page: Path) -> list[str]:
    """What the links of a text lead to, with a Korean page as the English one."""
    found = []
    for link in re.findall(r"\]\(([^)]+)\)", text):
        target, _, anchor = link.partition("#")
        if link.startswith("http"):
            found.append(link)
            continue
        path = (page.parent / target).resolve() if target else page
        translated = path in ENGLISH_OF or path in ENGLISH_OF.values()
        english = ENGLISH_OF.get(path, path).relative_to(ROOT).as_posix()
        found.append(english if translated else f"{english}#{anchor}")
    return sorted(found)


def figures(text: str) -> list[str]:
    """Numbers of two digits and more, which no language spells out: 8.0, 214, 1,024."""
    return sorted(re.findall(r"\d[\d.,]*\d", text))


@EACH_PAGE
def test_each_part_has_the_same_commands_names_links_and_figures(page: Path) -> None:
    english, korean = outline(ENGLISH_OF[page]), outline(page)
    assert len(english) > 15
    assert [(one, other) for one, other in zip(english, korean, strict=True) if one != other] == []


@EACH_PAGE
def test_the_shell_blocks_are_those_of_the_english_page(page: Path) -> None:
    assert pages.shell_blocks([page]) == pages.shell_blocks([ENGLISH_OF[page]])


@EACH_PAGE
def test_it_is_in_korean(page: Path) -> None:
    prose = re.sub(r"(?s)```.*?```|(?m:^ {4}[^\n]*$)|`[^`]*`|\]\([^)]*\)", "", pages.text(page))
    assert len(re.findall(r"[가-힣]", prose)) > len(re.findall(r"[A-Za-z]", prose))
    assert "TODO" not in prose


@EACH_PAGE
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for link in pages.links(page):
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        if target.startswith("http"):
            continue
        if not path.exists() or (anchor and anchor not in pages.anchors(path)):
            dead.append(link)
    assert dead == []


@EACH_PAGE
def test_both_languages_link_to_each_other(page: Path) -> None:
    english = ENGLISH_OF[page]
    assert page in linked(english)
    assert english in linked(page)
    if page.parent == KOREAN:
        assert page in linked(ROOT / "README.ko.md")


def linked(page: Path) -> set[Path]:
    return {(page.parent / link.partition("#")[0]).resolve() for link in pages.links(page)}
