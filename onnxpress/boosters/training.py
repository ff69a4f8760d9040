"""Fit the libraries' own classes: their arguments, and which trainer is whose.

See :mod:`onnxpress.boosters.trainer` for what a trainer must do.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from onnxpress.boosters import catboost_training, xgboost_training
from onnxpress.boosters.trainer import Trainer, Training, plain_frame
from onnxpress.errors import UserError

INSTALL = "pip install 'onnxpress[boosters]'"


def trainer_of(library: str) -> Trainer:
    """Return the trainer.

    Raises:
        UserError: the library is not installed.
    """
    from importlib.util import find_spec

    if find_spec(library) is None:
        raise UserError(f"this needs {library}, which is not installed: {INSTALL}")
    return TRAINERS[library]


def checked_parameters(library: str, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all arguments of a library's class: those ``given`` and the defaults for the others.

    Raises:
        UserError: the class does not take one of them; the line names the nearest that it does.
    """
    trainer = trainer_of(library)
    known = trainer.known(name)
    for key in given:
        if key in known and not _of_files(key):
            continue
        if key in trainer.kept and not _of_files(key):
            why = "is set by the pipeline or not used"
            raise UserError(f"`params` do not fit {name} ({key!r} {why}); remove it")
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"see the arguments of {name}"
        if _of_files(key):
            hint = "arguments that name files are not taken"
        raise UserError(f"`params` do not fit {name} ({key!r} is no argument of it); {hint}")
    return trainer.defaults(name) | dict(given)


def _of_files(key: str) -> bool:
    """Whether an argument names files to read or write."""
    return any(word in key for word in ("file", "output_model", "input_model", "_dir"))


def _lightgbm_defaults(name: str) -> dict[str, Any]:
    import lightgbm

    found = getattr(lightgbm, name.rpartition(".")[2])().get_params()
    fixed = {"n_jobs": 1, "deterministic": True, "force_col_wise": True, "verbosity": -1}
    return dict(found) | fixed


def _lightgbm_known(name: str) -> set[str]:
    import lightgbm
    from lightgbm.basic import _ConfigAliases

    own = set(getattr(lightgbm, name.rpartition(".")[2])().get_params())
    aliases = _ConfigAliases._get_all_param_aliases()
    return own.union(aliases, *aliases.values())


def _fit_lightgbm(given: Training) -> tuple[bytes, tuple[Any, ...] | None]:
    import lightgbm

    estimator = getattr(lightgbm, given.name.rpartition(".")[2])(**given.parameters)
    groups = {}
    if given.groups is not None:
        groups["group"] = np.unique(given.groups, return_counts=True)[1]
    estimator.fit(plain_frame(given.rows), given.target, **groups)
    classes = getattr(estimator, "classes_", None)
    labels = None if classes is None else tuple(np.asarray(classes).tolist())
    return estimator.booster_.model_to_string().encode(), labels


TRAINERS: dict[str, Trainer] = {
    "catboost": Trainer(
        catboost_training.defaults,
        catboost_training.known,
        frozenset(catboost_training.NOT_TAKEN) - {"self"},
        catboost_training.fit,
    ),
    "lightgbm": Trainer(_lightgbm_defaults, _lightgbm_known, frozenset(), _fit_lightgbm),
    "xgboost": Trainer(
        xgboost_training.defaults,
        xgboost_training.known,
        xgboost_training.REFUSED,
        xgboost_training.fit,
    ),
}
"""By the names of the libraries."""
