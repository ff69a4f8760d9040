"""Which globals a stored model may name: classes that hold fitted state, and the functions that rebuild arrays.

A pickle can call whatever it can name, so a package is never admitted by its prefix: ``sklearn.os.system`` and
``numpy.load`` begin with a good name too. Admitted are classes, each from the package that defines it, and a short table of
functions. Everything else has to be named in ``train.trust`` of params.yaml.

This keeps a file from running code of its own. It does not keep a forged file from holding arrays that crash the process.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection
from typing import Any

EXACT = {
    "builtins": "bool bytearray complex dict float frozenset int list object range set slice str tuple",
    "_codecs": "encode",
    "copyreg": "_reconstructor __newobj__ __newobj_ex__",
    "collections": "Counter OrderedDict defaultdict deque",
    "joblib.numpy_pickle": "NumpyArrayWrapper",
    "numpy": "dtype matrix ndarray",
    "numpy._core.multiarray": "_reconstruct scalar",
    "numpy.core.multiarray": "_reconstruct scalar",
    "numpy._core.numeric": "_frombuffer",
    "numpy.ma": "MaskedArray",
    "numpy.ma.core": "MaskedArray _mareconstruct",
    "numpy.random._pickle": "__bit_generator_ctor __generator_ctor __randomstate_ctor",
    "numpy.random.bit_generator": "SeedSequence __pyx_unpickle_SeedSequence",
    "scipy.interpolate._bsplines": "BSpline",
    "sklearn.compose._column_transformer": "make_column_selector",
    "sklearn.feature_selection._univariate_selection": "chi2 f_classif f_regression r_regression",
    "sklearn.metrics._dist_metrics": "newObj",
    "sklearn.metrics._classification": "accuracy_score balanced_accuracy_score f1_score log_loss precision_score recall_score",
    "sklearn.metrics._ranking": "average_precision_score roc_auc_score",
    "sklearn.metrics._regression": "mean_absolute_error mean_squared_error r2_score root_mean_squared_error",
    "sklearn.neighbors._ball_tree": "newObj",
    "sklearn.neighbors._kd_tree": "newObj",
    "sklearn.tree._tree": "Tree",
    "sklearn.utils._bunch": "Bunch",
    "stages.common.onnx_estimator": "OnnxClassifier OnnxRegressor",
}
"""Names by module, most of them from dumps of every estimator of scikit-learn 1.9 in pickle protocols 2 and 4."""

STATE_MODULES = (
    "sklearn._loss",
    "sklearn.calibration",
    "sklearn.ensemble._hist_gradient_boosting.binning",
    "sklearn.ensemble._hist_gradient_boosting.predictor",
    "sklearn.gaussian_process.kernels",
    "sklearn.linear_model._sgd_fast",
    "sklearn.metrics._dist_metrics",
    "sklearn.metrics._scorer",
    "sklearn.model_selection._split",
    "sklearn.neighbors._ball_tree",
    "sklearn.neighbors._kd_tree",
    "sklearn.neural_network._stochastic_optimizers",
    "sklearn.utils._metadata_requests",
)
"""Modules of scikit-learn whose classes, estimators or not, hold state and do nothing when they are made."""


class RefusedGlobals(Exception):
    """A file names globals that are not admitted; ``names`` are those found, sorted."""

    def __init__(self, names: Collection[str]) -> None:
        """Keep the names."""
        self.names = sorted(names)
        super().__init__(", ".join(self.names))


def admit(module: str, name: str, trusted: Collection[str]) -> Any:
    """The object of that name, or None if it is not admitted; nothing is imported for a name that cannot be.

    ``trusted`` are names of globals, ``package.module.name``, or of packages: of those, what they define themselves.
    """
    if name in EXACT.get(module, "").split() or f"{module}.{name}" in trusted:
        return _find(module, name)
    root = module.partition(".")[0]
    packages = [entry for entry in trusted if f"{module}.".startswith(f"{entry}.")]
    if not (packages or root in {"sklearn", "numpy", "scipy"}) or not name.isidentifier():
        return None
    found = _find(module, name)
    home = getattr(found, "__module__", None) or ""
    if any(f"{home}.".startswith(f"{entry}.") for entry in packages) or _holds_state(found, home):
        return found
    rebuilds_loss = module == home == "sklearn._loss._loss" and name.startswith("__pyx_unpickle_Cy")
    return found if rebuilds_loss else None


def _find(module: str, name: str) -> Any:
    """The global, None if this environment has none of that name."""
    try:
        importlib.import_module(module)
        found: Any = sys.modules[module]
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, KeyError, ValueError):
        return None
    return found


def _holds_state(found: Any, home: str) -> bool:
    """Whether it is an estimator of scikit-learn, part of one, a numpy scalar, dtype or bit generator, or a sparse array."""
    import numpy as np
    from scipy import sparse
    from sklearn.base import BaseEstimator

    if not isinstance(found, type):
        return False
    if home.startswith("sklearn."):
        return issubclass(found, BaseEstimator) or any(f"{home}.".startswith(f"{state}.") for state in STATE_MODULES)
    numbers = home.partition(".")[0] == "numpy" and issubclass(found, np.generic | np.dtype | np.random.BitGenerator)
    return numbers or (home.startswith("scipy.sparse.") and issubclass(found, sparse.spmatrix | sparse.sparray))
