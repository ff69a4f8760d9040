"""The three models behind one shape of answer, so that they can be compared and timed on equal terms."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxpress.estimators.layout import DoesNotFit, layout, original_input
from onnxpress.estimators.written_by import written_by
from stages.common.console import visible
from stages.common.digest import unexchanged
from stages.common.errors import UserError
from stages.common.files import ORIGINAL_MODEL, SCHEMA, read_bytes
from stages.common.parts import set_threads
from stages.common.table import NUMERIC_INPUT, OUTPUT_NAMES, Feeds, Rows, Schema, input_name, sklearn_input

MOST_NAMES = 10
"""Names of a refused file that an error shows."""

BOOSTERS = {"catboost", "lightgbm", "xgboost"}
"""Packages whose models keep their trees in memory of their own, and come as ONNX."""

LABEL, PROBABILITIES, SCORES, PREDICTION = OUTPUT_NAMES
"""Output names of every ONNX model: label and probabilities (or scores, without predict_proba), or prediction."""


@dataclass(frozen=True)
class Answer:
    """What a model says of some rows.

    ``values`` has shape (rows,): labels (int64 or str) or predictions (float64).
    ``scores`` has shape (rows, classes), float64: probabilities, or decision scores of an estimator without them, the
    greatest of them the label's (an SVC with ``decision_function_shape="ovo"`` has a column for each pair of three and
    more classes instead); None for regression. ``proper`` tells probabilities from decision scores.
    """

    values: NDArray[Any]
    scores: NDArray[np.float64] | None
    proper: bool = True


def fit(estimator: Any, rows: Rows, *, expected: tuple[type[Warning], ...] = ()) -> list[str]:
    """Fit a scikit-learn estimator in place; returns what it warned about, one line each, but for ``expected`` warnings.

    Raises:
        UserError: scikit-learn refuses the rows or the arguments.
    """
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator.fit(sklearn_input(rows.feeds), rows.target)
    except Exception as error:  # estimators raise what they raise, down to AttributeError and IndexError
        name = type(estimator).__name__
        raise UserError(f"{name} cannot be fitted to these rows: {error}; change train or data in params.yaml") from error
    return sorted({str(warning.message).split("\n")[0] for warning in caught if not issubclass(warning.category, expected)})


def load_original(path: Path, trusted: Collection[str] = (), data: bytes | None = None) -> Any:
    """Load a fitted estimator from a pickle, joblib or skops file: nothing that the file names is called.

    ``trusted`` are classes, ``package.module.Class``, that the file may hold besides those of scikit-learn. ``data`` are
    the bytes of a joblib file that was read already.

    Raises:
        UserError: the file is missing, damaged, of another scikit-learn, or names what no fitted estimator holds.
    """
    from onnxpress.estimators import stored

    again = "run `dvc repro --force train` to make it again" if path == ORIGINAL_MODEL else "dump the model again"
    try:
        return stored.load(path, trusted) if data is None else stored.loads(data, trusted)
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror or error}); run `dvc repro` to make it") from error
    except stored.OtherVersion as error:
        raise UserError(_other_version(path, one_line(error.version))) from error
    except stored.Refused as error:
        if useless := [name for name in error.names if name in trusted]:
            raise UserError(
                f"train.trust in params.yaml names {one_line(useless[0])}, which is no class here; "
                f"only classes that are installed can be trusted, by package.module.Class"
            ) from error
        raise UserError(f"{path} {_refusal(error.names, error.what)}") from error
    except MemoryError as error:
        raise UserError(f"{path} needs more memory than there is to be loaded; {again}") from error
    except Exception as error:  # stored.Damaged, and what its checks have not foreseen
        version = written_by(path)
        if version is not None and version != _version():
            raise UserError(_other_version(path, version)) from error
        if what := _other_format(read_bytes(path)[:100], path.suffix):
            raise UserError(f"{path} is {what}") from error
        kind = "skops" if path.suffix == ".skops" else "joblib"
        raise UserError(f"{path} is not a whole {kind} file ({one_line(error)}); {again}") from error


def one_line(text: object, longest: int = 300) -> str:
    """Text of a file as it may be shown, shortened."""
    shown = visible(str(text)[:longest])
    return shown if len(shown) <= longest else f"{shown[:longest]}…"


def _other_format(head: bytes, suffix: str) -> str | None:
    """What a file is that is none of its suffix, by its first bytes, and what can be done about it; None if unknown."""
    if head.startswith(b"version https://git-lfs"):
        return "the pointer of a file in Git LFS; run `git lfs pull`"
    if head.startswith(b"PK\x03\x04") and suffix != ".skops":
        return "a zip file; name it .skops if skops has written it, else unpack it"
    if head.startswith(b"\x80") and suffix in (".skops", ".onnx"):
        return "a pickle; name it .pkl or .joblib"
    if head.lstrip()[:1] in (b"<", b"{"):
        return "text (of a web page, perhaps), no model; download the file itself, or dump the model again"
    return None


def _refusal(names: list[str], what: str) -> str:
    """What a file does that no estimator does, and what can be done about it."""
    said = f"{what} {shown_names(names)}, which no fitted estimator of scikit-learn"
    if what == "calls":
        return f"{said} does, so nothing of it was made; take that out of the model, and dump it again with joblib"
    return f"{said} holds, so nothing of it was made; {cure_of(names)}"


def shown_names(names: list[str]) -> str:
    """Names of a refused model, as an error shows them."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(one_line(name, 100) for name in names[:MOST_NAMES]) + more


