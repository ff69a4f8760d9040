"""Classes whose instances a fitted estimator is made of, and how one of them gets its state.

An instance is made without a call, and its state is a dict of names that hide nothing of the
class: neither the class nor the file decides what runs. No module outside the table is ever
imported.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any

from onnxpress.estimators.stored.errors import Damaged, OtherVersion
from onnxpress.estimators.stored.histogram_nodes import BOUND
from onnxpress.estimators.stored.nodes import Global, Made
from onnxpress.estimators.stored.rules import Rule

_MODULES = (
    "sklearn.calibration sklearn.cluster._affinity_propagation sklearn.cluster._agglomerative "
    "sklearn.cluster._bicluster sklearn.cluster._birch sklearn.cluster._bisect_k_means "
    "sklearn.cluster._dbscan sklearn.cluster._hdbscan.hdbscan sklearn.cluster._kmeans "
    "sklearn.cluster._mean_shift sklearn.cluster._optics sklearn.cluster._spectral "
    "sklearn.compose._column_transformer sklearn.compose._target "
    "sklearn.covariance._elliptic_envelope sklearn.covariance._empirical_covariance "
    "sklearn.covariance._graph_lasso sklearn.covariance._robust_covariance "
    "sklearn.covariance._shrunk_covariance sklearn.cross_decomposition._pls "
    "sklearn.decomposition._dict_learning sklearn.decomposition._factor_analysis "
    "sklearn.decomposition._fastica sklearn.decomposition._incremental_pca "
    "sklearn.decomposition._kernel_pca sklearn.decomposition._lda sklearn.decomposition._nmf "
    "sklearn.decomposition._pca sklearn.decomposition._sparse_pca "
    "sklearn.decomposition._truncated_svd sklearn.discriminant_analysis sklearn.dummy "
    "sklearn.ensemble._bagging sklearn.ensemble._forest sklearn.ensemble._gb "
    "sklearn.ensemble._hist_gradient_boosting.binning "
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting sklearn.ensemble._iforest "
    "sklearn.ensemble._stacking sklearn.ensemble._voting sklearn.ensemble._weight_boosting "
    "sklearn.feature_extraction._dict_vectorizer sklearn.feature_extraction._hash "
    "sklearn.feature_extraction.image sklearn.feature_extraction.text "
    "sklearn.feature_selection._from_model sklearn.feature_selection._rfe "
    "sklearn.feature_selection._sequential sklearn.feature_selection._univariate_selection "
    "sklearn.feature_selection._variance_threshold sklearn.frozen._frozen "
    "sklearn.gaussian_process._gpc sklearn.gaussian_process._gpr sklearn.impute._base "
    "sklearn.impute._iterative sklearn.impute._knn sklearn.isotonic sklearn.kernel_approximation "
    "sklearn.kernel_ridge sklearn.linear_model._base sklearn.linear_model._bayes "
    "sklearn.linear_model._coordinate_descent sklearn.linear_model._glm.glm "
    "sklearn.linear_model._huber sklearn.linear_model._least_angle sklearn.linear_model._logistic "
    "sklearn.linear_model._omp sklearn.linear_model._passive_aggressive "
    "sklearn.linear_model._perceptron sklearn.linear_model._quantile sklearn.linear_model._ransac "
    "sklearn.linear_model._ridge sklearn.linear_model._stochastic_gradient "
    "sklearn.linear_model._theil_sen sklearn.manifold._classical_mds sklearn.manifold._isomap "
    "sklearn.manifold._locally_linear sklearn.manifold._mds sklearn.manifold._spectral_embedding "
    "sklearn.manifold._t_sne sklearn.mixture._bayesian_mixture sklearn.mixture._gaussian_mixture "
    "sklearn.model_selection._classification_threshold sklearn.model_selection._search "
    "sklearn.model_selection._search_successive_halving sklearn.multiclass sklearn.multioutput "
    "sklearn.naive_bayes sklearn.neighbors._classification sklearn.neighbors._graph "
    "sklearn.neighbors._kde sklearn.neighbors._lof sklearn.neighbors._nca "
    "sklearn.neighbors._nearest_centroid sklearn.neighbors._regression "
    "sklearn.neighbors._unsupervised sklearn.neural_network._multilayer_perceptron "
    "sklearn.neural_network._rbm sklearn.pipeline sklearn.preprocessing._data "
    "sklearn.preprocessing._discretization sklearn.preprocessing._encoders "
    "sklearn.preprocessing._function_transformer sklearn.preprocessing._label "
    "sklearn.preprocessing._polynomial sklearn.preprocessing._target_encoder "
    "sklearn.random_projection sklearn.semi_supervised._label_propagation "
    "sklearn.semi_supervised._self_training sklearn.svm._classes sklearn.tree._classes"
)
ESTIMATORS = frozenset(_MODULES.split())
"""Modules that define estimators.

