"""Calls on the workers of a real cluster on loopback."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import LocalCluster
from numpy.typing import NDArray

from onnxpress.engine import cluster as engine_room
from onnxpress.engine.choosing import engine_at
from onnxpress.engine.engine import HERE, in_order
from onnxpress.errors import ServerError, UserError


def refuse_lines(line: str) -> None:
    raise AssertionError(line)


def scaled(item: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
    time.sleep(0.2)
    if item == 7:
        raise UserError("seven is wrong")
    return values * item


VALUES = np.random.default_rng(0).normal(size=200_000)


def test_results_are_those_of_this_process_in_their_order(local: LocalCluster) -> None:
    with engine_at(local.scheduler_address, refuse_lines) as engine:
        assert engine.workers == 2
        found = list(in_order(engine, scaled, range(6), engine.share(VALUES)))
    expected = list(in_order(HERE, scaled, range(6), HERE.share(VALUES)))
    assert [each.tobytes() for each in found] == [each.tobytes() for each in expected]


def test_what_a_call_raises_comes_after_the_results_before_it(local: LocalCluster) -> None:
    with engine_at(local.scheduler_address, refuse_lines) as engine:
        shared = engine.share(VALUES)
        results = in_order(engine, scaled, range(5, 9), shared)
        found = [next(results), next(results)]
        with pytest.raises(UserError, match="seven is wrong"):
            next(results)
    assert [each.tobytes() for each in found] == [(VALUES * item).tobytes() for item in (5, 6)]


def ended_while(there: Path, noted: Path) -> str:
    """End the worker, as a kill does, while a file is ``there``."""
    with noted.open("a") as notes:
        notes.write("begun ")
    if there.exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def test_kills_that_come_too_fast_are_a_line_and_the_next_run_works(
    local: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_room, "LOST_TIMES", 1)
    monkeypatch.setattr(local.scheduler, "allowed_failures", 0)
    there, noted = tmp_path / "there", tmp_path / "noted"
    there.touch()
    for killed in (True, False):
        with engine_at(local.scheduler_address, refuse_lines) as engine:
            task = engine.submit(ended_while, there, noted)
            if killed:
                with pytest.raises(ServerError, match="was lost 2 times .* more memory"):
                    task.result()
                there.unlink()
            else:
                assert task.result() == "done"
    assert len(noted.read_text().split()) == 2 + 1


@dataclass
class Slow:
    """What takes long to be sent, the first times."""

    noted: Path

    def __reduce__(self) -> tuple[Callable[[str], str], tuple[str]]:
        with self.noted.open("a") as noted:
            noted.write("sent ")
        if self.noted.read_text().count("sent") < 4:
            time.sleep(1.5 * engine_room.POLL_SECONDS)
        return str, ("it",)


def test_a_result_that_is_long_on_its_way_is_sent_once(local: LocalCluster, tmp_path: Path) -> None:
    with engine_at(local.scheduler_address, refuse_lines) as engine:
        found: Any = engine.submit(Slow, tmp_path / "noted").result()
    assert found == "it"
    assert (tmp_path / "noted").read_text() == "sent "
