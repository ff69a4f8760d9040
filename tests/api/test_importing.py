"""Importing onnxpress costs nothing, and a missing extra is one line."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import onnxpress
from onnxpress.errors import UserError
from onnxpress.extras import EXTRAS, naming_extras
from tests.conftest import ROOT

HEAVY = ["matplotlib", "mlflow", "numpy", "onnx", "onnxruntime", "pandas", "pyarrow", "scipy"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_importing_onnxpress_imports_no_heavy_library(tmp_path: Path) -> None:
    code = "import onnxpress, sys; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    started = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(started.stdout.split()) & {*HEAVY, "skl2onnx", "sklearn", "dvc"} == set()


def test_every_public_name_is_there_when_it_is_used() -> None:
    for name in onnxpress.__all__:
        assert getattr(onnxpress, name).__name__ == name
    assert set(onnxpress.__all__) <= set(dir(onnxpress))


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'onnxpress' has no attribute 'decompress'"):
        onnxpress.decompress  # noqa: B018


def test_a_missing_extra_is_named_with_the_command_that_installs_it() -> None:
    line = r"this needs jinja2, which is not installed: pip install 'onnxpress\[report\]'$"
    with pytest.raises(UserError, match=line), naming_extras():
        raise ModuleNotFoundError("No module named 'jinja2.sandbox'", name="jinja2.sandbox")


def test_another_missing_module_stays_what_it_is() -> None:
    with pytest.raises(ModuleNotFoundError), naming_extras():
        raise ModuleNotFoundError("No module named 'theirs'", name="theirs")


def distributions(requirements: list[str]) -> set[str]:
    """The names of the distributions that requirements name."""
    found = {re.split(r"[\[<>=~! ]", each)[0].lower() for each in requirements}
    return {name.replace("_", "-") for name in found}


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_modules_of_an_extra_come_with_its_distributions(extra: str) -> None:
    brings = importlib.metadata.packages_distributions()
    wanted = distributions(PROJECT["optional-dependencies"][extra])
    core = distributions(PROJECT["dependencies"])
    indirectly = {"botocore", "dask", "pydantic-core", "ruamel-yaml"}
    elsewhere = {"grpc": ".venv-serve and .venv-triton", "torch": ".venv-torch"}
    if extra in elsewhere and extra not in brings:
        pytest.skip(f"it is in {elsewhere[extra]} only")
    for module in EXTRAS[extra]:
        found = {name.lower().replace("_", "-").replace(".", "-") for name in brings[module]}
        assert found & (wanted | indirectly), module
        assert not found & core, module
