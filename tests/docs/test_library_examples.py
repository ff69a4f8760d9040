"""The Python examples of README and of two pages run without a warning."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support import pages

EXAMPLES = [
    block
    for page in (pages.README, ROOT / "docs" / "library.md", ROOT / "docs" / "imbalanced.md")
    for block in re.findall(r"```python\n(.*?)```", pages.text(page), re.DOTALL)
    if block.startswith(("import ", "from "))
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs_and_says_how_the_models_agree(example: str, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data")
    command = [sys.executable, "-W", "error", "-c", example]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"same prediction on \d+ of \d+ rows", done.stdout)


def test_there_is_an_example_on_each_page() -> None:
    assert len(EXAMPLES) >= 2


def test_the_example_of_the_readme_is_short() -> None:
    lines = [line for line in EXAMPLES[0].splitlines() if line]
    assert len(lines) <= 12
