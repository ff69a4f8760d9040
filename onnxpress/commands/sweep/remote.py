"""The DVC remote through which a cluster's workers and this machine share what stages make.

It holds the files of the outputs, and the run cache: an entry for each run of a stage, which says
which outputs belong to which code, params and inputs. With both, DVC runs no stage again.

`dvc push --run-cache` leaves out metrics that git keeps, so their stage would run again all the
same. So what is pushed and fetched is found here, from the entries.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from onnxpress.commands.mend import LOADER
from onnxpress.credentials.addresses import Unreadable, local_path, public, read
from onnxpress.errors import ServerError, UserError
from onnxpress.pipeline.files import write_bytes
from onnxpress.pipeline.freshness import LOCK

RUNS = "runs"
"""The folder of the run cache, in a cache and in a remote."""
CURE = "or set engine.scheduler to null, and run again"
WANTED = (
    "a sweep on a cluster passes files on through DVC's default remote, a place that this machine "
    f"and the workers reach: `dvc remote add --default NAME s3://bucket/folder`, {CURE}"
)

Runs = Mapping[str, bytes]
"""Entries of the run cache by their path in its folder: ``ab/ab12…/cd34…``."""


@dataclass(frozen=True)
class Remote:
    """A DVC remote as workers get it; the credentials that open it they have themselves."""

    name: str
    address: str
    """An absolute path or a URL, without secrets."""
    mark: str
    """The name of a file there by which a worker knows that it reaches the same place."""

    def __str__(self) -> str:
        """Return what may be shown."""
        shown = self.address if local_path(self.address) else public(self.address)
        return f"DVC's remote {self.name} ({shown})"


@contextmanager
def shared_remote() -> Iterator[Remote]:
    """Yield the default remote of this repository, with a mark in it that goes again.

    Raises:
        UserError: there is none, or its address has a secret.
        ServerError: it fails or refuses.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    with Repo() as repo:
        try:
            there = repo.cloud.get_remote(None, "push")
            repo.cloud.get_remote_odb(there.name, "push --run-cache")
        except DvcException as error:
            words = " ".join(str(error).split())
            raise UserError(f"{words}; {WANTED}") from error
        address = str(repo.config["remote"][there.name]["url"])
        remote = Remote(there.name, address, f"onnxpress-sweep-{secrets.token_hex(8)}")
        _refuse_secret(remote)
        mark = there.fs.join(there.path, remote.mark)
        with _in_one_line(remote):
            there.fs.makedirs(there.path, exist_ok=True)
            there.fs.pipe_file(mark, b"a sweep runs\n")
        try:
            yield remote
        finally:
            with suppress(Exception):  # it is a few bytes
                there.fs.remove(mark)


def refuse_other(repo: Any, remote: Remote) -> None:
    """See on a worker that its remote is the one of the machine that runs the sweep.

    Raises:
        ServerError: it is not, or fails.
    """
    with _in_one_line(remote):
        there = repo.cloud.get_remote(remote.name, "push")
        found = there.fs.exists(there.fs.join(there.path, remote.mark))
    if not found:
        raise ServerError(f"{remote} is another place on a worker than here; {WANTED}")


def push(repo: Any, remote: Remote) -> Runs:
    """Push what the stages in dvc.lock have made; return their entries of the run cache.

    The current folder has to be that of ``repo``, a ``dvc.repo.Repo``.

    Raises:
        ServerError: the remote fails or refuses.
    """
    cache = Path(repo.cache.legacy.path, RUNS)
    entries = {path.relative_to(cache).as_posix(): path for path in _of_lock(cache)}
    with _in_one_line(remote):
        there = repo.cloud.get_remote(remote.name, "push")
        for objects in _objects(repo, entries):
            if failed := repo.cloud.push(objects, remote=remote.name).failed:
                raise OSError(f"{len(failed)} files did not go there")
        for name, path in entries.items():
            target = there.fs.join(there.path, RUNS, *name.split("/"))
            there.fs.makedirs(there.fs.parent(target), exist_ok=True)
            there.fs.put_file(str(path), target)
    return {name: path.read_bytes() for name, path in entries.items()}


def fetch(remote: Remote, runs: Runs) -> None:
    """Bring runs of stages, and what they have made, into the cache of this repository.

    Raises:
        ServerError: the remote fails, or lacks something.
    """
    from dvc.repo import Repo

    with Repo() as repo:
        for name, entry in runs.items():
            path = Path(repo.cache.legacy.path, RUNS, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, entry)
        with _in_one_line(remote):
            for objects in _objects(repo, runs):
                if failed := repo.cloud.pull(objects, remote=remote.name).failed:
                    raise OSError(f"{len(failed)} files did not come from there")


def _of_lock(cache: Path) -> Iterator[Path]:
    """The entries of the run cache that are in dvc.lock too; DVC writes both in the same form."""
    lock = yaml.safe_load(LOCK.read_text(encoding="utf-8")) if LOCK.exists() else {"stages": {}}
    stages = [*lock["stages"].values()]
    for path in cache.glob("*/*/*"):
        with suppress(yaml.YAMLError, UnicodeDecodeError):
            if yaml.load(path.read_text(encoding="utf-8"), LOADER) in stages:  # noqa: S506 - safe
                yield path


def _objects(repo: Any, runs: Iterable[str]) -> list[set[Any]]:
    """The files that the stages of these entries have made, as DVC's hashes."""
    keys = [(key, value) for _, key, value in (name.split("/") for name in runs)]
    return [*repo.stage_cache.get_used_objs(keys).values()]


def _refuse_secret(remote: Remote) -> None:
    if local_path(remote.address):
        return
    try:
        parts = read(remote.address)
        secret = bool(parts.password or parts.query or parts.hidden)
    except Unreadable:
        secret = True
    if secret:
        raise UserError(
            f"the address of {remote} seems to hold a secret, and none goes to workers: give it "
            "to this machine and to the workers by the environment or by `dvc remote modify "
            f"--global`, {CURE}"
        )


@contextmanager
def _in_one_line(remote: Remote) -> Iterator[None]:
    """Turn what a storage raises into one line.

    Raises:
        ServerError: instead of it.
    """
    try:
        yield
    except Exception as error:  # each kind of storage has errors of its own
        words = " ".join(str(error).split()) or type(error).__name__
        raise ServerError(f"{remote} fails ({words}); correct it, {CURE}") from error
