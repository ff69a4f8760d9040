"""The repository's files as one value that goes to a cluster's workers, and their folder there.

It is the working tree, uncommitted changes too. DVC's cache is no part of it.
"""

from __future__ import annotations

import io
import os
import socket
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from onnxpress.benchmark.environment import usable_cores
from onnxpress.engine.sameness import threads
from onnxpress.engine.scratch import scratch
from onnxpress.errors import ServerError, UserError
from onnxpress.pipeline.external import git, with_own_programs

LARGEST_MB = 1024
"""The scheduler holds a snapshot in memory, and so does each worker."""
THREADS = {
    "OMP_NUM_THREADS": "openmp",
    "OPENBLAS_NUM_THREADS": "blas",
    "MKL_NUM_THREADS": "blas",
}
"""Variables for the processes of a call, and the kind of threads whose number they have."""
CURE = "a cluster's workers get the files that git lists; run in a git repository"


Snapshot = bytes
"""Files of the repository in tar's format."""


@dataclass(frozen=True)
class Place:
    """A folder with the repository's files, and the environment that commands run in there."""

    folder: Path
    environment: Mapping[str, str]
    scratch: Path | None = None
    """Where other temporary folders go; None: where the system puts them."""


def tracked_files() -> list[Path]:
    """Return what git tracks and is here: what an experiment of DVC has.

    Raises:
        UserError: this is no git repository.
    """
    return _listed("--cached")


def present_files(*folders: str) -> list[Path]:
    """Return what git tracks or would track, and everything in ``folders``.

    Raises:
        UserError: this is no git repository.
    """
    found = _listed("--cached", "--others", "--exclude-standard")
    for folder in folders:
        for inner, _, names in os.walk(folder, followlinks=True):
            found += [Path(inner, name) for name in names]
    return list(dict.fromkeys(found))


def take(files: Iterable[Path]) -> Snapshot:
    """Read files of this repository; a link becomes what it leads to.

    Raises:
        UserError: they are too large, or one cannot be read.
    """
    files = [path for path in files if path.is_file()]
    sizes = {path: path.stat().st_size for path in files}
    if (total := sum(sizes.values())) > LARGEST_MB * 2**20:
        largest = max(files, key=lambda path: sizes[path])
        raise UserError(
            f"the repository's files have {total / 2**20:,.0f} MB, most of them {largest}; at most "
            f"{LARGEST_MB} MB go to a cluster's workers: keep large data in S3 (data.source: "
            "s3://bucket/rows), or set engine.scheduler to null"
        )
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", dereference=True) as tar:
        for path in files:
            try:
                tar.add(path, recursive=False)
            except OSError as error:
                raise UserError(f"{path} cannot be read ({error.strerror})") from error
    return archive.getvalue()


@contextmanager
def unpacked(snapshot: Snapshot | None) -> Iterator[Place]:
    """Yield the repository: a temporary folder of a worker, or without a snapshot this one.

    Raises:
        ServerError: the worker has fewer cores than threads are needed, or its disk fails.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DVC_")}
    if snapshot is None:
        yield Place(Path.cwd(), kept)
        return
    kept |= {"PATH": with_own_programs()["PATH"], **_numbers_of_threads()}
    try:
        with tempfile.TemporaryDirectory(prefix="repository-", dir=scratch()) as name:
            with tarfile.open(fileobj=io.BytesIO(snapshot)) as tar:
                tar.extractall(name, filter="tar")
            yield Place(Path(name), kept, scratch())
    except OSError as error:
        raise ServerError(
            f"worker {socket.gethostname()} fails ({error}); free room there, or set "
            "engine.scheduler to null, and run again"
        ) from error


def _listed(*which: str) -> list[Path]:
    names = git("ls-files", "-z", *which, cure=CURE).split("\0")
    return list(dict.fromkeys(map(Path, filter(None, names))))


def _numbers_of_threads() -> dict[str, str]:
    """As many threads as this call has, and so the machine that submitted it.

    Raises:
        ServerError: there are fewer cores, and BLAS takes no more threads from its variables.
    """
    wanted, cores = threads(), usable_cores()
    for number in wanted.values():
        if number > cores:
            raise ServerError(
                f"worker {socket.gethostname()} has {cores} cores, and {number} threads compute "
                f"where this was begun; set OMP_NUM_THREADS={cores} there, so that results are "
                "equal, and run again"
            )
    return {name: str(wanted[kind]) for name, kind in THREADS.items() if kind in wanted}
