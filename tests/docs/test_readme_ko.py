"""The Korean README says what the English one does: the same outline, commands, tables, pictures and links."""

from __future__ import annotations

import re

from tests.conftest import ROOT

KEPT_CODE = re.compile(r"(?m)^ {4}\S.*$")


def outline(text: str) -> list[object]:
    """What must be alike in both languages, in order: headings by level, code as it is, names and links, shapes of tables."""
    found: list[object] = []
    for block in re.findall(r"```.*?```|(?:^[^\n]+\n?)+", text, re.DOTALL | re.MULTILINE):
        if block.startswith(("```", "<!--")):
            found.append(block)
        elif KEPT_CODE.match(block):
            found.append(re.sub(r" {2,}.*", "", block))
        elif block.startswith("#"):
            found.append(len(block.split()[0]))
        elif block.startswith("|"):
            found.append(
                [(re.findall(r"`[^`]*`", row), row.count("|")) for row in block.splitlines()]
            )
        else:
            names, links = (
                sorted(re.findall(pattern, block)) for pattern in (r"`[^`]*`", r"\]\(([^)]+)\)")
            )
            found.append((names, links, block.count("\n- ")))
    return found


def test_each_part_has_the_same_commands_names_and_links() -> None:
    english, korean = (
        outline((ROOT / name).read_text(encoding="utf-8")) for name in ("README.md", "README.ko.md")
    )
    assert len(english) > 50
    assert [(one, other) for one, other in zip(english, korean, strict=True) if one != other] == []


def test_it_is_in_korean() -> None:
    prose = re.sub(
        r"```.*?```|`[^`]*`",
        "",
        (ROOT / "README.ko.md").read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    assert len(re.findall(r"[가-힣]", prose)) > len(re.findall(r"[A-Za-z]", prose))
    assert "TODO" not in prose
