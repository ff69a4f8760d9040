"""A small sample of the soak.

Killed at a random point, the chain ends as a run without kills. The server answers right and keeps
its memory.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bench.soak import chain, serving
from bench.soak.kills import Kill, Soak, write
from bench.soak.serving_report import Requests, markdown
from onnxpress.commands.reproduce.clones import Clone
from onnxpress.errors import UserError
from onnxpress.pipeline.files import read_json
from tests.support.packaged import package


def test_the_chain_recovers_from_a_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    (kill,) = chain.soak(kills=1, seed=16)  # dvc alone, in the middle of what follows evaluate
    assert kill.finding == ""


def test_table_shows_where_kills_fell_and_what_was_lost(tmp_path: Path) -> None:
    kills = [
        Kill("in train", 0.5, ""),
        Kill("in prepare", 0.031, ""),
        Kill("in train", 0.25, "2 runs"),
    ]
    write(Soak("chain", kills, 7, "0123abcd", 3.2), tmp_path)
    table = (tmp_path / "soak_chain.md").read_text()
    assert "| in prepare | 1 | 1 | 3% to 3% |\n| in train | 2 | 1 | 25% to 50% |" in table
    assert "chain: 2 of 3 kills recovered (seed 7)." in table
    assert "- kill 3, in train: 2 runs" in table
    assert read_json(tmp_path / "soak_chain.json")["kills"][1] == {
        "point": "in prepare",
        "share": 0.031,
        "finding": "",
    }


def test_what_a_kill_left_behind_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {evaluate: {cmd: 'true', outs: [outputs/a.json]}}")
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "a.json").write_text("{}")
    whole = chain.digests(tmp_path)
    assert set(whole) == {"dvc.yaml", "outputs/a.json"}
    (tmp_path / "outputs" / "a.json").write_text("{")
    assert chain.digests(tmp_path) != whole
    (tmp_path / "outputs" / "a.json").write_text("{}")
    (tmp_path / "outputs" / ".unfinished-1-a-x").mkdir()
    assert chain.digests(tmp_path) != whole


def test_a_chain_that_has_ended_is_no_kill_and_one_that_failed_is_told(tmp_path: Path) -> None:
    work = Clone(tmp_path, {**os.environ, "DVC_SITE_CACHE_DIR": str(tmp_path / "site")})
    subprocess.run(["dvc", "init", "--no-scm", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "dvc.yaml").write_text("stages: {gate: {cmd: 'true'}}")
    assert chain.kill(work, "dvc", 60) is None
    (tmp_path / "dvc.yaml").write_text("stages: {gate: {cmd: 'false'}}")
    with pytest.raises(UserError, match="before it was killed"):
        chain.kill(work, "dvc", 60)


def test_a_process_that_works_on_in_the_folder_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "ORPHAN_SECONDS", 0.2)
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path) as orphan:
        found = chain.recovery(Clone(tmp_path, {}), {})
        orphan.kill()
    assert found == "still running: ['sleep 60']"


def test_the_server_answers_right_and_refuses_what_is_wrong_again_and_again(
    tmp_path: Path,
) -> None:
    package(tmp_path, "texts")
    name, sent, memory, findings = serving.soak_of(tmp_path, requests=600, seed=1)
    assert (name, findings) == ("model", [])
    assert sum(sent.values()) == 600
    assert sum(count for kind, count in sent.items() if kind.startswith("refused")) > 30
    assert memory[-1] < 1.5 * memory[0]  # few requests: a leak of 100 KB in each would show


def test_an_answer_that_is_not_the_model_s_is_a_finding(tmp_path: Path) -> None:
    package(tmp_path, "numbers")
    with serving.served(tmp_path) as (_, port):
        right, *_, wrong = serving.exchanges(tmp_path, port, "model", seed=1)
        batch = [right, wrong, replace(right, answer=b"{}"), replace(right, answer=b"")]
        found = serving.send(port, "model", [*batch, replace(wrong, answer=right.answer)])
    assert [each.partition(",")[0] for each in found] == [
        "1 row: HTTP 200",
        "1 row: HTTP 200",
        "refused: 1 MB of zeros: HTTP 500",
    ]


def test_the_table_of_requests_has_the_memory_at_each_look() -> None:
    found = Requests("iris", {"1 row": 90, "refused: no inputs": 10}, [50, 51, 56], [], 7, "0", 2)
    lines = markdown(found).splitlines()
    verdict = "**100 requests, 0 findings, memory 50.0 -> 56.0 MB (+12.0%, limit 10%; seed 7).**"
    assert verdict in lines
    assert "| after the warm-up | 50.0 |" in lines
    assert "| 1 row | 90 |" in lines
