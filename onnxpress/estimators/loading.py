"""The three models behind one shape of answer, so that they can be compared and timed on equal terms."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from onnxpress.errors import UserError
from onnxpress.estimators.written_by import written_by
from onnxpress.pipeline.files import read_bytes
from onnxpress.pipeline.outputs import ORIGINAL_MODEL
from onnxpress.runtime.checked import _other_format, one_line

MOST_NAMES = 10
"""Names of a refused file that an error shows."""

BOOSTERS = {"catboost", "lightgbm", "xgboost"}
"""Packages whose models keep their trees in memory of their own, and come as ONNX."""


def load_original(path: Path, trusted: Collection[str] = (), data: bytes | None = None) -> Any:
    """Load a fitted estimator from a pickle, joblib or skops file: nothing that the file names is called.

    ``trusted`` are classes, ``package.module.Class``, that the file may hold besides those of scikit-learn. ``data`` are
    the bytes of a joblib file that was read already.

    Raises:
        UserError: the file is missing, damaged, of another scikit-learn, or names what no fitted estimator holds.
    """
    from onnxpress.estimators import stored

    again = (
        "run `dvc repro --force train` to make it again"
        if path == ORIGINAL_MODEL
        else "dump the model again"
    )
    try:
        return stored.load(path, trusted) if data is None else stored.loads(data, trusted)
    except OSError as error:
        raise UserError(
            f"cannot read {path} ({error.strerror or error}); run `dvc repro` to make it"
        ) from error
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
        raise UserError(
            f"{path} is not a whole {kind} file ({one_line(error)}); {again}"
        ) from error


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
        return (
            "what a notebook or script defines has to move into a module of its own before the fit"
        )
    if not all(name.rpartition(".")[2].lstrip("_")[:1].isupper() for name in names):
        return "only classes can be trusted (train.trust), no functions: give a model fitted without them, or its .onnx file"
    ask = (
        "if it is a class that you trust, add it"
        if len(names) == 1
        else "if they are classes that you trust, add them"
    )
    return f"{ask} to train.trust in params.yaml: [{shown_names(names)}]"


def _version() -> str:
    from sklearn import __version__

    return str(__version__)


def _other_version(path: Path, version: str) -> str:
    needed = _version()
    return (
        f"{path} was written by scikit-learn {version}, needs {needed}; fit and dump the model again with {needed}, "
        f"or export it with skl2onnx where {version} is installed and set train.model_path to the .onnx file"
    )