def cure_of(names: list[str]) -> str:
    """What can be done about a model that holds such names. Only the spelling says whether one is a class."""
    if any(name.partition(".")[0] in BOOSTERS for name in names):
        return "give the model's .onnx file, made where it was fitted (LightGBM and XGBoost by onnxmltools)"
    if any(name.startswith("scipy.stats.") for name in names):
        return "of a search over distributions, dump the best_estimator_ alone"
    if any(name.startswith("joblib.") for name in names):
        return "set memory=None in its pipelines, and dump it again"
    if any(name.startswith("__main__.") for name in names):
        return "what a notebook or script defines has to move into a module of its own before the fit"
    if not all(name.rpartition(".")[2].lstrip("_")[:1].isupper() for name in names):
        return "only classes can be trusted (train.trust), no functions: give a model fitted without them, or its .onnx file"
    ask = "if it is a class that you trust, add it" if len(names) == 1 else "if they are classes that you trust, add them"
    return f"{ask} to train.trust in params.yaml: [{shown_names(names)}]"


def _version() -> str:
    from sklearn import __version__

    return str(__version__)


def load_trained(schema: Schema, trusted: Collection[str], threads: int = 1) -> Any:
    """The estimator that train has written, computing with ``threads``.

    Raises:
        UserError: the file is missing, was exchanged since, cannot be loaded, or does not fit the schema.
    """
    data = unexchanged(ORIGINAL_MODEL)
    return checked_original(load_original(ORIGINAL_MODEL, trusted, data), schema, threads)


def _other_version(path: Path, version: str) -> str:
    needed = _version()
    return (
        f"{path} was written by scikit-learn {version}, needs {needed}; fit and dump the model again with {needed}, "
        f"or export it with skl2onnx where {version} is installed and set train.model_path to the .onnx file"
    )


def checked_original(estimator: Any, schema: Schema, threads: int = 1) -> Any:
    """The estimator, if it is one and was fitted to columns of the schema, computing with ``threads``.

    Raises:
        UserError: it is something else, or a model of other data.
    """
    again = f"run `dvc repro --force train` to make {ORIGINAL_MODEL} again"
    if not hasattr(estimator, "predict"):
        raise UserError(f"{ORIGINAL_MODEL} should hold an estimator, got {type(estimator).__name__}; {again}")
    try:
        layout(estimator, schema, str(SCHEMA))
    except DoesNotFit as error:
        raise UserError(f"{ORIGINAL_MODEL} {error}; {again}") from error
    return set_threads(estimator, threads)


def ask_original(estimator: Any, feeds: Feeds, schema: Schema) -> Answer:
    """Predict with the scikit-learn estimator."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Found unknown categories", category=UserWarning)
        return ask_rows(estimator, original_input(estimator, feeds, schema), schema)


def ask_rows(estimator: Any, rows: Any, schema: Schema) -> Answer:
    """Predict with the scikit-learn estimator, from rows in the form that it was fitted on."""
    values = estimator.predict(rows)
    if schema.task == "regression":
        return Answer(_column(values).astype(np.float64), None)
    proper = hasattr(estimator, "predict_proba")
    if not proper and not hasattr(estimator, "decision_function"):
        name = type(estimator).__name__
        raise UserError(
            f"{name} gives labels alone, and should give probabilities or scores too (VotingClassifier: voting='soft')"
        )
    scores = estimator.predict_proba(rows) if proper else estimator.decision_function(rows)
    columns = np.asarray(scores, np.float64).reshape(len(values), -1)
    return Answer(labels(values), columns if proper else by_class(columns), proper)


def by_class(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores with a column a class: the one column d of a binary decision function becomes [-d, d]."""
    return np.hstack([-scores, scores]) if scores.shape[1] == 1 else scores


