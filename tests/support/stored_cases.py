"""Estimators of every kind with many of their options, on sixty rows.

What stored files are tried with.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401 - they enable by being imported

random = np.random.default_rng(0)
X = random.normal(size=(60, 4))
TWO = (X[:, 0] + X[:, 1] > 0).astype(int)
THREE = np.digitize(X[:, 0] + 0.2 * X[:, 2], [-0.5, 0.5])
TEXTS = np.array(["a", "b", "ccc"])[THREE]
NUMBER = X @ [1, 2, 0, 0.5] + 0.1 * random.normal(size=60)
POSITIVE = abs(NUMBER) + 0.1
CODES = X.copy()
CODES[:, 0], CODES[:, 2] = random.integers(0, 5, 60), random.integers(0, 3, 60)
GAPS = np.where(random.random(X.shape) < 0.1, np.nan, X)
FRAME = pd.DataFrame(
    {
        "a": X[:, 0],
        "b c": X[:, 1],
        "k": random.choice(["x", "y", "z"], 60),
        "t": random.choice(["red dog", "blue cat", "green fish swims"], 60),
    }
)
CATEGORIES = FRAME[["a", "k"]].assign(k=FRAME["k"].astype("category"))
WORDS = list(FRAME["t"])
RECORDS = FRAME[["a", "k"]].to_dict("records")
SEED: dict[str, Any] = {"random_state": 0}
Case = tuple[Any, Any, Any]
METHODS = (
    *("predict", "predict_proba", "decision_function", "transform"),
    *("score_samples", "kneighbors", "apply", "decision_path"),
)


def fitted(*names: str) -> Iterator[tuple[str, Any, Any]]:
    """Name, fitted estimator and its rows, of all cases or of some."""
    for name, (estimator, rows, target) in all_cases().items():
        if names and name not in names:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fits this small do not converge
            yield name, clone(estimator).fit(rows, *(() if target is None else (target,))), rows


def answers(estimator: Any, rows: Any) -> dict[str, Any]:
    """What it says of the rows, by method; of a method that fails, the kind of error."""
    found = {}
    for name in METHODS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answer = getattr(estimator, name)(rows)
        except Exception as error:
            answer = type(error).__name__
        found[name] = answer.toarray() if sparse.issparse(answer) else answer
    return found


def same(one: Any, other: Any) -> bool:
    """Compare two answers, up to last digits, which depend on how memory is aligned."""
    if sparse.issparse(one):  # in a tuple: the path of each row
        one, other = one.toarray(), other.toarray()
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray) and one.dtype != object:
        if one.dtype.kind == "f" and one.dtype == other.dtype:
            return one.shape == other.shape and np.allclose(
                one, other, rtol=1e-9, atol=1e-12, equal_nan=True
            )
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, np.ndarray):
        return one.shape == other.shape and all(map(same, one.ravel(), other.ravel()))
    return bool(one.equals(other) if isinstance(one, pd.DataFrame) else one == other)


@cache
def all_cases() -> dict[str, Case]:
    """Estimator, rows and target, by a short name."""
    parts = (
        _trees(),
        _boosters(),
        _kernel_machines(),
        _neighbors(),
        _linear(),
        _others(),
        _meta(),
        _columns(),
        _transformers(),
    )
    return {name: case for part in parts for name, case in part.items()}


def _trees() -> dict[str, Case]:
    from sklearn.ensemble import (
        ExtraTreesClassifier,
        ExtraTreesRegressor,
        IsolationForest,
        RandomForestClassifier,
        RandomForestRegressor,
        RandomTreesEmbedding,
    )
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeRegressor

    classifier, regressor = DecisionTreeClassifier(**SEED), DecisionTreeRegressor(**SEED)
    forest = RandomForestClassifier(5, **SEED)
    return {
        "tree": (classifier, X, THREE),
        "tree of text": (DecisionTreeClassifier(max_leaf_nodes=6, **SEED), X, TEXTS),
        "pruned tree": (DecisionTreeClassifier(ccp_alpha=0.01, **SEED), X, TEXTS.astype(object)),
        "tree of two targets": (classifier, X, np.c_[TWO, THREE]),
        "tree of two numbers": (regressor, X, np.c_[NUMBER, -NUMBER]),
        "tree of gaps": (classifier, GAPS, TWO),
        "monotonic tree": (DecisionTreeRegressor(monotonic_cst=[1, 0, 0, -1], **SEED), X, NUMBER),
        "Poisson tree": (DecisionTreeRegressor(criterion="poisson", **SEED), X, POSITIVE),
        "extra tree": (ExtraTreeRegressor(**SEED), X, NUMBER),
        "forest": (forest, X, THREE),
        "out of bag": (
            RandomForestClassifier(12, oob_score=True, class_weight="balanced", n_jobs=2, **SEED),
            X,
            TEXTS,
        ),
        "forest of numbers": (
            RandomForestRegressor(4, criterion="absolute_error", **SEED),
            X,
            NUMBER,
        ),
        "forest of two targets": (forest, X, np.c_[TWO, THREE]),
        "forest of its own seed": (
            RandomForestClassifier(2, random_state=np.random.RandomState(3)),
            X,
            TWO,
        ),
        "extra trees": (ExtraTreesClassifier(5, **SEED), X, THREE),
        "extra trees of numbers": (ExtraTreesRegressor(4, bootstrap=True, **SEED), X, NUMBER),
        "embedding": (RandomTreesEmbedding(4, **SEED), X, None),
        "isolation": (IsolationForest(n_estimators=5, max_features=2, **SEED), X, None),
    }


def _boosters() -> dict[str, Case]:
    from sklearn.ensemble import (
        AdaBoostClassifier,
        AdaBoostRegressor,
        BaggingClassifier,
        BaggingRegressor,
        GradientBoostingClassifier,
        GradientBoostingRegressor,
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )
    from sklearn.svm import SVC

    few: dict[str, Any] = {"n_estimators": 3, **SEED}
    short: dict[str, Any] = {"max_iter": 3, "min_samples_leaf": 3, **SEED}
    early: dict[str, Any] = {"early_stopping": True, "scoring": "accuracy"}
    found: dict[str, Case] = {
        "gradient": (GradientBoostingClassifier(**few), X, TWO),
        "gradient of three": (GradientBoostingClassifier(**few), X, TEXTS),
        "exponential": (GradientBoostingClassifier(loss="exponential", **few), X, TWO),
        "gradient from zero": (GradientBoostingClassifier(init="zero", **few), X, THREE),
        "gradient of parts": (
            GradientBoostingRegressor(subsample=0.7, n_iter_no_change=2, **few),
            X,
            NUMBER,
        ),
        "numbers from zero": (GradientBoostingRegressor(init="zero", **few), X, NUMBER),
        "histogram": (HistGradientBoostingClassifier(**short), X, TWO),
        "histogram of gaps": (HistGradientBoostingClassifier(**short, **early), GAPS, TEXTS),
        "histogram of codes": (
            HistGradientBoostingClassifier(categorical_features=[0, 2], **short),
            CODES,
            THREE,
        ),
        "histogram by mask": (
            HistGradientBoostingRegressor(categorical_features=[True, *[False] * 3], **short),
            CODES,
            NUMBER,
        ),
        "histogram of codes only": (
            HistGradientBoostingClassifier(categorical_features=[0, 1], **short),
            CODES[:, [0, 2]],
            THREE,
        ),
        "histogram of categories": (HistGradientBoostingClassifier(**short), CATEGORIES, THREE),
        "constrained": (
            HistGradientBoostingRegressor(
                monotonic_cst=[1, 0, 0, 0], interaction_cst=[{0, 1}], **short
            ),
            X,
            NUMBER,
        ),
        "adaptive": (AdaBoostClassifier(**few), X, THREE),
        "adaptive of numbers": (AdaBoostRegressor(**few), X, NUMBER),
        "bagging": (BaggingClassifier(SVC(), 3, max_features=0.5, **SEED), X, THREE),
        "bagging of numbers": (BaggingRegressor(n_estimators=3, **SEED), X, NUMBER),
    }
    for loss in ("squared_error", "absolute_error", "huber", "quantile"):
        found[f"gradient, {loss}"] = GradientBoostingRegressor(loss=loss, **few), X, NUMBER
    for loss in ("absolute_error", "gamma", "poisson", "quantile"):
        found[f"histogram, {loss}"] = (
            HistGradientBoostingRegressor(loss=loss, quantile=0.3, **short),
            X,
            POSITIVE,
        )
    return found


def _kernel_machines() -> dict[str, Case]:
    from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR, NuSVC, NuSVR, OneClassSVM

    rows, table = sparse.csr_matrix(X), sparse.csr_array(X)
    return {
        "SVC": (SVC(**SEED), X, TWO),
        "SVC of pairs": (
            SVC(probability=True, decision_function_shape="ovo", class_weight="balanced", **SEED),
            X,
            TEXTS,
        ),
        "linear SVC": (SVC(kernel="linear"), X, THREE),
        "polynomial SVC": (SVC(kernel="poly", degree=2, coef0=1.0), X, THREE),
        "sigmoid SVC": (SVC(kernel="sigmoid", break_ties=True), X, THREE),
        "NuSVC": (NuSVC(nu=0.3), X, THREE),
        "SVR": (SVR(), X, NUMBER),
        "NuSVR": (NuSVR(kernel="linear"), X, NUMBER),
        "one class": (OneClassSVM(), X, None),
        "sparse SVC": (SVC(), rows, THREE),
        "sparse SVR": (SVR(kernel="linear"), rows, NUMBER),
        "sparse probabilities": (SVC(probability=True, **SEED), table, TWO),
        "precomputed SVC": (SVC(kernel="precomputed"), X @ X.T, THREE),
        "precomputed SVR": (SVR(kernel="precomputed"), X @ X.T, NUMBER),
        "SVR of nothing": (SVR(epsilon=1000.0), X, NUMBER),
        "liblinear": (LinearSVC(**SEED), X, THREE),
        "liblinear of numbers": (LinearSVR(**SEED), X, NUMBER),
    }


def _neighbors() -> dict[str, Case]:
    from sklearn.neighbors import (
        KernelDensity,
        KNeighborsClassifier,
        KNeighborsRegressor,
        KNeighborsTransformer,
        LocalOutlierFactor,
        NearestCentroid,
        NearestNeighbors,
        NeighborhoodComponentsAnalysis,
        RadiusNeighborsClassifier,
        RadiusNeighborsRegressor,
    )

    inverse, one = {"VI": np.eye(4)}, np.ones(4)
    return {
        "neighbors": (KNeighborsClassifier(), X, THREE),
        "by brute force": (
            KNeighborsClassifier(3, algorithm="brute", weights="distance"),
            X,
            TEXTS,
        ),
        "ball tree": (KNeighborsClassifier(3, algorithm="ball_tree", metric="manhattan"), X, TWO),
        "Mahalanobis": (
            KNeighborsRegressor(
                3, algorithm="ball_tree", metric="mahalanobis", metric_params=inverse
            ),
            X,
            NUMBER,
        ),
        "standardised": (
            KNeighborsRegressor(3, metric="seuclidean", metric_params={"V": one}),
            X,
            NUMBER,
        ),
        "weighted": (
            KNeighborsRegressor(3, p=1.5, metric_params={"w": one}),
            X,
            np.c_[NUMBER, NUMBER],
        ),
        "two targets": (KNeighborsClassifier(3, p=3), X, np.c_[TWO, THREE]),
        "haversine": (
            KNeighborsClassifier(3, metric="haversine", algorithm="ball_tree"),
            X[:, :2],
            TWO,
        ),
        "float32": (KNeighborsClassifier(3), X.astype(np.float32), TWO),
        "cosine": (KNeighborsClassifier(3, metric="cosine"), X, TWO),
        "sparse neighbors": (KNeighborsClassifier(3), sparse.csr_matrix(X), TWO),
        "precomputed neighbors": (KNeighborsClassifier(3, metric="precomputed"), abs(X @ X.T), TWO),
        "radius": (RadiusNeighborsClassifier(3.0, outlier_label=0), X, THREE),
        "radius of numbers": (RadiusNeighborsRegressor(3.0), X, NUMBER),
        "centroids": (NearestCentroid(), X, THREE),
        "outliers": (LocalOutlierFactor(novelty=True), X, None),
        "density": (KernelDensity(), X, None),
        "nearest": (NearestNeighbors(), X, None),
        "graph": (KNeighborsTransformer(), X, None),
        "components": (NeighborhoodComponentsAnalysis(max_iter=5, **SEED), X, THREE),
    }


def _linear() -> dict[str, Case]:
    from sklearn import linear_model as linear
    from sklearn.discriminant_analysis import (
        LinearDiscriminantAnalysis,
        QuadraticDiscriminantAnalysis,
    )

    return {
        "logistic": (linear.LogisticRegression(), X, THREE),
        "elastic logistic": (
            linear.LogisticRegression(l1_ratio=0.5, solver="saga", **SEED),
            X,
            TWO,
        ),
        "logistic by folds": (linear.LogisticRegressionCV(cv=2, Cs=2), X, THREE),
        "hinge": (linear.SGDClassifier(random_state=np.random.RandomState(3)), X, TWO),
        "averaged": (
            linear.SGDClassifier(loss="log_loss", average=True, early_stopping=True, **SEED),
            X,
            TWO,
        ),
        "modified Huber": (linear.SGDClassifier(loss="modified_huber", **SEED), X, THREE),
        "squared hinge": (linear.SGDClassifier(loss="squared_hinge", **SEED), X, THREE),
        "gradient descent": (
            linear.SGDRegressor(loss="squared_epsilon_insensitive", **SEED),
            X,
            NUMBER,
        ),
        "ridge by folds": (linear.RidgeCV(), X, NUMBER),
        "lasso by folds": (linear.LassoCV(cv=2), X, NUMBER),
        "lasso by angles": (linear.LassoLars(positive=True), X, NUMBER),
        "Tweedie": (linear.TweedieRegressor(power=1.5), X, POSITIVE),
        "Huber": (linear.HuberRegressor(), X, NUMBER),
        "consensus": (linear.RANSACRegressor(**SEED), X, NUMBER),
        "LDA": (LinearDiscriminantAnalysis(), X, THREE),
        "QDA": (QuadraticDiscriminantAnalysis(), X, THREE),
    }


def _others() -> dict[str, Case]:
    from sklearn.covariance import EllipticEnvelope
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import DotProduct, Matern, WhiteKernel
    from sklearn.isotonic import IsotonicRegression
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.mixture import GaussianMixture
    from sklearn.naive_bayes import BernoulliNB, CategoricalNB, GaussianNB, MultinomialNB
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.semi_supervised import LabelPropagation, SelfTrainingClassifier

    kernel = Matern(nu=1.5) + WhiteKernel() * DotProduct()
    layers: dict[str, Any] = {"hidden_layer_sizes": (5, 3), "max_iter": 9, **SEED}
    return {
        "Gaussian": (GaussianNB(), X, TEXTS),
        "categorical": (CategoricalNB(), CODES[:, [0, 2]].astype(int), TWO),
        "multinomial": (MultinomialNB(), abs(X), THREE),
        "Bernoulli": (BernoulliNB(), X, TWO),
        "process": (GaussianProcessClassifier(), X, THREE),
        "process of numbers": (
            GaussianProcessRegressor(kernel, normalize_y=True, **SEED),
            X,
            NUMBER,
        ),
        "network": (MLPClassifier(**layers), X, THREE),
        "network by descent": (
            MLPRegressor(solver="sgd", early_stopping=True, **layers),
            X,
            NUMBER,
        ),
        "isotonic": (IsotonicRegression(out_of_bounds="clip"), X[:, 0], NUMBER),
        "kernel ridge": (KernelRidge(kernel="rbf"), X, NUMBER),
        "partial least squares": (PLSRegression(2), X, NUMBER),
        "dummy": (DummyClassifier(strategy="stratified", **SEED), X, THREE),
        "dummy of numbers": (DummyRegressor(strategy="quantile", quantile=0.3), X, NUMBER),
        "mixture": (GaussianMixture(2, **SEED), X, None),
        "envelope": (EllipticEnvelope(**SEED), X, None),
        "self training": (
            SelfTrainingClassifier(GaussianNB()),
            X,
            np.where(np.arange(60) % 3 == 0, -1, TWO),
        ),
        "propagation": (LabelPropagation(kernel="knn"), X, TWO),
    }


def _meta() -> dict[str, Case]:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.ensemble import (
        RandomForestRegressor,
        StackingClassifier,
        StackingRegressor,
        VotingClassifier,
    )
    from sklearn.frozen import FrozenEstimator
    from sklearn.linear_model import Lasso, LogisticRegression, Ridge
    from sklearn.metrics import make_scorer, r2_score
    from sklearn.model_selection import (
        FixedThresholdClassifier,
        GridSearchCV,
        KFold,
        RandomizedSearchCV,
        TimeSeriesSplit,
        TunedThresholdClassifierCV,
    )
    from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
    from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, RegressorChain
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier

    tree, bayes = DecisionTreeClassifier(**SEED), GaussianNB()
    scaled = Pipeline([("s", StandardScaler()), ("m", Ridge())])
    steps = {"m": [Ridge(), Lasso()], "s": ["passthrough", MinMaxScaler()]}
    halves = [(np.arange(30), np.arange(30, 60))]
    members = [("a b", bayes), ("b", SVC(probability=True, **SEED)), ("c", "drop")]
    shuffled = KFold(2, shuffle=True, random_state=1)
    return {
        "isotonic calibration": (CalibratedClassifierCV(bayes, cv=2, method="isotonic"), X, THREE),
        "sigmoid": (CalibratedClassifierCV(SVC(), cv=2, ensemble=False), X, TWO),
        "temperature": (CalibratedClassifierCV(tree, cv=2, method="temperature"), X, THREE),
        "frozen": (CalibratedClassifierCV(FrozenEstimator(clone(bayes).fit(X, TWO))), X, TWO),
        "one against the rest": (OneVsRestClassifier(SVC()), X, THREE),
        "one against nothing": (OneVsRestClassifier(bayes), X, TWO),
        "one against one": (OneVsOneClassifier(LogisticRegression()), X, TEXTS),
        "codes": (OutputCodeClassifier(LogisticRegression(), **SEED), X, THREE),
        "chain": (ClassifierChain(LogisticRegression()), X, np.c_[TWO, 1 - TWO]),
        "chain of numbers": (RegressorChain(Ridge()), X, np.c_[NUMBER, -NUMBER]),
        "several targets": (MultiOutputClassifier(tree), X, np.c_[TWO, THREE]),
        "voting": (VotingClassifier(members, voting="soft"), X, TEXTS),
        "stacking": (
            StackingClassifier([("a", bayes), ("b", tree)], cv=2, passthrough=True),
            X,
            THREE,
        ),
        "stack": (
            StackingRegressor(
                [("a", Ridge()), ("b", RandomForestRegressor(2, **SEED))], cv=KFold(2)
            ),
            X,
            NUMBER,
        ),
        "grid": (
            GridSearchCV(
                SVC(),
                {"C": [0.1, 1], "kernel": ["rbf"]},
                cv=2,
                scoring=["accuracy", "f1_macro"],
                refit="accuracy",
            ),
            X,
            THREE,
        ),
        "drawn": (
            RandomizedSearchCV(
                make_pipeline(StandardScaler(), Ridge()),
                {"ridge__alpha": [0.1, 1.0, 10.0]},
                n_iter=2,
                cv=shuffled,
                scoring=make_scorer(r2_score),
                **SEED,
            ),
            X,
            NUMBER,
        ),
        "grid of numbers": (
            GridSearchCV(Ridge(), {"alpha": np.logspace(-1, 1, 3)}, cv=halves),
            X,
            NUMBER,
        ),
        "grid of steps": (GridSearchCV(scaled, [steps], cv=2), X, NUMBER),
        "grid in time": (
            GridSearchCV(Ridge(), {"alpha": [1, 2]}, cv=TimeSeriesSplit(2)),
            X,
            NUMBER,
        ),
        "tuned threshold": (
            TunedThresholdClassifierCV(LogisticRegression(), cv=2, scoring="f1", **SEED),
            X,
            TWO,
        ),
        "threshold": (FixedThresholdClassifier(LogisticRegression(), threshold=0.3), X, TWO),
        "logarithmic target": (
            TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1),
            X,
            POSITIVE,
        ),
    }


def _columns() -> dict[str, Case]:
    from sklearn.compose import ColumnTransformer, make_column_selector
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.feature_extraction import DictVectorizer, FeatureHasher
    from sklearn.feature_extraction.text import (
        CountVectorizer,
        HashingVectorizer,
        TfidfTransformer,
        TfidfVectorizer,
    )
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import (
        KBinsDiscretizer,
        OneHotEncoder,
        OrdinalEncoder,
        StandardScaler,
        TargetEncoder,
    )

    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    words = TfidfVectorizer(ngram_range=(1, 2))
    mixed = [
        ("n", numbers, ["a", "b c"]),
        ("k", OneHotEncoder(handle_unknown="ignore"), ["k"]),
        ("t", words, "t"),
    ]
    selected = [
        (
            "n",
            KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"),
            make_column_selector(dtype_include=np.number),
        ),
        (
            "k",
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
            make_column_selector("k"),
        ),
    ]
    target = ColumnTransformer(
        [("k", TargetEncoder(cv=2), ["k"]), ("d", "drop", ["t"])], remainder="passthrough"
    )
    rest = ColumnTransformer([("k", "passthrough", [0, 2])], remainder=StandardScaler())
    rare = OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist", drop="first")
    letters = CountVectorizer(analyzer="char", ngram_range=(1, 3), binary=True, dtype=np.float32)
    listed = CountVectorizer(vocabulary=["dog", "cat"], stop_words="english")
    logistic = LogisticRegression()

    def before(*steps: Any) -> Any:
        return make_pipeline(*steps, logistic)

    return {
        "mixed": (before(ColumnTransformer(mixed)), FRAME, THREE),
        "selected": (
            make_pipeline(
                ColumnTransformer(selected, sparse_threshold=0), RandomForestClassifier(3, **SEED)
            ),
            FRAME,
            THREE,
        ),
        "target encoding": (
            make_pipeline(target.set_output(transform="pandas"), Ridge()),
            FRAME,
            NUMBER,
        ),
        "remainder": (make_pipeline(rest, Ridge()), X, NUMBER),
        "rare categories": (before(rare), CODES.astype(int).astype(str), THREE),
        "binary categories": (
            before(OneHotEncoder(drop="if_binary", sparse_output=False)),
            (X > 0).astype(int),
            THREE,
        ),
        "few categories": (before(OneHotEncoder(max_categories=3)), CODES.astype(int), THREE),
        "a category dropped": (
            before(OneHotEncoder(drop=["x"], handle_unknown="warn")),
            FRAME[["k"]],
            THREE,
        ),
        "letters": (before(letters), WORDS, THREE),
        "hashed words": (before(HashingVectorizer(n_features=64)), WORDS, THREE),
        "listed words": (before(listed, TfidfTransformer(sublinear_tf=True)), WORDS, THREE),
        "records": (before(DictVectorizer()), RECORDS, THREE),
        "hashed records": (before(FeatureHasher(32)), RECORDS, THREE),
    }


def _transformers() -> dict[str, Case]:
    from sklearn import preprocessing
    from sklearn.cluster import (
        Birch,
        BisectingKMeans,
        FeatureAgglomeration,
        KMeans,
        MiniBatchKMeans,
    )
    from sklearn.decomposition import (
        NMF,
        PCA,
        DictionaryLearning,
        FastICA,
        KernelPCA,
        LatentDirichletAllocation,
    )
    from sklearn.feature_selection import (
        RFE,
        RFECV,
        SelectFromModel,
        SelectKBest,
        SelectPercentile,
        chi2,
        f_regression,
        mutual_info_classif,
    )
    from sklearn.impute import IterativeImputer, KNNImputer, MissingIndicator, SimpleImputer
    from sklearn.kernel_approximation import Nystroem, RBFSampler
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.manifold import Isomap, LocallyLinearEmbedding
    from sklearn.pipeline import FeatureUnion, make_pipeline
    from sklearn.random_projection import SparseRandomProjection
    from sklearn.tree import DecisionTreeClassifier

    def before(*steps: Any) -> Any:
        return make_pipeline(*steps, Ridge())

    scalers = (
        *(
            preprocessing.PowerTransformer(),
            preprocessing.QuantileTransformer(n_quantiles=9),
            preprocessing.RobustScaler(),
        ),
        *(preprocessing.MaxAbsScaler(), preprocessing.Normalizer(), preprocessing.Binarizer()),
    )
    periodic = preprocessing.SplineTransformer(extrapolation="periodic", sparse_output=True)
    missing = FeatureUnion(
        [("m", MissingIndicator()), ("i", SimpleImputer(strategy="most_frequent"))]
    )
    plain: dict[str, Any] = {
        "agglomeration": FeatureAgglomeration(2),
        "bins": preprocessing.KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"),
        "dictionary": DictionaryLearning(2, max_iter=3, **SEED),
        "independent": FastICA(2, **SEED),
        "isomap": Isomap(n_components=2),
        "kernel components": KernelPCA(2, kernel="rbf"),
        "landmarks": Nystroem(n_components=9, **SEED),
        "locally linear": LocallyLinearEmbedding(n_components=2, **SEED),
        "means": KMeans(3, n_init=1, **SEED),
        "no function": preprocessing.FunctionTransformer(),
        "polynomial": preprocessing.PolynomialFeatures(2),
        "principal": PCA(2),
        "random": RBFSampler(n_components=9, **SEED),
        "sparse projection": SparseRandomProjection(3, **SEED),
        "splines": preprocessing.SplineTransformer(n_knots=4, extrapolation="linear"),
        "splines around": periodic,
        "univariate": SelectKBest(f_regression, k=2),
    }
    return {
        **{name: (before(step), X, NUMBER) for name, step in plain.items()},
        "scalers": (before(*scalers), X, NUMBER),
        "a function": (
            before(preprocessing.FunctionTransformer(np.log1p, np.expm1)),
            abs(X),
            NUMBER,
        ),
        "sparse polynomial": (
            before(preprocessing.PolynomialFeatures(2)),
            sparse.csr_array(X),
            NUMBER,
        ),
        "neighbors' values": (before(KNNImputer(add_indicator=True)), GAPS, NUMBER),
        "values in turn": (before(IterativeImputer(max_iter=2, **SEED)), GAPS, NUMBER),
        "gaps": (before(missing), GAPS, NUMBER),
        "topics": (before(LatentDirichletAllocation(2, max_iter=2, **SEED)), abs(X), NUMBER),
        "factors": (before(NMF(2, **SEED)), abs(X), NUMBER),
        "information": (before(SelectKBest(mutual_info_classif, k=2)), X, TWO),
        "chi2": (before(SelectPercentile(chi2)), abs(X), TWO),
        "elimination": (RFE(LogisticRegression(), n_features_to_select=2), X, TWO),
        "elimination by folds": (RFECV(LogisticRegression(), cv=2), X, TWO),
        "selection by a tree": (before(SelectFromModel(DecisionTreeClassifier(**SEED))), X, TWO),
        "k-means": (KMeans(3, n_init=1, **SEED), X, None),
        "bisections": (BisectingKMeans(3, **SEED), X, None),
        "batches": (MiniBatchKMeans(3, n_init=1, **SEED), X, None),
        "labels": (preprocessing.MultiLabelBinarizer(), [["a", "b"], ["c"]] * 30, None),
        "Birch": (Birch(n_clusters=2), X, None),
    }
