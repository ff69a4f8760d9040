"""Classifiers: two and three classes, labels of both kinds, alone and behind other steps, on columns of many scales."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from bench.scores.case import Case

COUNTED = {"BernoulliNB", "CategoricalNB", "ComplementNB", "MultinomialNB"}
"""They take counts, and are not put behind a scaler."""
CHEAP_TREES: dict[str, Any] = {"n_estimators": 8, "random_state": 0}


def cases() -> Iterator[Case]:
    """Every classifier on every kind of data that suits it."""
    for name, make in makers().items():
        if name.split("(")[0] in COUNTED:
            for data in ("two ints counts", "two strings counts", "three ints counts", "three strings counts"):
                yield Case(name, make, data)
            continue
        for data in ("two ints", "three strings", "two strings bad", "three ints bad"):
            yield Case(name, make, data)
        yield Case(name, make, "two odd ints", "scaled")
        yield Case(name, make, "three strings bad", "scaled")
        yield Case(name, make, "two strings missing", "imputed")


def makers() -> dict[str, Callable[[], Any]]:
    """Unfitted estimators by the name they are shown under."""
    from sklearn import discriminant_analysis, dummy, ensemble, gaussian_process, linear_model
    from sklearn import naive_bayes, neighbors, neural_network, semi_supervised, svm, tree

    seeded = {"random_state": 0}
    found: dict[str, Callable[[], Any]] = {}

    def add(model: Any, note: str = "", **arguments: Any) -> None:
        if "random_state" in model._get_param_names():
            arguments = seeded | arguments
        found[model.__name__ + (f"({note})" if note else "")] = partial(model, **arguments)

    add(discriminant_analysis.LinearDiscriminantAnalysis)
    add(discriminant_analysis.LinearDiscriminantAnalysis, "lsqr", solver="lsqr", shrinkage="auto")
    add(discriminant_analysis.LinearDiscriminantAnalysis, "eigen", solver="eigen")
    add(discriminant_analysis.QuadraticDiscriminantAnalysis)
    add(discriminant_analysis.QuadraticDiscriminantAnalysis, "reg_param", reg_param=0.3)
    add(dummy.DummyClassifier)
    add(ensemble.ExtraTreesClassifier, **CHEAP_TREES)
    add(ensemble.RandomForestClassifier, **CHEAP_TREES)
    add(ensemble.GradientBoostingClassifier, **CHEAP_TREES)
    add(ensemble.GradientBoostingClassifier, "exponential", loss="exponential", **CHEAP_TREES)
    add(ensemble.GradientBoostingClassifier, "init zero", init="zero", **CHEAP_TREES)
    add(ensemble.HistGradientBoostingClassifier, max_iter=8)
    add(gaussian_process.GaussianProcessClassifier)
    for model in (linear_model.LogisticRegression, linear_model.LogisticRegressionCV):
        add(model, max_iter=2000)
    add(linear_model.LogisticRegression, "liblinear", solver="liblinear")
    add(linear_model.LogisticRegression, "no intercept", fit_intercept=False, C=100.0)
    add(linear_model.LogisticRegression, "balanced", class_weight="balanced", solver="newton-cg")
    add(linear_model.PassiveAggressiveClassifier)
    add(linear_model.Perceptron)
    for loss in ("hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron"):
        add(linear_model.SGDClassifier, loss, loss=loss)
    add(linear_model.RidgeClassifier)
    add(linear_model.RidgeClassifierCV)
    add(naive_bayes.BernoulliNB, binarize=2.0)
    add(naive_bayes.BernoulliNB, "no prior", binarize=1.0, fit_prior=False)
    add(naive_bayes.CategoricalNB, min_categories=8)
    add(naive_bayes.CategoricalNB, "alpha", min_categories=9, alpha=0.1, fit_prior=False)
    add(naive_bayes.ComplementNB)
    add(naive_bayes.ComplementNB, "norm", norm=True)
    add(naive_bayes.MultinomialNB)
    add(naive_bayes.MultinomialNB, "no prior", fit_prior=False, alpha=0.5)
    add(naive_bayes.GaussianNB)
    add(naive_bayes.GaussianNB, "smoothing", var_smoothing=0.1)
    add(neighbors.KNeighborsClassifier)
    add(neighbors.KNeighborsClassifier, "distance", weights="distance")
    add(neighbors.KNeighborsClassifier, "manhattan", metric="manhattan", n_neighbors=4)
    add(neighbors.KNeighborsClassifier, "minkowski 3", p=3)
    add(neighbors.KNeighborsClassifier, "cosine", metric="cosine")
    add(neighbors.NearestCentroid)
    add(neighbors.RadiusNeighborsClassifier, radius=2.5, outlier_label="most_frequent")
    for activation in ("relu", "logistic", "identity", "tanh"):
        add(neural_network.MLPClassifier, activation, activation=activation, hidden_layer_sizes=(8,), max_iter=100)
    add(neural_network.MLPClassifier, "early", early_stopping=True, max_iter=50)
    add(semi_supervised.LabelPropagation)
    add(semi_supervised.LabelSpreading)
    add(svm.LinearSVC)
    add(svm.LinearSVC, "crammer singer", multi_class="crammer_singer")
    add(svm.SVC)
    add(svm.SVC, "linear", kernel="linear", C=0.1, max_iter=10000)
    add(svm.SVC, "poly", kernel="poly", gamma="scale")
    add(svm.SVC, "sigmoid", kernel="sigmoid")
    add(svm.SVC, "break ties", break_ties=True, gamma="auto")
    add(svm.SVC, "ovo", decision_function_shape="ovo")
    add(svm.SVC, "probability", probability=True)
    add(svm.NuSVC, nu=0.1)
    add(svm.NuSVC, "probability", nu=0.2, probability=True)
    add(tree.DecisionTreeClassifier)
    add(tree.ExtraTreeClassifier)
    return found
