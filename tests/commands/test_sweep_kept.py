"""The working tree comes back if DVC was killed while it queued the experiments of a sweep."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from onnxpress.commands.sweep import kept

CHANGED = "seed: 1 # changed\n"
AUTHOR = ("-c", "user.name=A", "-c", "user.email=a@example.org")


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git repository with a staged and an unstaged change."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")
    for name in ("dvc.yaml", "params.yaml"):
        Path(name).write_text("seed: 1\n")
    Path(".gitignore").write_text(".dvc\n")
    git("add", "-A")
    git("commit", "-q", "-m", "start")
    Path("params.yaml").write_text(CHANGED)
    Path("dvc.yaml").write_text("staged: 1\n")
    git("add", "dvc.yaml")


def git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *AUTHOR, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


MOMENTS = {
    "stashed": (),
    "detached": (("checkout", "-q", "--detach"),),
    "applied": (("checkout", "-q", "--detach"), ("stash", "apply", "-q")),
    "on the branch again": (
        ("checkout", "-q", "--detach"),
        ("symbolic-ref", "HEAD", "refs/heads/main"),
    ),
    "restored but for the copy": (("stash", "apply", "-q"),),
}
"""What DVC has done to git after the changes are stashed."""


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_working_tree_is_back_after_a_kill_while_queueing(
    moment: str,
) -> None:
    before = git("status", "--porcelain=v2")
    kept.remember()
    git("stash", "push", "-q")
    for command in MOMENTS[moment]:
        git(*command)
    if moment == "applied":
        Path("params.yaml").write_text("seed: 2\n")
        git("add", "params.yaml")
    kept.restore()
    assert git("status", "--porcelain=v2") == before
    assert git("branch", "--show-current") == "main"
    assert Path("params.yaml").read_text() == CHANGED
    assert not kept.RECORD.exists()


def test_what_the_user_does_after_a_kill_stays() -> None:
    kept.remember()
    git("switch", "-q", "-c", "mine")
    Path("params.yaml").write_text("seed: 3\n")
    kept.restore()
    assert git("branch", "--show-current") == "mine"
    assert Path("params.yaml").read_text() == "seed: 3\n"
    assert git("stash", "list") == ""
    assert not kept.RECORD.exists()


def test_changes_while_queueing_stay_if_nothing_is_killed() -> None:
    with kept.kept():
        Path("params.yaml").write_text("seed: 3\n")
    assert Path("params.yaml").read_text() == "seed: 3\n"
    assert git("stash", "list") == ""
    assert not kept.RECORD.exists()
