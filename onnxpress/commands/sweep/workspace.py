"""The user's repository: one sweep at a time, its code and data, what experiments would lack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from onnxpress.commands.sweep.points import Sweep
from onnxpress.errors import UserError
from onnxpress.pipeline.copies import cure, untracked_code
from onnxpress.pipeline.external import git

WHAT_RUNS = ("dvc.yaml", "requirements/main.lock", "onnxpress", "stages", "data", "models")
NOT_IN_PATHS = re.compile(r"[^\x20-\x7e]|[#?]")
LOCK = Path(".dvc/tmp/sweep.lock")
LACKED = "git does not track {}, so experiments, which run in a copy, lack it"


@contextmanager
def alone() -> Iterator[None]:
    """Hold the repository's lock for sweeps, which ends with the process.

    Raises:
        UserError: another sweep holds it, or DVC cannot run experiments in this folder.
    """
    from filelock import FileLock, Timeout

    if not Path(".dvc").is_dir():
        raise UserError("there is no .dvc here; run from the repository's folder")
    if found := NOT_IN_PATHS.search(str(Path.cwd())):  # DVC writes it as ASCII, and into a URL
        raise UserError(
            f"DVC runs no experiments in a path with {found[0]!r} "
            "(#, ? and letters that are not ASCII): move the repository"
        )
    LOCK.parent.mkdir(exist_ok=True)
    try:
        with FileLock(LOCK).acquire(timeout=0):
            yield
    except Timeout as error:
        raise UserError(
            "another sweep runs in this folder; wait for its end, or interrupt it"
        ) from error


def head() -> str:
    """Return the commit that experiments start from.

    Raises:
        UserError: there is none.
    """
    return _git("rev-parse", "HEAD").strip()


def state() -> str:
    """Return what identifies code and data: the commit, and a digest of the changes to it."""
    changes = _git("diff", "--binary", "HEAD", "--", *WHAT_RUNS)
    return f"{head()} {sha256(changes.encode(errors='surrogateescape')).hexdigest()}"


@contextmanager
def unchanged() -> Iterator[None]:
    """See that a block leaves code and data as they are, for the names of points tell them.

    Raises:
        UserError: they have changed.
    """
    before = state()
    yield
    if state() != before:
        raise UserError(
            "code or data changed while the points were on the workers, and the experiments would "
            "take what is here now; run again with it, or restore what was here and run again"
        )


def refuse_untracked(sweep: Sweep) -> None:
    """See that the copies that experiments run in will have the files of every point.

    Raises:
        UserError: naming the first file, of data, models or code, that git does not track.
    """
    named = [
        name
        for point in sweep.points
        for name in (point.content["data"]["source"], point.content["train"]["model_path"])
    ]
    for name in dict.fromkeys(filter(None, named)):
        if _is_file(name) and not _git("ls-files", "--", name, f"{name}.dvc"):
            raise UserError(f"{LACKED.format(name)}; {cure(name)}")
    modules = {str(point.content["train"]["estimator"]).partition(".")[0] for point in sweep.points}
    if code := untracked_code(sorted(filter(str.isidentifier, modules))):
        raise UserError(f"{LACKED.format(code[0])}; {cure(code[0])}")


def _is_file(name: str) -> bool:
    """Whether there is a file; the stages refuse names that no file can have."""
    try:
        return Path(name).is_file()
    except OSError:
        return False


def _git(*arguments: str) -> str:
    cure = "sweeps need a git repository with a commit"
    return git("--literal-pathspecs", *arguments, cure=cure)
