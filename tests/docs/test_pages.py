"""README and docs/: what they name exists, what can be made from the code is up to date."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from onnxpress.commands.reference import PARTS, parts_of, with_parts
from onnxpress.errors import GateFailed, ServerError, UserError
from onnxpress.pipeline import signals
from tests.conftest import ROOT, default_params
from tests.support import pages
from tests.support.bad_input import CORPUS

IDS = [page.name for page in pages.PAGES]
EVERY_PAGE = pytest.mark.parametrize("page", pages.PAGES, ids=IDS)
TROUBLES = pages.text(ROOT / "docs" / "troubleshooting.md")

FOREIGN = {
    "'./dvc.lock' validation failed",
    "Unable to read RWLock-file",
    "failed to reproduce ",
    ": another DVC process",
}
"""What DVC says itself."""


def test_the_readme_is_one_screen() -> None:
    assert len(pages.text(pages.README).splitlines()) <= 160


@EVERY_PAGE
def test_what_is_made_from_the_code_is_up_to_date(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert with_parts(pages.text(page), page) == pages.text(page), "run make docs"


def test_every_part_that_can_be_made_is_shown() -> None:
    shown = {part for page in pages.PAGES for part in parts_of(pages.text(page))}
    assert shown == PARTS.keys()


@pytest.mark.parametrize("name", ["params", "unknown"])
def test_a_page_with_a_broken_part_is_refused(name: str) -> None:
    broken = f"# Parameters\n<!-- {name}: written by `make docs` -->\n"
    with pytest.raises(UserError, match=f"docs/x.md has the line <!-- {name}.*restore the page"):
        with_parts(broken, Path("docs/x.md"))


@EVERY_PAGE
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for link in pages.links(page):
        target, _, anchor = link.partition("#")
        if target.startswith("http"):
            continue
        path = (page.parent / target).resolve() if target else page
        exists = path.exists() and path.is_relative_to(ROOT)
        if not exists or (anchor and anchor not in pages.anchors(path)):
            dead.append(link)
    assert dead == []


def test_every_page_is_linked_from_the_readme_and_links_back() -> None:
    linked = set(pages.links(pages.README))
    for page in pages.PAGES[1:]:
        assert f"docs/{page.name}" in linked
        assert "../README.md" in pages.links(page)


@EVERY_PAGE
def test_every_path_of_the_repository_exists(page: Path) -> None:
    if page.stem == "upgrading":
        pytest.skip("it names what has gone")
    folders = "onnxpress|stages|tests|bench|requirements|notebooks|docs"
    named = re.findall(rf"`((?:{folders})/[\w./]*)(?:::\w+)?`", pages.text(page))
    assert [name for name in named if not (ROOT / name).exists()] == []


@EVERY_PAGE
def test_every_key_of_the_params_file_exists(page: Path) -> None:
    params = default_params()
    named = re.findall(r"`([a-z]+)\.([a-z_]+)`", pages.text(page))
    named += re.findall(r"`([a-z]+)\.([a-z_]+): [^`]*`", pages.text(page))
    unknown = [
        (section, key)
        for section, key in named
        if isinstance(params.get(section), dict) and key not in params[section]
    ]
    assert unknown == []


@EVERY_PAGE
def test_every_make_target_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)", pages.text(page)))
    assert named <= targets


def test_every_message_of_the_troubleshooting_page_is_one_that_can_come() -> None:
    """They are texts of the code, with ``…`` for what is filled in, or words of a bad input."""
    can_come = [*texts_in_the_code(), *(bad.words for bad in CORPUS)]
    rows = re.findall(r"^\| (.*?) \| ", TROUBLES, re.MULTILINE)
    quoted = [text for row in rows for text in re.findall(r"`([^`]+)`", row)]
    assert len(quoted) > 20
    assert [text for text in quoted if not comes(text, can_come)] == []


def comes(quoted: str, can_come: list[str]) -> bool:
    """Whether the parts between the dots of a quoted message are all in one text of the code."""
    without_stage = re.sub(r"^(prepare|train|convert|gate|publish|reproduce): ", "", quoted)
    pattern = re.sub(r"\d+|(outputs/)?\w+\.(yaml|json|joblib)|outputs/", "…", without_stage)
    parts = [part.strip() for part in pattern.split("…") if part.strip(" :")]
    if all(any(part in text for text in FOREIGN) for part in parts):
        return True
    return any(all(part in text for part in parts) for text in can_come)


def texts_in_the_code() -> list[str]:
    """Every text in the code of stages and library; what an f-string fills in is ``…``."""
    found = []
    for folder in ("onnxpress", "stages"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    found.append("".join(map(filled_in, node.values)))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return found


def filled_in(part: ast.expr) -> str:
    """The text of a part of an f-string; ``…`` for a value."""
    return str(part.value) if isinstance(part, ast.Constant) else "…"


def test_the_outcomes_on_the_outputs_page_are_those_of_the_code() -> None:
    page = pages.text(ROOT / "docs" / "outputs.md")
    explained = re.findall(r"^\| `([a-z ]+)` \| ", page.partition("| outcome |")[2], re.MULTILINE)
    assert len(explained) >= 12
    folder = ROOT / "onnxpress" / "quantize"
    code = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    assert [outcome for outcome in explained if f'"{outcome}"' not in code] == []


def test_the_exit_codes_on_the_page_of_commands_are_those_of_the_code() -> None:
    page = pages.text(ROOT / "docs" / "commands.md").partition("## Exit codes")[2]
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    errors = {kind.exit_code for kind in (UserError, GateFailed, ServerError)}
    assert listed >= errors | {signals.INTERRUPTED, signals.TERMINATED}
