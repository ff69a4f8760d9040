"""The examples in the docstrings of the public functions run, and end as they say."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

import onnxpress

FUNCTIONS = [name for name in onnxpress.__all__ if name.islower()]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_example_of_a_public_function_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    function = getattr(onnxpress, name)
    (example,) = doctest.DocTestFinder(recurse=False).find(function, name, globs={})
    assert example.examples
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)
    assert said == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_docstring_has_its_arguments_and_errors(name: str) -> None:
    text = getattr(onnxpress, name).__doc__
    assert "Args:" in text
    assert "Raises:\n        UserError:" in text
