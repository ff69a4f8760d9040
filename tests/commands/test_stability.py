"""How often gates fail over several seeds, counted; and a chain that cannot run."""

from __future__ import annotations

from typing import Any

import pytest

from onnxpress.commands.stability import repeating
from onnxpress.commands.stability.chains import ChainFailed, Run, run_chain
from onnxpress.errors import UserError
from tests.conftest import ROOT, default_params, write_params

DROPS = [0.0, 0.02, -0.01, 0.03]
"""A loss of score for each of four seeds; the limit is 0.01."""


def entry(limit: float, value: float | None, *, passed: bool) -> dict[str, Any]:
    """What gate.json says of one gate."""
    return {"limit": limit, "value": value, "passed": passed}


def run(seed: int, drop: float) -> Run:
    """A run with a gate that has an upper limit and one that has a lower limit."""
    gates = {
        "max_drop.score": entry(0.01, drop, passed=drop <= 0.01),
        "min_onnx_agreement": entry(1.0, 1.0 - drop, passed=drop <= 0),
    }
    return Run(seed, "forest/lossless", 8.0, gates)


RUNS = [run(seed, drop) for seed, drop in enumerate(DROPS)]


def test_each_gate_is_counted_by_its_own_verdicts() -> None:
    failed = {each.gate: (each.failed, each.runs) for each in repeating.summarise(RUNS)}
    assert failed == {"max_drop.score": (2, 4), "min_onnx_agreement": (2, 4)}


def test_the_worst_value_is_the_one_furthest_on_the_failing_side() -> None:
    worst = {each.gate: each.worst for each in repeating.summarise(RUNS)}
    assert worst == {"max_drop.score": 0.03, "min_onnx_agreement": 0.97}


def test_the_median_lies_between_the_middle_two() -> None:
    drop, _ = repeating.summarise(RUNS)
    assert drop.median == pytest.approx(0.01)


def test_a_gate_whose_value_is_undefined_counts_as_failed() -> None:
    gates = {"max_drop.score": entry(0.01, None, passed=False)}
    (found,) = repeating.summarise([Run(1, "none", 1.0, gates)])
    assert (found.failed, found.median, found.worst) == (1, None, None)


def test_a_gate_that_some_seeds_do_not_have_is_counted_where_it_applies() -> None:
    other = Run(9, "none", 1.0, {"max_size_ratio": entry(1.0, 1.0, passed=True)})
    runs = {each.gate: each.runs for each in repeating.summarise([*RUNS, other])}
    assert runs == {"max_drop.score": 4, "min_onnx_agreement": 4, "max_size_ratio": 1}


def test_a_stage_that_rejects_its_input_says_so_in_its_own_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    content = default_params(data__source="data/absent.csv", data__target="y")
    with pytest.raises(ChainFailed, match=r"^prepare: params\.yaml: data\.source names"):
        run_chain(1, content)


def test_a_later_seed_that_does_not_reach_the_gates_is_listed(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fake(seed: int, _content: Any, _snapshot: None) -> Run | ChainFailed:
        return ChainFailed("prepare: a class is too rare") if seed == 44 else run(seed, 0.0)

    write_params(tmp_path, default_params())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(repeating, "attempt", fake)
    repeating.main(3)
    said = capsys.readouterr().out
    assert "seed 44 did not reach the gates: prepare: a class is too rare" in said
    assert "0 of 2" in said


def test_the_first_seed_that_fails_ends_it(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(_seed: int, _content: Any, _snapshot: None) -> ChainFailed:
        return ChainFailed("train: no such class")

    write_params(tmp_path, default_params())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(repeating, "attempt", fake)
    with pytest.raises(UserError, match="^with seed 42: train: no such class$"):
        repeating.main(3)
