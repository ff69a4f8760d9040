"""The test that a patch of skl2onnx names fails without the patch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PATCHES = sorted((ROOT / "onnxpress/conversion/skl2onnx_patches").glob("[!_]*.py"))

WITHOUT = """
import importlib, sys
import pytest
from onnxpress.conversion import converting

patch = importlib.import_module("onnxpress.conversion.skl2onnx_patches." + sys.argv[1])
if hasattr(patch, "register"):
    patch.register = lambda: None
if hasattr(patch, "as_known"):
    converting.as_known = lambda estimator: estimator
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", sys.argv[2]]))
"""


@pytest.mark.parametrize("patch", PATCHES, ids=lambda path: path.stem)
def test_the_named_test_fails_without_the_patch(patch: Path) -> None:
    lines = patch.read_text(encoding="utf-8").splitlines()
    (test,) = (line.removeprefix("Test: ") for line in lines if line.startswith("Test: "))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, patch.stem, test],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
