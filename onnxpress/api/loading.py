"""Loading an estimator that others have stored."""

from __future__ import annotations

from collections.abc import Collection
from os import PathLike
from pathlib import Path
from typing import Any

from onnxpress.errors import UserError
from onnxpress.estimators.loading import load_original

SUFFIXES = (".joblib", ".pkl", ".pickle", ".skops")


def load_estimator(path: str | PathLike[str], *, trust: Collection[str] = ()) -> Any:
    """Load a fitted scikit-learn estimator from a joblib, pickle or skops file.

    Nothing of the file runs before it is judged: every class and function that it names must be one
    that fitted estimators of scikit-learn hold, and every array in it is checked.

    Args:
        path: The file, ``.joblib``, ``.pkl`` or ``.skops``.
        trust: Classes, as ``package.module.Class``, that it may hold besides scikit-learn's. Their
            own code runs.

    Raises:
        UserError: the file is missing, damaged, written by another release of scikit-learn, or
            names something else.

    >>> import joblib, onnxpress
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> tree = DecisionTreeClassifier(random_state=0).fit(*load_iris(return_X_y=True))
    >>> _ = joblib.dump(tree, "tree.joblib")
    >>> onnxpress.load_estimator("tree.joblib")
    DecisionTreeClassifier(random_state=0)
    """
    file = Path(path)
    if file.suffix == ".onnx":
        raise UserError(f"{file} is an ONNX model and needs no loading: pass its path to compress")
    if file.suffix not in SUFFIXES:
        raise UserError(f"{file} should be a file ending in {', '.join(SUFFIXES)}")
    return load_original(file, trust)
