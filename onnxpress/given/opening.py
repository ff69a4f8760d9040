"""A fitted model that the user brings: opened and tried in a held process, whose answer is checked before it is passed on."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from onnxpress import held
from onnxpress.errors import UserError
from onnxpress.estimators import stored
from onnxpress.evaluate.baseline import worse_than_constant
from onnxpress.given.outcome import Outcome, from_answer
from onnxpress.pipeline.console import say, working
from onnxpress.pipeline.copies import absent
from onnxpress.pipeline.files import placed
from onnxpress.pipeline.params import Train
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Schema
from onnxpress.text import shortened

if TYPE_CHECKING:  # the held process imports it: here it would take seconds for nothing
    from onnxpress.given import trying as tried  # noqa: F401 - tests hold dvc.yaml against imports

MODELS = Path("models")
KINDS = (".joblib", ".pkl", ".skops", ".onnx")
TASK, TRIED = "try a given model", "onnxpress.given.trying:tried"
HEAVY = (
    *(
        "onnxpress.given.trying",
        "onnxruntime",
        "pandas",
        "pyarrow",
        "sklearn.ensemble",
        "sklearn.linear_model",
    ),
    *("sklearn.pipeline", "sklearn.compose", "skl2onnx", "onnxpress.estimators.stored.grammar"),
)
"""What the held process imports once; everything else it may still import when it needs it."""

HOSTILE = "the file is damaged or hostile"


def begin(train: Train) -> held.Keeper:
    """Start the process that a given model is opened in; what it imports, it imports while the tables are read.

    Raises:
        UserError: the path is wrong, or no process can be started.
    """
    _checked_path(str(train.model_path))
    try:
        return held.begin(held.settings({TASK: TRIED}, HEAVY, _modules(train)))
    except held.NotStarted as error:
        raise UserError(
            f"the process that opens {train.model_path} {error}; free memory and processes, and run again"
        ) from error


def given_model(train: Train, rows: Rows, calibration: Rows, schema: Schema) -> bytes | memoryview:
    """The model of ``train.model_path``, dumped anew as a joblib file.

    Raises:
        UserError: the path is wrong, the file may not be loaded, the model does not fit the data, does not convert or gives other
            answers as ONNX, there are no calibration rows (a given model is not fitted again, so it cannot be cross-fitted),
            or the process that tried it did not come to an end of its own.
    """
    path = _checked_path(str(train.model_path))
    if not len(calibration):
        raise UserError(
            "params.yaml: train.model_path needs calibration rows to choose the quantisation on, and there are none; "
            "set data.calibration_size, for instance 0.2"
        )
    with _opened(path) as file, working(f"trying {path}"):
        order = held.Order(
            task=TASK,
            arguments=(train, rows, calibration, schema),
            name=str(path),
            real=str(path.resolve()),
            imports=_modules(train),
            seconds=train.max_seconds,
            memory_mb=train.max_memory_mb,
        )
        locks, outcome = _tried(begin(train), order, file, path)
    if lacking := held.missing(locks):
        say(
            f"warning: what {path} might do ({lacking}), no lock of this system forbids; only the check of its contents does"
        )
    return _passed_on(outcome, train, calibration, schema, path)


def _modules(train: Train) -> tuple[str, ...]:
    """Where the classes that the user trusts are defined."""
    return tuple(name.rpartition(".")[0] or name for name in train.trusted)


def _tried(
    keeper: held.Keeper, order: held.Order, file: int, path: Path
) -> tuple[Sequence[str], Outcome]:
    """The locks of the process that tried the model, and what it says of it.

    Raises:
        UserError: there is none.
    """
    try:
        return keeper.locks, from_answer(keeper.answer(order, file), len(order.arguments[2].target))
    except held.OutOfTime as error:
        cure = "raise train.max_seconds in params.yaml, or give a smaller model"
        raise UserError(
            f"{path} {error}: if it is meant to take that long, {cure}; if not, {HOSTILE}"
        ) from error
    except held.OutOfMemory as error:
        cure = "raise train.max_memory_mb in params.yaml, or give a smaller model"
        raise UserError(
            f"{path} {error}: if it is meant to be that large, {cure}; if not, {HOSTILE}"
        ) from error
    except held.NotStarted as error:
        raise UserError(
            f"the process that opens {path} {error}; free memory and processes, and run again"
        ) from error
    except held.Failed as error:
        raise UserError(
            f"{path} cannot be tried ({error}); {HOSTILE}, or of a kind that onnxpress does not know"
        ) from error
    except held.Lost as error:
        raise UserError(
            f"the process that opened {path} {error}; {HOSTILE}: dump the model again"
        ) from error


def _passed_on(
    outcome: Outcome, train: Train, calibration: Rows, schema: Schema, path: Path
) -> bytes | memoryview:
    """The dump in an outcome, judged by the names in it; says what the process has said.

    Raises:
        UserError: the model was refused in there, or what was dumped is no model.
    """
    values = outcome.values
    worthless = (
        None
        if values is None
        else worse_than_constant(schema, calibration.target, values, "calibration")
    )
    for line in [*([worthless] if worthless else []), *outcome.lines]:
        say(line)
    if outcome.refused is not None:
        raise UserError(outcome.refused)
    try:
        stored.judge(outcome.dump, train.trusted)
    except (stored.Refused, stored.Damaged, stored.OtherVersion) as error:
        raise UserError(
            f"the process that opened {path} dumped what is no model ({error}); {HOSTILE}"
        ) from error
    return outcome.dump


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The descriptor of a given file, which is the same file when the block ends.

    Raises:
        UserError: it is no regular file, cannot be read, or was exchanged or written to meanwhile.
    """
    try:
        file = os.open(path.resolve(), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise UserError(
            f"cannot read {path} ({error.strerror}); put a readable file there"
        ) from error
    try:
        before = os.fstat(file)
        if not stat.S_ISREG(before.st_mode):
            raise UserError(
                f"params.yaml: train.model_path should name a regular file, {str(path)!r} is none; put the file there"
            )
        yield file
        if not path.exists() or _state(path.stat()) != _state(before):
            raise UserError(
                f"{path} was exchanged or written to while it was tried; run `dvc repro` again"
            )
    finally:
        os.close(file)


def _state(found: os.stat_result) -> tuple[int, ...]:
    """What changes with a file."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _checked_path(name: str) -> Path:
    if Path(name).suffix not in KINDS:
        raise UserError(
            f"params.yaml: train.model_path should be a {', '.join(KINDS[:-1])} or {KINDS[-1]} file, got {shortened(repr(name))}"
        )
    try:
        return placed(name, MODELS, "train.model_path")
    except FileNotFoundError as error:
        usual = "which does not exist; put the file there"
        came = shortened(repr(name))
        raise UserError(
            f"params.yaml: train.model_path names {came}, {absent(name, usual)}"
        ) from error
