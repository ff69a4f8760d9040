"""Functions and types that a fitted estimator holds as values.

A file can hold them, it can never call them.

The table is fixed. Scikit-learn calls these functions later, when the estimator is asked, with
the rows it is asked about: so none is here that reads or writes files, starts anything, or takes
text for code.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Global, Made

TYPES: dict[str, str] = {
    "builtins": "bool bytes complex float int object str",
    "numpy": (
        "bool bool_ int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 "
        "longdouble complex64 complex128 object_ str_ bytes_ datetime64 timedelta64 number "
        "integer floating"
    ),
}
"""Types that are given as parameters, ``dtype`` most of all."""

FUNCTIONS: dict[str, str] = {
    "numpy": (
        "abs absolute fabs add subtract multiply divide true_divide power float_power square sqrt "
        "cbrt reciprocal negative exp exp2 expm1 log log2 log10 log1p sign sin cos tan arcsin "
        "arccos arctan sinh cosh tanh arcsinh arccosh arctanh deg2rad rad2deg degrees radians "
        "floor ceil trunc rint isnan isinf isfinite logical_not maximum minimum fmax fmin mean "
        "median nanmean nanmedian min max amin amax sum std var clip round nan_to_num where ravel "
        "cumsum diff"
    ),
    "scipy._lib.array_api_compat.numpy._aliases": "asarray",
    "scipy.special._special_ufuncs": "erf erfc expit gammaln log_expit logit xlogy",
    "scipy.special._ufuncs": "boxcox boxcox1p inv_boxcox inv_boxcox1p",
    "sklearn.feature_selection._mutual_info": "mutual_info_classif mutual_info_regression",
    "sklearn.feature_selection._univariate_selection": (
        "chi2 f_classif f_oneway f_regression r_regression"
    ),
    "sklearn.metrics._classification": (
        "accuracy_score balanced_accuracy_score brier_score_loss class_likelihood_ratios "
        "cohen_kappa_score d2_brier_score d2_log_loss_score f1_score fbeta_score hamming_loss "
        "hinge_loss jaccard_score log_loss matthews_corrcoef precision_recall_fscore_support "
        "precision_score recall_score zero_one_loss"
    ),
    "sklearn.metrics._ranking": (
        "average_precision_score coverage_error dcg_score label_ranking_average_precision_score "
        "label_ranking_loss ndcg_score roc_auc_score top_k_accuracy_score"
    ),
    "sklearn.metrics._regression": (
        "d2_absolute_error_score d2_pinball_score d2_tweedie_score explained_variance_score "
        "max_error mean_absolute_error mean_absolute_percentage_error mean_gamma_deviance "
        "mean_pinball_loss mean_poisson_deviance mean_squared_error mean_squared_log_error "
        "mean_tweedie_deviance median_absolute_error r2_score root_mean_squared_error "
        "root_mean_squared_log_error"
    ),
    "sklearn.metrics._scorer": "negative_likelihood_ratio positive_likelihood_ratio",
    "sklearn.metrics.cluster._supervised": (
        "adjusted_mutual_info_score adjusted_rand_score completeness_score fowlkes_mallows_score "
        "homogeneity_score mutual_info_score normalized_mutual_info_score rand_score "
        "v_measure_score"
    ),
    "sklearn.utils.validation": "check_array",
}
"""Scores, metrics and functions of numbers, by the module that a pickle names."""

OWN: dict[str, str] = {"sklearn.cluster._kmeans": "_kmeans_single_elkan _kmeans_single_lloyd"}
"""Functions that scikit-learn calls itself, with sizes that they do not check.

Each is allowed only in the attribute where scikit-learn itself puts it.
"""


def _paths(table: dict[str, str]) -> dict[str, tuple[str, str]]:
    return {
        f"{module}.{name}": (module, name)
        for module, names in table.items()
        for name in names.split()
    }


VALUES = {**_paths(TYPES), **_paths(FUNCTIONS), **_paths(OWN)}
"""Module and name of each value, by ``package.module.name``."""


def value(path: str) -> Any:
    """The function or type of that path.

    Raises:
        KeyError: it is not in the table; nothing has been imported.
        Damaged: it is, and this environment has none of that name.
    """
    module, name = VALUES[path]
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise Damaged(f"it holds {path}, which this environment does not have") from error


def partial(made: Made, build: Callable[[Any], Any]) -> functools.partial[Any]:
    """Make a function of the table with some keywords set to plain values.

    HistGradientBoosting holds one.
    """
    function = made.arguments[0] if len(made.arguments) == 1 else None
    if not isinstance(function, Global) or function.path not in _paths(FUNCTIONS):
        raise Damaged("a functools.partial should be of one of the functions that estimators hold")
    state = build(made.states[0]) if len(made.states) == 1 else None
    whole = isinstance(state, tuple) and len(state) == 4
    if (
        not isinstance(state, tuple)
        or not whole
        or state[1] != ()
        or state[3] not in (None, {})
        or made.keywords
    ):
        raise Damaged("a functools.partial should have keywords only")
    keywords = state[2]
    if type(keywords) is not dict or not all(
        _is_keyword(key) and is_plain(item) for key, item in keywords.items()
    ):
        raise Damaged("a functools.partial should hold plain values")
    return functools.partial(value(function.path), **keywords)


def _is_keyword(key: Any) -> bool:
    return type(key) is str and key.isidentifier() and not key.startswith("_")


def is_plain(item: Any) -> bool:
    """Whether it is None, a number, text, a type of the table, or a list or tuple of those."""
    return all(map(_is_simple, item)) if type(item) in (list, tuple) else _is_simple(item)


def _is_simple(item: Any) -> bool:
    plain = (
        item is None
        or type(item) in (bool, int, float, str)
        or isinstance(item, np.number | np.bool_)
    )
    return plain or (isinstance(item, type) and f"numpy.{item.__name__}" in VALUES)


RULES = {"functools.partial": partial}
