"""docs/security.md: every promise has a test, and readers find the page."""

from __future__ import annotations

import ast
import re

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
PROMISED = re.findall(r"^\| (.+?) \| `(tests/[^`]+)` \|$", PAGE, re.MULTILINE)


def test_the_page_makes_promises() -> None:
    assert len(PROMISED) >= 15
    table = PAGE.split("| promise | test |")[1].split("\n\n")[0]
    assert len(PROMISED) == table.count("\n| ")


@pytest.mark.parametrize("test", [test for _, test in PROMISED])
def test_the_test_of_a_promise_exists(test: str) -> None:
    path, _, name = test.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert any(function.startswith("test_") for function in functions)
    assert not name or name in functions


def test_the_page_is_found() -> None:
    assert "docs/security.md" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "docs/security.md" in (ROOT / "README.ko.md").read_text(encoding="utf-8")
    assert "docs/security.md#reporting" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "## Reporting" in PAGE


def test_the_names_of_locks_and_params_are_those_of_the_code() -> None:
    from onnxpress.held import locks
    from onnxpress.pipeline.params import Train

    assert all(lock in PAGE for lock in locks.ALL)
    assert {"max_seconds", "max_memory_mb", "trust", "model_path"} <= Train.model_fields.keys()
