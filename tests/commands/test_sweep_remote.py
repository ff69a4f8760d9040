"""The remote that a sweep shares with a cluster: what is refused, and in what order points go."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from dvc.repo import Repo

from onnxpress.commands.sweep.ahead import spread
from onnxpress.commands.sweep.points import Point
from onnxpress.commands.sweep.remote import Remote, refuse_other, shared_remote
from onnxpress.errors import ServerError, UserError
from tests.conftest import changed, default_params


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DVC repository without a remote."""
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    with Repo.init(no_scm=True):
        return folder


def add_remote(address: str, *, default: bool = True) -> None:
    subprocess.run(["dvc", "remote", "add", *(["-d"] if default else []), "store", address],
                   check=True, capture_output=True)  # fmt: skip


def refusal() -> str:
    with pytest.raises(UserError) as error, shared_remote():
        pass
    return str(error.value)


def test_a_default_remote_is_needed() -> None:
    assert "a sweep on a cluster passes files on through DVC's default remote" in refusal()
    add_remote("../store", default=False)
    assert "dvc remote default" in refusal()


@pytest.mark.parametrize(
    "address",
    ["https://me:hunter2secret@host/folder", "s3://bucket/token/ghp_0123456789abcdefABCD"],
)
def test_secrets_in_an_address_go_to_no_worker(address: str) -> None:
    add_remote(address)
    said = refusal()
    assert said.startswith("the address of DVC's remote store (")
    assert "seems to hold a secret, and none goes to workers" in said
    assert "hunter2secret" not in said
    assert "ghp_" not in said


def test_a_remote_that_cannot_be_written_to_is_named(repository: Path) -> None:
    repository.with_name("store").write_text("a file")
    add_remote("../store")
    assert refusal().startswith(f"DVC's remote store ({repository.with_name('store')}) fails (")


def test_a_worker_needs_the_same_place_under_the_name(repository: Path) -> None:
    add_remote("../store")
    with shared_remote() as remote, Repo() as repo:
        assert remote.address == str(repository.with_name("store"))
        refuse_other(repo, remote)
        marks = [path.name for path in Path(remote.address).iterdir()]
        assert marks == [remote.mark]
        with pytest.raises(ServerError, match=r"is another place on a worker than here"):
            refuse_other(repo, replace(remote, mark="onnxpress-sweep-another"))
    assert [*Path(remote.address).iterdir()] == []


def test_what_is_shown_of_a_remote_has_no_secret() -> None:
    assert str(Remote("store", "s3://u:pw@bucket/a", "")) == "DVC's remote store (s3://bucket/a)"


def test_points_that_share_a_model_do_not_go_first_together() -> None:
    points = [
        Point(f"{seed} {method}", {}, changed(default_params(), seed=seed, quantize__method=method))
        for seed in (1, 2)
        for method in ("auto", "none")
    ]
    assert [point.name for point in spread(points)] == ["1 auto", "2 auto", "1 none", "2 none"]
