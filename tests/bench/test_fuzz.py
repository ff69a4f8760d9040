"""The fuzzer: a small sample of its cases, and that it sees what must not happen."""

from __future__ import annotations

import ctypes
import json
import os
import pickle
import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from bench.fuzz import descriptions, report
from bench.fuzz.cases import ONNX, SHARES, STORED, Case, Kind, tried
from bench.fuzz.estimators import files, fitted
from bench.fuzz.run import fuzz
from bench.fuzz.workers import Outcome, run
from bench.fuzz.writing import write
from onnxpress.estimators import stored
from tests.conftest import ROOT
from tests.support.hostile.payload import Call

SEED = 1
CASES = 300


@pytest.fixture(scope="module")
def sample() -> list[Outcome]:
    """A few cases of each kind."""
    return list(fuzz(CASES, SEED))


def test_no_case_of_a_small_sample_does_what_it_must_not(sample: list[Outcome]) -> None:
    assert [outcome for outcome in sample if outcome.finding] == []


def test_every_kind_is_tried_and_some_of_all_ends_come(sample: list[Outcome]) -> None:
    assert {outcome.kind for outcome in sample} == set(SHARES)
    ends = Counter(outcome.outcome for outcome in sample)
    assert {"refused by name", "damaged", "loaded, a predictor", "loaded, no predictor"} <= set(
        ends
    )


def random(seed: int, number: int) -> Random:
    return Random(f"{seed} {number}")  # noqa: S311 # to be found again, not to be secret


def test_cases_are_found_again_by_seed_kind_and_number() -> None:
    first, again, other = (
        [STORED["opcodes"][1](random(seed, n)).data for n in range(20)] for seed in (1, 1, 2)
    )
    assert first == again != other


def test_every_real_file_loads_with_the_same_answers() -> None:
    for name, data in files().items():
        loaded = stored.loads(data, kind="skops" if name.endswith(".skops") else "pickle")
        assert type(loaded) is type(fitted()[name.split(".")[0]])


@pytest.mark.parametrize("protocol", range(6))
def test_a_description_is_written_as_what_it_was_read_from(protocol: int) -> None:
    """Otherwise the writer would damage the changed descriptions, not their changes."""
    for number, node in enumerate(descriptions.real()):
        loaded = stored.loads(write(node, random(0, number), protocol))
        original = stored.loads(pickle.dumps(list(fitted().values())[number], 4))
        assert stored.dump(loaded) == stored.dump(original)


# --- what it must see ----------------------------------------------------------------------------


def picky(data: bytes, _kind: Kind) -> Any:
    """pickle itself, in the place of our reader."""
    try:
        return pickle.loads(data)  # noqa: S301 # what the oracle is to catch
    except Exception as error:
        raise stored.Damaged(str(error)) from error


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (Call(os.system, "true"), "os.system"),
        (Call(os.mkdir, "/proc/no"), "os.mkdir"),
        (Call(open, "/nowhere/at/all", "wb"), "open"),
        (Call(eval, "1"), "compile"),
        (Call(exec, "1"), "compile"),
        (Call(__import__, "this"), "import"),
        (Call(pickle.loads, pickle.dumps(np.float64)), "pickle.find_class"),
        (Call(ctypes.CDLL, None), "ctypes"),
    ],
)
def test_whatever_a_file_runs_is_seen(value: Call, seen: str) -> None:
    assert seen in tried("made", 0, Case(pickle.dumps(value)), picky).finding


def test_an_exception_that_is_not_documented_is_a_finding() -> None:
    def raises(_data: bytes, _kind: Kind) -> Any:
        raise KeyError("x")

    assert tried("made", 0, Case(b""), raises).finding.startswith("KeyError")


def test_pickle_itself_would_not_pass() -> None:
    assert (
        sum(
            bool(outcome.finding)
            for outcome in fuzz(60, SEED, kinds=("made", "changed"), loads=picky)
        )
        > 30
    )


def crash(kind: str, number: int) -> Outcome:
    """Case 2 reads memory that is none, case 3 never ends, case 4 leaves."""
    if number == 2:
        ctypes.string_at(1)
    if number == 3:
        while True:
            pass
    if number == 4:
        os._exit(7)
    return Outcome(kind, number, "loaded")


def test_a_death_a_hang_and_an_exit_are_findings_of_their_case_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bench.fuzz.workers.CPU_SECONDS", 0.2)
    found = {outcome.number: outcome.finding for outcome in run("made", range(6), crash)}
    assert [number for number, finding in found.items() if not finding] == [0, 1, 5]
    assert "SIGSEGV" in found[2]
    assert "takes more than" in found[3]
    assert "exit code 7" in found[4]


# --- the page ------------------------------------------------------------------------------------


def test_the_page_counts_outcomes_names_and_findings(tmp_path: Path) -> None:
    outcomes = [
        Outcome("made", 0, "refused by name", names=("os.system",)),
        Outcome("made", 1, "refused by name", names=("os.system", "a`|b")),
        Outcome("opcodes", 0, "died while reading", "died of SIGSEGV while reading"),
    ]
    report.write(report.Fuzz(outcomes, 7, "0123abcd", 1.2), tmp_path)
    page = (tmp_path / "fuzz.md").read_text()
    assert "**3 cases, 1 findings (seed 7).**" in page
    assert "| refused by name | 2 |" in page
    assert "`os.system` 2, `a'/b` 1" in page
    assert "- opcodes 0: died of SIGSEGV while reading" in page
    assert json.loads((tmp_path / "fuzz.json").read_text())["findings"][0]["kind"] == "opcodes"


def test_the_committed_run_is_long_enough_and_found_nothing() -> None:
    page = (ROOT / "bench" / "results" / "fuzz.md").read_text()
    counted = re.search(r"\*\*(\d+) cases, (\d+) findings", page)
    assert counted is not None
    assert int(counted[1]) >= 100_000
    assert int(counted[2]) == 0


def test_shares_are_of_a_hundred() -> None:
    assert sum(SHARES.values()) == 100
    assert set(SHARES) == {*STORED, *ONNX}
