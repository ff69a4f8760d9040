"""Classifiers: two and three classes, labels of both kinds, alone and behind other steps.

Columns have many scales.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bench.scores.case import Case, maker

COUNTED = {"BernoulliNB", "CategoricalNB", "ComplementNB", "MultinomialNB"}
"""They take counts, and are not put behind a scaler."""
LOSSES = ("hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron")
ACTIVATIONS = ("relu", "logistic", "identity", "tanh")
SMALL_NET: dict[str, Any] = {"hidden_layer_sizes": (8,), "max_iter": 100}
CHEAP_TREES: dict[str, Any] = {"n_estimators": 8, "random_state": 0}


def cases() -> Iterator[Case]:
    """Every classifier on every kind of data that suits it."""
    for name, make in makers().items():
        if name.split("(")[0] in COUNTED:
            for data in (
                "two ints counts",
                "two strings counts",
                "three ints counts",
                "three strings counts",
            ):
                yield Case(name, make, data)
            continue
        for data in ("two ints", "three strings", "two strings bad", "three ints bad"):
            yield Case(name, make, data)
        yield Case(name, make, "two odd ints", "scaled")
        yield Case(name, make, "three strings bad", "scaled")
        yield Case(name, make, "two strings missing", "imputed")


def makers() -> dict[str, Callable[[], Any]]:
    """Unfitted estimators by the name they are shown under."""
    from sklearn import (
        discriminant_analysis,
        dummy,
        ensemble,
        gaussian_process,
        linear_model,
        naive_bayes,
        neighbors,
        neural_network,
        semi_supervised,
        svm,
        tree,
    )

    return dict(
        [
            maker(discriminant_analysis.LinearDiscriminantAnalysis),
            maker(
                discriminant_analysis.LinearDiscriminantAnalysis,
                "lsqr",
                solver="lsqr",
                shrinkage="auto",
            ),
            maker(discriminant_analysis.LinearDiscriminantAnalysis, "eigen", solver="eigen"),
            maker(discriminant_analysis.QuadraticDiscriminantAnalysis),
            maker(discriminant_analysis.QuadraticDiscriminantAnalysis, "reg_param", reg_param=0.3),
            maker(dummy.DummyClassifier),
            maker(ensemble.ExtraTreesClassifier, **CHEAP_TREES),
            maker(ensemble.RandomForestClassifier, **CHEAP_TREES),
            maker(ensemble.GradientBoostingClassifier, **CHEAP_TREES),
            maker(
                ensemble.GradientBoostingClassifier,
                "exponential",
                loss="exponential",
                **CHEAP_TREES,
            ),
            maker(ensemble.GradientBoostingClassifier, "init zero", init="zero", **CHEAP_TREES),
            maker(ensemble.HistGradientBoostingClassifier, max_iter=8),
            maker(gaussian_process.GaussianProcessClassifier),
            maker(linear_model.LogisticRegression, max_iter=2000),
            maker(linear_model.LogisticRegressionCV, max_iter=2000),
            maker(linear_model.LogisticRegression, "liblinear", solver="liblinear"),
            maker(linear_model.LogisticRegression, "no intercept", fit_intercept=False, C=100.0),
            maker(
                linear_model.LogisticRegression,
                "balanced",
                class_weight="balanced",
                solver="newton-cg",
            ),
            maker(linear_model.PassiveAggressiveClassifier),
            maker(linear_model.Perceptron),
            *(maker(linear_model.SGDClassifier, loss, loss=loss) for loss in LOSSES),
            maker(linear_model.RidgeClassifier),
            maker(linear_model.RidgeClassifierCV),
            maker(naive_bayes.BernoulliNB, binarize=2.0),
            maker(naive_bayes.BernoulliNB, "no prior", binarize=1.0, fit_prior=False),
            maker(naive_bayes.CategoricalNB, min_categories=8),
            maker(naive_bayes.CategoricalNB, "alpha", min_categories=9, alpha=0.1, fit_prior=False),
            maker(naive_bayes.ComplementNB),
            maker(naive_bayes.ComplementNB, "norm", norm=True),
            maker(naive_bayes.MultinomialNB),
            maker(naive_bayes.MultinomialNB, "no prior", fit_prior=False, alpha=0.5),
            maker(naive_bayes.GaussianNB),
            maker(naive_bayes.GaussianNB, "smoothing", var_smoothing=0.1),
            maker(neighbors.KNeighborsClassifier),
            maker(neighbors.KNeighborsClassifier, "distance", weights="distance"),
            maker(neighbors.KNeighborsClassifier, "manhattan", metric="manhattan", n_neighbors=4),
            maker(neighbors.KNeighborsClassifier, "minkowski 3", p=3),
            maker(neighbors.KNeighborsClassifier, "cosine", metric="cosine"),
            maker(neighbors.NearestCentroid),
            maker(neighbors.RadiusNeighborsClassifier, radius=2.5, outlier_label="most_frequent"),
            *(
                maker(neural_network.MLPClassifier, name, activation=name, **SMALL_NET)
                for name in ACTIVATIONS
            ),
            maker(neural_network.MLPClassifier, "early", early_stopping=True, max_iter=50),
            maker(semi_supervised.LabelPropagation),
            maker(semi_supervised.LabelSpreading),
            maker(svm.LinearSVC),
            maker(svm.LinearSVC, "crammer singer", multi_class="crammer_singer"),
            maker(svm.SVC),
            maker(svm.SVC, "linear", kernel="linear", C=0.1, max_iter=10000),
            maker(svm.SVC, "poly", kernel="poly", gamma="scale"),
            maker(svm.SVC, "sigmoid", kernel="sigmoid"),
            maker(svm.SVC, "break ties", break_ties=True, gamma="auto"),
            maker(svm.SVC, "ovo", decision_function_shape="ovo"),
            maker(svm.SVC, "probability", probability=True),
            maker(svm.NuSVC, nu=0.1),
            maker(svm.NuSVC, "probability", nu=0.2, probability=True),
            maker(tree.DecisionTreeClassifier),
            maker(tree.ExtraTreeClassifier),
        ]
    )
