"""Fitted estimators from files and to files, judged by what they hold before anything is made."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from onnxpress.errors import UserError
from onnxpress.estimators.written_by import written_by
from onnxpress.reading import read_bytes
from onnxpress.runtime.checked import one_line, other_format

MOST_NAMES = 10
"""Names of a refused file that an error shows."""

CURES = {
    "catboost.": (
        "save the model in CatBoost's own format, model.save_model('model.cbm'), and give that file"
    ),
    "lightgbm.": (
        "save the model in LightGBM's own format, model.booster_.save_model('model.txt'), "
        "and give that file"
    ),
    "xgboost.": (
        "save the model in XGBoost's own format, model.save_model('model.ubj'), and give that file"
    ),
    "scipy.stats.": "of a search over distributions, dump the best_estimator_ alone",
    "joblib.": "set memory=None in its pipelines, and dump it again",
    "__main__.": "move what a notebook or script defines into a module of its own before the fit",
}
"""What to do about a model that holds a name with such a beginning; the first that fits."""


def load_original(
    path: Path,
    trusted: Collection[str] = (),
    data: bytes | None = None,
    again: str = "dump the model again",
) -> Any:
    """Load a fitted estimator from a pickle, joblib or skops file; nothing it names is called.

    Args:
        path: the file, whose name the errors show.
        trusted: classes, ``package.module.Class``, that the file may hold besides scikit-learn's.
        data: the bytes of the joblib file, if they were read already.
        again: what to do about a damaged file.

    Raises:
        UserError: the file is missing, damaged, written by another scikit-learn, or names
            something that no fitted estimator holds.
    """
    from onnxpress.estimators import stored

    try:
        return stored.load(path, trusted) if data is None else stored.loads(data, trusted)
    except OSError as error:
        why = error.strerror or error
        raise UserError(
            f"cannot read {path} ({why}); check the path and its permissions"
        ) from error
    except stored.OtherVersion as error:
        raise UserError(_other_version(path, one_line(error.version))) from error
    except stored.Refused as error:
        if useless := [name for name in error.names if name in trusted]:
            raise UserError(
                f"`trust` names {one_line(useless[0])}, which is not a class here; "
                "only installed classes can be trusted, as package.module.Class"
            ) from error
        raise UserError(f"{path} {_refusal(error.names, error.what)}") from error
    except MemoryError as error:
        raise UserError(f"{path} needs more memory than there is to be loaded; {again}") from error
    except Exception as error:  # stored.Damaged, and what its checks have not foreseen
        raise UserError(_damaged(path, error, again)) from error


def dumped(estimator: Any, name: str, trusted: Collection[str] = ()) -> bytes:
    """Dump a fitted estimator as the bytes of a joblib file that :func:`load_original` loads.

    Raises:
        UserError: it would refuse them, because of what the estimator holds; the line calls the
            estimator ``name``.
    """
    from onnxpress.estimators import stored

    try:
        data = stored.dump(estimator)
        stored.judge(data, trusted)
    except stored.Refused as error:
        raise UserError(
            f"the fitted {name} holds {_shown_names(error.names)}, which would be refused when it "
            f"is loaded; {_cure_of(error.names)}"
        ) from error
    except stored.Damaged as error:
        raise UserError(
            f"the fitted {name} cannot be stored: {error}; choose another estimator"
        ) from error
    return data


def _damaged(path: Path, error: Exception, again: str) -> str:
    """Return why a file cannot be loaded: another scikit-learn, another format, or damage."""
    version = written_by(path)
    if version is not None and version != _version():
        return _other_version(path, version)
    if what := other_format(read_bytes(path)[:100], path.suffix):
        return f"{path} is {what}"
    kind = "skops" if path.suffix == ".skops" else "joblib"
    return f"{path} is not a whole {kind} file ({one_line(error)}); {again}"


def _refusal(names: list[str], what: str) -> str:
    """Return what a file does that no estimator does, and what to do about it."""
    said = f"{what} {_shown_names(names)}, which no fitted estimator of scikit-learn"
    if what == "calls":
        cure = "take that out of the model, and dump it again with joblib"
        return f"{said} does, so nothing of it was made; {cure}"
    return f"{said} holds, so nothing of it was made; {_cure_of(names)}"


def _shown_names(names: list[str]) -> str:
    """Return names of a refused model, as an error shows them."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(one_line(name, 100) for name in names[:MOST_NAMES]) + more


def _cure_of(names: list[str]) -> str:
    """Return what to do about a model that holds such names. A class is one by its spelling."""
    for start, cure in CURES.items():
        if any(name.startswith(start) for name in names):
            return cure
    if not all(name.rpartition(".")[2].lstrip("_")[:1].isupper() for name in names):
        instead = "give a model fitted without them, or its .onnx file"
        return f"only classes can be trusted (`trust`), no functions: {instead}"
    shown = _shown_names(names)
    if len(names) == 1:
        return f"if it is a class that you trust, add it to `trust`: [{shown}]"
    return f"if they are classes that you trust, add them to `trust`: [{shown}]"


def _version() -> str:
    from sklearn import __version__

    return str(__version__)


def _other_version(path: Path, version: str) -> str:
    needed = _version()
    return (
        f"{path} was written by scikit-learn {version}, needs {needed}; "
        f"fit and dump the model again with {needed}, "
        f"or export it with skl2onnx where {version} is installed and give the .onnx file"
    )