Of these, every subclass of ``BaseEstimator`` that is defined there.
"""

PARTS: dict[str, str] = {
    "sklearn._loss.link": "HalfLogitLink IdentityLink Interval LogLink LogitLink MultinomialLogit",
    "sklearn._loss.loss": (
        "AbsoluteError ExponentialLoss HalfBinomialLoss HalfBinomialLossArrayAPI HalfGammaLoss "
        "HalfMultinomialLoss HalfMultinomialLossArrayAPI HalfPoissonLoss HalfPoissonLossArrayAPI "
        "HalfSquaredError HalfTweedieLoss HalfTweedieLossIdentity HuberLoss PinballLoss"
    ),
    "sklearn.calibration": "_CalibratedClassifier",
    "sklearn.cluster._birch": "_CFNode _CFSubcluster",
    "sklearn.cluster._bisect_k_means": "_BisectingTree",
    "sklearn.compose._column_transformer": "make_column_selector",
    "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
    "sklearn.gaussian_process.kernels": (
        "CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation Matern "
        "PairwiseKernel Product RBF RationalQuadratic Sum WhiteKernel"
    ),
    "sklearn.impute._iterative": "_ImputerTriplet",
    "sklearn.metrics._scorer": "_CurveScorer _MultimetricScorer _PassthroughScorer _Scorer",
    "sklearn.model_selection._split": (
        "GroupKFold GroupShuffleSplit KFold LeaveOneGroupOut LeaveOneOut LeavePGroupsOut "
        "LeavePOut PredefinedSplit RepeatedKFold RepeatedStratifiedKFold ShuffleSplit "
        "StratifiedGroupKFold StratifiedKFold StratifiedShuffleSplit TimeSeriesSplit "
        "_CVIterableWrapper"
    ),
    "sklearn.neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
    "sklearn.utils._metadata_requests": (
        "MetadataRequest MetadataRouter MethodMapping MethodMetadataRequest MethodPair "
        "RouterMappingPair"
    ),
    "onnxpress.estimators.booster_estimator": "BoosterClassifier BoosterRanker BoosterRegressor",
    "onnxpress.estimators.onnx_estimator": "OnnxClassifier OnnxRegressor",
    "onnxpress.estimators.torch_estimator": "TorchClassifier TorchRegressor",
}
"""Classes that are no estimators, by their modules, and our own of models given in other forms."""

MOST_CACHED = 10_000
"""Names looked up once: a boosted ensemble has thousands of objects of the same class."""

VERSION = "_sklearn_version"
LONGEST_VERSION = 40


@lru_cache(maxsize=MOST_CACHED)
def known_class(module: str, name: str) -> type[Any] | None:
    """The class of that name, None if no fitted estimator holds one of it.

    Nothing else is imported.
    """
    parts = PARTS.get(module, "").split()
    if name not in parts and (module not in ESTIMATORS or not name.isidentifier()):
        return None
    try:
        found = vars(importlib.import_module(module)).get(name)
    except ImportError:
        return None
    if not isinstance(found, type) or found.__module__ != module:
        return None
    from sklearn.base import BaseEstimator

    return found if name in parts or issubclass(found, BaseEstimator) else None


def pickled_names(trusted: Collection[str]) -> frozenset[str]:
    """Names of classes that a user trusts, and the names under which pickles have the same classes.

    ``lightgbm.LGBMClassifier`` is ``lightgbm.sklearn.LGBMClassifier`` there. What is no class
    stays as it is.
    """
    found = set(trusted)
    for path in trusted:
        module, _, name = path.rpartition(".")
        kind = None
        with contextlib.suppress(
            Exception
        ):  # a module that is not there, or raises anything: said where a file names it
            kind = getattr(importlib.import_module(module), name, None)
        if isinstance(kind, type):
            found.add(f"{kind.__module__}.{kind.__qualname__}")
    return frozenset(found)


def empty(kind: type[Any]) -> Any:
    """An instance of a known class without any state; the class is not asked.

    Raises:
        Damaged: it is abstract, or is no class that is made empty.
    """
    try:
        return object.__new__(kind)
    except TypeError as error:
        raise Damaged(f"{kind.__name__} is not a class that a file holds instances of") from error


def named_tuple(made: Made, build: Callable[[Any], Any]) -> Any:
    """A named tuple of the table, with as many items as it has names."""
    if (
        not isinstance(made.maker, Global)
        or made.keywords
        or made.states
        or made.items
        or made.pairs
    ):
        raise Damaged("a named tuple that is not written so")
    kind = known_class(made.maker.module, made.maker.name)
    fields = getattr(kind, "_fields", ())
    if kind is None or len(fields) != len(made.arguments):
        raise Damaged(
            f"{made.maker.name} should have {len(fields)} items, got {len(made.arguments)}"
        )
    return tuple.__new__(kind, [build(argument) for argument in made.arguments])


RULES: dict[str, Rule] = dict.fromkeys(
    (
        "sklearn.impute._iterative._ImputerTriplet",
        "sklearn.utils._metadata_requests.MethodPair",
        "sklearn.utils._metadata_requests.RouterMappingPair",
    ),
    named_tuple,
)


def set_state(instance: Any, state: Any) -> None:
    """Give an instance of a known class its attributes.

    Raises:
        Damaged: the state is no dict of names, or one of them hides a part of the class.
        OtherVersion: another scikit-learn has written it.
    """
    from sklearn.base import BaseEstimator

    kind = type(instance)
    if type(state) is not dict:
        raise Damaged(f"the state of {kind.__name__} should be a dict, got {type(state).__name__}")
    content = dict(state)
    if issubclass(kind, BaseEstimator) and kind.__module__.startswith("sklearn."):
        _check_version(kind, content.pop(VERSION, None))
    if kind.__name__.startswith("HistGradientBoosting") and content.get(BOUND, kind) is None:
        del content[BOUND]
    _check_names(kind, content)
    vars(instance).update(content)
    if kind.__name__ == "IsotonicRegression":
        _interpolate(instance)


def set_trusted_state(instance: Any, state: Any) -> None:
    """Give an instance of a trusted class its state, by its own ``__setstate__`` if it has one.

    Raises:
        Damaged: that fails, or without it the state is no dict of names.
        OtherVersion: another scikit-learn has written it.
    """
    from sklearn.base import BaseEstimator

    kind = type(instance)
    own = getattr(kind, "__setstate__", None)
    if own is None or own is BaseEstimator.__setstate__:
        if type(state) is not dict:
            raise Damaged(
                f"the state of {kind.__name__} should be a dict, got {type(state).__name__}"
            )
        _check_names(kind, state)
        vars(instance).update(state)
        return
    try:
        own(instance, state)
    except Exception as error:  # whatever a foreign class raises
        raise Damaged(f"{kind.__name__} does not take its state ({error!r})") from error


def _check_version(kind: type[Any], version: Any) -> None:
    import sklearn

    if type(version) is not str or len(version) > LONGEST_VERSION:
        raise Damaged(f"{kind.__name__} should say which scikit-learn has written it")
    if version != sklearn.__version__:
        raise OtherVersion(version)


def _check_names(kind: type[Any], state: dict[Any, Any]) -> None:
    """Raise Damaged unless all keys are plain names that hide no method or property."""
    for key in state:
        if type(key) is not str or not key.isidentifier() or key.startswith("__"):
            raise Damaged(
                f"{kind.__name__} should have attributes with plain names, got {str(key)[:60]!r}"
            )
        if hides(kind, key):  # type: ignore[arg-type] # a class is hashable
            raise Damaged(f"{kind.__name__} should have {key} by its class, not by the file")


@lru_cache(maxsize=MOST_CACHED)
def hides(kind: type[Any], key: str) -> bool:
    """Whether an attribute of that name would hide something of the class.

    A parameter may have a plain value in the class as well, as ``LassoLars.positive`` does.
    """
    found = inspect.getattr_static(kind, key, inspect)
    if found is inspect:
        return False
    plain = found is None or type(found) in (bool, int, float, str)
    return not (plain and key in inspect.signature(kind).parameters)


def _interpolate(regression: Any) -> None:
    """What IsotonicRegression's own ``__setstate__`` does.

    The function that it predicts by is made of its thresholds.
    """
    content = vars(regression)
    content.pop("f_", None)
    if "X_thresholds_" in content and "y_thresholds_" in content:
        try:
            regression._build_f(content["X_thresholds_"], content["y_thresholds_"])
        except Exception as error:  # scipy raises what it raises about numbers that do not fit
            raise Damaged(
                f"IsotonicRegression's thresholds do not fit together ({error})"
            ) from error
