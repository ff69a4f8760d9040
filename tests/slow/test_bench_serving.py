"""`python -m bench.serving`: real servers, started, checked, put under load and ended."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.project import Project


def test_a_short_run_measures_both_forms_side_by_side(tmp_path: Path) -> None:
    if shutil.which("wrk") is None:
        assert not os.environ.get("CI"), "apt-get install wrk"
        pytest.skip("no wrk")
    short = ["--data", "iris", "--clients", "16", "--rounds", "1", "--output", str(tmp_path)]
    servers = ["--servers", "Triton", "Triton with drift"]
    words = [sys.executable, "-m", "bench.serving", *servers, *short]
    done = Project(ROOT).run(*words)
    stored = json.loads((tmp_path / "serving.json").read_text(encoding="utf-8"))
    assert (
        len(stored["cells"]) == 8
    )  # two forms, none, and one with drift, of two sizes of requests
    for cell in stored["cells"]:
        assert min(cell["requests_per_s"], cell["p50_ms"], cell["peak_mb"]) > 0
    cpu, rate, *drift = stored["bars"]
    assert cpu["value"] > 0
    assert rate["value"] is None  # MLflow was left out
    assert all(bar["value"] > 0 for bar in drift)
    assert stored["floors"]["iris"]["median"] > 0
    assert done.stdout.endswith((tmp_path / "serving.md").read_text(encoding="utf-8"))
