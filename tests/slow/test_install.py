"""The wheel and the sdist, installed in an empty environment elsewhere, work without the rest."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import joblib
import pytest
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier

from tests.conftest import ROOT

PACKED = ["pyproject.toml", "README.md", "LICENSE", "onnxpress"]
LOCK = ROOT / "requirements" / "main.lock"
EXTRAS = {"boto3", "dvc", "jinja2", "matplotlib", "mlflow", "pydantic", "yaml"}

USE = """
import importlib.util, json, pathlib, pandas, onnxpress
rows = pandas.read_csv("rows.csv")
X, y = rows.drop(columns="kind"), rows["kind"]
forest = onnxpress.load_estimator("forest.joblib")
result = onnxpress.compress(forest, X, y, level="lossless")
found = onnxpress.compare(forest, result, X, y)
latencies = onnxpress.measure({"forest": forest, "result": result}, X, seconds=0.2)
print(json.dumps({
    "from": onnxpress.__file__,
    "plain nodes": len(onnxpress.convert(forest, X).graph.node),
    "candidate": result.candidate,
    "agreement": found.agreement,
    "batches": list(latencies.batches),
    "extras": [name for name in EXTRAS if importlib.util.find_spec(name)],
}))
"""

OWN = ("PYTHON", "VIRTUAL_ENV", "DVC_", "MLFLOW_", "ONNXPRESS_")
"""How the variables begin that may lead to the repository."""


def run(*words: str | Path, folder: Path) -> str:
    """What a command prints; its folder and environment know nothing of the repository.

    What tells the machine's way to its packages stays: mirrors, proxies, certificates.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    ended = subprocess.run(
        [str(word) for word in words], cwd=folder, env=kept, capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout.decode()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is packed: building leaves files beside it."""
    folder = tmp_path_factory.mktemp("source")
    for name in PACKED:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / name, folder)
    return folder


def built_wheel(source: Path, out: Path) -> Path:
    """The wheel of a source tree, built without any network."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--no-deps", "--no-build-isolation", "--no-index", "-w", out, source, folder=out)
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_wheel(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sdist")
    build = f"from setuptools import build_meta; build_meta.build_sdist({str(out)!r})"
    run(sys.executable, "-c", build, folder=source)
    (archive,) = out.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel and its core dependencies, as locked."""
    folder = tmp_path_factory.mktemp("environment")
    pins = re.findall(r"^[a-z0-9._-]+==\S+", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    (folder / "pins.txt").write_text("\n".join(pins), encoding="utf-8")
    run("uv", "venv", "--quiet", "--python", sys.executable, "venv", folder=folder)
    install = ["uv", "pip", "install", "--quiet", "--python", "venv/bin/python"]
    install += ["--constraint", "pins.txt", str(wheel)]
    try:
        run(*install, "--offline", folder=folder)
    except AssertionError:  # not all of them are in the cache of uv
        run(*install, folder=folder)
    return folder / "venv" / "bin"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A folder with a stored model and the rows that it was fitted on, and nothing else."""
    X, y = load_wine(return_X_y=True, as_frame=True)  # noqa: N806 - scikit-learn's name
    names = y.map({0: "red", 1: "white", 2: "rose"})
    forest = RandomForestClassifier(20, random_state=0).fit(X, names)
    joblib.dump(forest, tmp_path / "forest.joblib")
    X.assign(kind=names).to_csv(tmp_path / "rows.csv", index=False)
    return tmp_path


def test_the_api_works_with_the_core_dependencies_alone(environment: Path, empty: Path) -> None:
    code = USE.replace("EXTRAS", repr(sorted(EXTRAS)))
    found = json.loads(run(environment / "python", "-W", "error", "-c", code, folder=empty))
    assert Path(found.pop("from")).is_relative_to(environment.parent)
    assert found == {
        "plain nodes": found["plain nodes"],
        "candidate": "forest/lossless",
        "agreement": 1.0,
        "batches": [1, 32, 1024],
        "extras": [],
    }
    assert {path.name for path in empty.iterdir()} == {"forest.joblib", "rows.csv"}


def test_the_command_works_with_the_core_dependencies_alone(environment: Path, empty: Path) -> None:
    command = environment / "onnxpress"
    data = ["--data", "rows.csv", "--target", "kind"]
    run(command, "compress", "forest.joblib", *data, "-o", "small.onnx", folder=empty)
    assert (empty / "small.onnx").stat().st_size < (empty / "forest.joblib").stat().st_size / 5
    run(command, "compare", "forest.joblib", "small.onnx", *data, folder=empty)
    assert "opsets" in run(command, "inspect", "small.onnx", folder=empty)
    names = {path.name for path in empty.iterdir()}
    assert names == {"forest.joblib", "rows.csv", "small.onnx"}


def test_a_command_that_needs_an_extra_names_it(environment: Path, empty: Path) -> None:
    ended = subprocess.run(
        [environment / "onnxpress", "doctor"], cwd=empty, capture_output=True, check=False
    )
    assert ended.returncode == 2
    line = rb"doctor: this needs \w+, which is not installed: pip install 'onnxpress\[pipeline\]'\n"
    assert re.fullmatch(line, ended.stderr)


def test_the_wheel_holds_the_library_and_nothing_beside_it(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    folders = {name.split("/")[0] for name in names}
    assert folders == {"onnxpress", "onnxpress-0.1.0.dist-info"}
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "onnxpress").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {name for name in names if name.startswith("onnxpress/")} == sources


def test_the_sdist_makes_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    (tmp_path / "wheel").mkdir()
    again = built_wheel(unpacked, tmp_path / "wheel")
    assert checksums(again) == checksums(wheel)


def checksums(wheel: Path) -> dict[str, int]:
    """The files of a wheel."""
    return {item.filename: item.CRC for item in zipfile.ZipFile(wheel).infolist()}
