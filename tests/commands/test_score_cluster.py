"""`onnxpress score` on the workers of a cluster: the bytes of one machine, also as workers die."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from bench.soak.cluster import kill_a_worker
from onnxpress.commands.score import scoring
from onnxpress.commands.score.scoring import Job, main
from onnxpress.errors import UserError
from onnxpress.tables.pieces import Piece, pieces
from tests.conftest import default_params, write_params
from tests.support.clusters import local
from tests.support.scored import CLASSIFIER, OUT, QUANTIZED, contents, put, raw, store

__all__ = ["local"]
KILLED_AT = (3, 9, 15, 21)
"""Pieces that are read when a worker dies; those before them are on their way."""


@pytest.fixture(autouse=True)
def folder(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Rows in two files, to be read in small pieces."""
    put(CLASSIFIER)
    monkeypatch.setattr(scoring, "rows_of_piece", lambda _: 50)
    frame = raw(times=2)
    frame.loc[60, "island"] = "Mars"
    store(frame, Path("rows/a.csv"))
    store(raw(times=2), Path("rows/b.parquet"))
    return workspace


def score(scheduler: str | None = None) -> None:
    main(Job(QUANTIZED, "rows", OUT, ("key",), scheduler))


def here(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, bytes], str]:
    """What this machine writes and warns of."""
    score()
    found = contents()
    shutil.rmtree(OUT)
    return found, warned(capsys)


def warned(capsys: pytest.CaptureFixture[str]) -> str:
    return "".join(line for line in capsys.readouterr().out.splitlines() if "warning" in line)


def test_the_bytes_and_the_warning_are_those_of_this_machine(
    local: LocalCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    expected, warning = here(capsys)
    assert "'island' in 1 row ('Mars')" in warning
    score(local.scheduler_address)
    assert (contents(), warned(capsys)) == (expected, warning)


def test_killed_workers_change_nothing(
    local: LocalCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected, _ = here(capsys)
    read, kills = 0, 0

    def killing(*arguments: Any) -> Iterator[Piece]:
        nonlocal read, kills
        for piece in pieces(*arguments):
            read += 1
            if read in KILLED_AT:
                while not kill_a_worker(local, kills % 2):
                    time.sleep(0.05)
                kills += 1
            yield piece

    monkeypatch.setattr(scoring, "pieces", killing)
    score(local.scheduler_address)
    assert kills == len(KILLED_AT)
    assert contents() == expected


def test_a_wrong_row_is_the_line_of_this_machine_and_what_is_done_is_kept(
    folder: Path, local: LocalCluster
) -> None:
    write_params(folder, default_params(engine__scheduler=local.scheduler_address))
    wrong = raw(times=2).astype({"body_mass_g": object})
    wrong.loc[141, "body_mass_g"] = "heavy"
    store(wrong, Path("rows/b.csv"))
    Path("rows/b.parquet").unlink()
    with pytest.raises(UserError, match=r"rows/b.csv: .* got 'heavy' in row 142"):
        score()
    assert [*contents()] == ["a.parquet"]


def test_no_scheduler_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxpress.engine.cluster.CONNECT_SECONDS", 1)
    with pytest.raises(UserError, match="tcp://127.0.0.1:9 does not answer"):
        score("tcp://127.0.0.1:9")
    assert contents() == {}
    score()
    score("tcp://127.0.0.1:9")  # nothing is left to do
