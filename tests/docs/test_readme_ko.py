"""The Korean README follows the English one: outline, commands, tables, links, figures."""

from __future__ import annotations

import re

from tests.conftest import ROOT

KEPT_CODE = re.compile(r"(?m)^ {4}\S.*$")
ONLY_IN_KOREAN = "아래 문서는 영어로 되어 있습니다."


def outline(text: str) -> list[object]:
    """What both languages must share, in order.

    Headings by level, code as it is, names, links and figures, shapes of tables.
    """
    found: list[object] = []
    for block in re.findall(r"```.*?```|(?:^[^\n]+\n?)+", text, re.DOTALL | re.MULTILINE):
        if block.startswith("<!--") or block.strip() == ONLY_IN_KOREAN:
            continue
        if block.startswith("```") or KEPT_CODE.match(block):
            found.append(block)
        elif block.startswith("#"):
            found.append(len(block.split()[0]))
        elif block.startswith("|"):
            found.append([(names(row), figures(row), row.count("|")) for row in block.splitlines()])
        else:
            found.append((names(block), links(block), figures(block), block.count("\n- ")))
    return found


def names(text: str) -> list[str]:
    return sorted(re.findall(r"`[^`]*`", text))


def links(text: str) -> list[str]:
    return sorted(re.findall(r"\]\(([^)]+)\)", text))


def figures(text: str) -> list[str]:
    """Numbers of two digits and more, which no language spells out: 8.0, 214, 1,024."""
    return sorted(re.findall(r"\d[\d.,]*\d", text))


def test_each_part_has_the_same_commands_names_links_and_figures() -> None:
    english, korean = (
        outline((ROOT / name).read_text(encoding="utf-8")) for name in ("README.md", "README.ko.md")
    )
    assert len(english) > 25
    assert [(one, other) for one, other in zip(english, korean, strict=True) if one != other] == []


def test_it_is_in_korean() -> None:
    text = (ROOT / "README.ko.md").read_text(encoding="utf-8")
    prose = re.sub(r"(?s)```.*?```|(?m:^ {4}[^\n]*$)|`[^`]*`|\]\([^)]*\)", "", text)
    assert len(re.findall(r"[가-힣]", prose)) > 2 * len(re.findall(r"[A-Za-z]", prose))
    assert "TODO" not in prose
