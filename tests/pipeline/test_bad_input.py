"""Every bad input of the table ends with one clear line and its exit code, and nothing is lost."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import default_params, write_params
from tests.support.bad_input import CORPUS, Bad
from tests.support.programs import run
from tests.support.project import QUICK

CHAIN = ("prepare", "train", "convert", "quantize", "evaluate", "benchmark", "plot", "gate")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the chain has run up to the gate."""
    folder = tmp_path_factory.mktemp("finished") / "project"
    (folder / "data").mkdir(parents=True)
    write_params(folder, default_params(**QUICK, quantize__level="lossless"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert [run(stage) for stage in CHAIN] == [0] * len(CHAIN)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of outputs/, by path."""
    outputs = folder / "outputs"
    return {
        str(path.relative_to(outputs)): path.read_bytes()
        for path in outputs.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("bad", CORPUS, ids=lambda bad: bad.name)
def test_a_bad_input_ends_with_one_clear_line(
    bad: Bad,
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "project"
    shutil.copytree(finished, folder)
    bad.spoil(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["-m"])
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert [run(stage) for stage in bad.before] == [0] * len(bad.before)
    capfd.readouterr()
    before = contents(folder)
    code = run(bad.stage)
    message = capfd.readouterr().err
    assert [line for line in message.splitlines() if not line.startswith(f"{bad.stage}: ")] == []
    (line,) = message.splitlines()
    assert bad.words in line
    assert code == bad.exit_code
    kept = contents(folder)
    kept = (
        kept if bad.stage != "gate" or code != 3 else kept | {"gate.json": before["gate.json"]}
    )  # the verdict is its result
    assert kept == before


def test_the_rows_have_names_of_their_own_and_are_as_many_as_promised() -> None:
    assert len({bad.name for bad in CORPUS}) == len(CORPUS) >= 60