def open_session(model: bytes, threads: int = 1) -> Any:
    """An onnxruntime session on the CPU, of bytes that are ours or that :func:`checked_onnx` has let pass.

    Raises:
        UserError: onnxruntime cannot load the model.
        MemoryError: it needs more memory than there is.
    """
    import onnxruntime as ort  # 0.2 s

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 3  # warnings of onnxruntime are hints to model authors, errors are raised anyway
    options.add_session_config_entry("session.load_model_format", "ONNX")  # it would take "ORTM" in the bytes for its own
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise_memory_error(error)
        raise UserError(
            f"onnxruntime {ort.__version__} cannot load this ONNX model: {error}; run `dvc repro --force convert`"
        ) from error


ALLOCATION_FAILED = re.compile(r"bad_alloc|[Ff]ailed to allocate memory|bad allocation|length_error|bad_array_new_length")


def raise_memory_error(error: BaseException) -> None:
    """Raise MemoryError if that is what an exception of onnxruntime stands for."""
    if ALLOCATION_FAILED.search(str(error)):
        raise MemoryError("onnxruntime has no memory for this model") from error


def checked_onnx(model: bytes, name: str) -> Any:
    """The ModelProto in bytes of a file, which may then be given to onnxruntime.

    Raises:
        UserError: it is no ONNX model, refers to other files, may never end, or does not fit together; ``name`` is in the line.
    """
    from onnxpress.onnx_file import BadModel, read_model  # 0.2 s

    try:
        return read_model(model)
    except BadModel as error:
        if what := _other_format(model[:100], ".onnx"):
            raise UserError(f"{name} is {what}") from error
        raise UserError(f"{name} is no ONNX model that can be run: {error}") from error


def load_session(path: Path, threads: int = 1) -> Any:
    """An onnxruntime session of a model file.

    Raises:
        UserError: the file is missing or is no ONNX model that onnxruntime can load.
    """
    model = read_bytes(path)
    checked_onnx(model, str(path))
    return open_session(model, threads)


def read_onnx(path: Path, schema: Schema) -> bytes:
    """The bytes of an ONNX model that takes the columns of the schema, judged but not opened yet.

    Raises:
        UserError: the file is missing, is no ONNX model, or takes other inputs.
    """
    data = read_bytes(path)
    try:
        graph = checked_onnx(data, str(path)).graph
    except UserError as error:
        raise UserError(f"{error}; run `dvc repro` to make it again") from error
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    shapes = {value.name: [size.dim_value for size in value.type.tensor_type.shape.dim] for value in inputs}
    came = {name: shape[1] if len(shape) == 2 else shape for name, shape in shapes.items()}
    single = {NUMERIC_INPUT: len(schema.columns)}
    expected = single if schema.all_numeric else {input_name(column.name): 1 for column in schema.columns}
    if came != expected:
        raise UserError(f"{path} takes the inputs {came}, {SCHEMA} has {expected}; run `dvc repro` to make it again")
    return data


def ask_onnx(session: Any, feeds: Feeds) -> Answer:
    """Predict with an ONNX model that follows the contract's output names.

    Raises:
        MemoryError: it needs more memory than there is.
    """
    try:
        results = session.run(None, feeds)
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise_memory_error(error)
        raise
    outputs = dict(zip((output.name for output in session.get_outputs()), results, strict=True))
    if PREDICTION in outputs:
        return Answer(_column(outputs[PREDICTION]).astype(np.float64), None)
    values = labels(outputs[LABEL])
    scores = outputs.get(PROBABILITIES, outputs.get(SCORES))
    return Answer(values, np.asarray(scores, np.float64).reshape(len(values), -1), PROBABILITIES in outputs)


def labels(values: NDArray[Any]) -> NDArray[Any]:
    """Labels as a (rows,) array of int64 or str, whichever container they came in."""
    flat = np.asarray(values).reshape(-1)
    whole = flat.dtype.kind in "biu" or (flat.dtype.kind == "f" and np.array_equal(flat, np.trunc(flat)))  # 1.0 of a float target
    return flat.astype(np.int64) if whole else flat.astype(str)


def _column(values: Any) -> NDArray[Any]:
    """A (rows,) array of a (rows,) or (rows, 1) one: subtracting one from the other would broadcast to rows x rows."""
    array = np.asarray(values)
    if array.ndim > 1 and array.shape[1:] != (1,) * (array.ndim - 1):
        raise UserError(
            f"the model should predict one value per row, got the shape {array.shape}; multi-output models are not supported"
        )
    return array.reshape(-1)
