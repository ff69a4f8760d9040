"""A fitted model that the user brings: opened and tried in a held process, the sandbox.

What comes back from there is data, and is checked before it is used.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from onnxpress import held
from onnxpress.boosters.readers import SUFFIXES as BOOSTERS
from onnxpress.errors import UserError
from onnxpress.estimators import stored
from onnxpress.evaluate.baseline import ranks_groups, worse_than_constant
from onnxpress.given.outcome import Outcome, from_answer
from onnxpress.given.torch_files import PROGRAM
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema

if TYPE_CHECKING:  # the held process imports it: here it would take seconds for nothing
    from onnxpress.given import sandboxed as tried  # noqa: F401 - tests hold dvc.yaml against imports

SUFFIXES = (".joblib", ".pkl", ".skops", ".onnx", PROGRAM, *BOOSTERS)

TASK, TRIED = "try a given model", "onnxpress.given.sandboxed:tried"

HEAVY = (
    "onnxpress.given.sandboxed",
    "onnxruntime",
    "pandas",
    "pyarrow",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "sklearn.compose",
    "skl2onnx",
    "onnxpress.estimators.stored.grammar",
)
"""What the held process imports once; everything else it may still import when it needs it."""

PRELOADING = "onnxpress.torch_program.preloading"

HOSTILE = "the file is damaged or hostile"


@dataclass(frozen=True)
class GivenFile:
    """The file of a fitted model, and what trying it may use."""

    path: Path
    trusted: tuple[str, ...] = ()
    """Classes, ``package.module.Class``, that it may hold besides scikit-learn's."""
    max_seconds: float = 600
    max_memory_mb: int = 8192

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that define the trusted classes."""
        return tuple(name.rpartition(".")[0] or name for name in self.trusted)

    @property
    def imports(self) -> tuple[str, ...]:
        """What the held process imports for it before it is locked."""
        return (*self.modules, PRELOADING) if self.path.suffix == PROGRAM else self.modules


@dataclass(frozen=True)
class Tried:
    """What trying a given model has shown."""

    file: GivenFile
    outcome: Outcome
    lines: tuple[str, ...]
    """Warnings to show, in order, whether the model is accepted or not."""

    def accepted(self) -> bytes | memoryview:
        """Return the model dumped anew as a joblib file, judged by the names in it.

        Raises:
            UserError: the model was refused, or what was dumped is no model.
        """
        if self.outcome.refused is not None:
            raise UserError(self.outcome.refused)
        try:
            stored.judge(self.outcome.dump, self.file.trusted)
        except (stored.Refused, stored.Damaged, stored.OtherVersion) as error:
            raise UserError(
                f"the process that opened {self.file.path} dumped "
                f"something that is not a model ({error}); {HOSTILE}"
            ) from error
        return self.outcome.dump


def begin(file: GivenFile) -> held.Keeper:
    """Start the process that the model is opened in, or find it if it was started.

    What it imports, it imports while the caller reads tables.

    Raises:
        UserError: no process can be started.
    """
    try:
        return held.begin(held.settings({TASK: TRIED}, HEAVY, file.modules))
    except held.NotStarted as error:
        raise UserError(_not_started(file.path, error)) from error


def try_model(file: GivenFile, rows: Rows, calibration: Rows, schema: Schema) -> Tried:
    """Load a given model and try it as ONNX, in a held process.

    Args:
        file: the model's file.
        rows: the training rows, by which its inputs and classes are checked.
        calibration: rows on which its predictions are compared with those of its ONNX form.
        schema: the columns of both.

    Raises:
        UserError: there are no calibration rows (a given model is not fitted again, so it cannot
            be cross-fitted), the file cannot be read, or the process did not end by itself.
            Whether the model is refused, :meth:`Tried.accepted` says.
    """
    if not len(calibration):
        raise UserError(
            "`model_path` needs calibration rows to choose the quantisation on, and there are "
            "none; set `calibration_size`, for instance 0.2"
        )
    with _opened(file.path) as descriptor, _whole(file.path, descriptor) as (whole, real):
        order = held.Order(
            task=TASK,
            arguments=(file.trusted, rows, calibration, schema),
            name=str(file.path),
            real=real,
            imports=file.imports,
            seconds=file.max_seconds,
            memory_mb=file.max_memory_mb,
        )
        values = len(calibration), len(schema.targets)
        locks, outcome = _tried(begin(file), order, whole, values)
    unlocked = _unlocked_lines(locks, file.path)
    worse = _worse_lines(outcome, calibration, schema)
    return Tried(file, outcome, (*unlocked, *worse, *outcome.lines))


def _tried(
    keeper: held.Keeper, order: held.Order, descriptor: int, values: tuple[int, int]
) -> tuple[Sequence[str], Outcome]:
    """Try the model; return the locks of the process that did, and the outcome.

    ``values`` are how many calibration rows and targets it predicts.

    Raises:
        UserError: there is none.
    """
    path = order.name
    try:
        return keeper.locks, from_answer(keeper.answer(order, descriptor), *values)
    except held.OutOfTime as error:
        cure = "raise `max_seconds`, or give a smaller model"
        line = f"{path} {error}: if it is meant to take that long, {cure}; if not, {HOSTILE}"
        raise UserError(line) from error
    except held.OutOfMemory as error:
        cure = "raise `max_memory_mb`, or give a smaller model"
        line = f"{path} {error}: if it is meant to be that large, {cure}; if not, {HOSTILE}"
        raise UserError(line) from error
    except held.NotStarted as error:
        raise UserError(_not_started(path, error)) from error
    except held.Failed as error:
        kind = "or of a kind that onnxpress does not know"
        raise UserError(f"{path} cannot be tried ({error}); {HOSTILE}, {kind}") from error
    except held.Lost as error:
        cure = "dump the model again"
        line = f"the process that opened {path} {error}; {HOSTILE}: {cure}"
        raise UserError(line) from error


def _not_started(path: Path | str, error: held.NotStarted) -> str:
    cure = "free memory and processes, and run again"
    return f"the process that opens {path} {error}; {cure}"


def _unlocked_lines(locks: Sequence[str], path: Path) -> list[str]:
    """Return a line about what the process could have done, for want of locks on this system."""
    lacking = held.missing(locks)
    if not lacking:
        return []
    could = f"what {path} might do ({lacking})"
    return [f"warning: no lock of this system forbids {could}; only the check of its contents does"]


def _worse_lines(outcome: Outcome, calibration: Rows, schema: Schema) -> list[str]:
    """Return a line about predictions that a constant beats."""
    if outcome.values is None or ranks_groups(calibration, outcome.values):
        return []
    line = worse_than_constant(schema, calibration.target, outcome.values, "calibration")
    return [] if line is None else [line]


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a given file; it is the same file when the block ends.

    Raises:
        UserError: it is no regular file, cannot be read, or was exchanged or written to meanwhile.
    """
    try:
        file = os.open(path.resolve(), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        cure = "put a readable file there"
        raise UserError(f"cannot read {path} ({error.strerror}); {cure}") from error
    try:
        before = os.fstat(file)
        if not stat.S_ISREG(before.st_mode):
            came = f"{str(path)!r} is none; put the file there"
            raise UserError(f"`model_path` should name a regular file, {came}")
        yield file
        if not path.exists() or _state(path.stat()) != _state(before):
            raise UserError(f"{path} was exchanged or written to while it was tried; run again")
    finally:
        os.close(file)


@contextmanager
def _whole(path: Path, descriptor: int) -> Iterator[tuple[int, str]]:
    """Yield a file with the whole model, and its path: of ONNX, with the weights beside it inside.

    The held process sees no other file than the one that it is handed.

    Raises:
        UserError: weights are missing, lie elsewhere, or are too many.
    """
    if path.suffix == ".onnx":
        with open(descriptor, "rb", closefd=False) as file:
            given = file.read()
        os.lseek(descriptor, 0, os.SEEK_SET)
        whole = given
        if b"location" in given:
            from onnxpress.given.exports.weights import with_weights  # imports onnx: 0.2 s

            whole = with_weights(given, path)
        if whole is not given:
            with tempfile.NamedTemporaryFile(suffix=".onnx") as joined:
                joined.write(whole)
                joined.flush()
                yield joined.fileno(), joined.name
            return
    yield descriptor, str(path.resolve())


def _state(found: os.stat_result) -> tuple[int, ...]:
    """Return what changes with a file."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
