"""Files in which one number, size or class does not fit the rest.

Compiled code would read or write outside its arrays.
"""

from __future__ import annotations

import functools
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import _dist_metrics
from sklearn.metrics._dist_metrics import EuclideanDistance64, PyFuncDistance64
from sklearn.neighbors import _kd_tree
from sklearn.neighbors._kd_tree import KDTree64
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeRegressor
from sklearn.tree._tree import Tree
from sklearn.utils import Bunch

from onnxpress.estimators import stored
from tests.support.stored_cases import X, fitted


class Reduced:
    """Whatever a file says: a function, its arguments and a state."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __reduce__(self) -> Any:
        return self.parts


def damaged(name: str, change: Callable[[Any], Any]) -> str:
    """What is said of the case when it has been changed."""
    ((_, estimator, _),) = fitted(name)
    stored.loads(pickle.dumps(estimator))  # as it is, it is whole
    change(estimator)
    with pytest.raises(stored.Damaged) as error:
        stored.loads(pickle.dumps(estimator))
    return str(error.value)


def put(**values: Any) -> Callable[[Any], None]:
    """Set attributes."""
    return lambda estimator: vars(estimator).update(values)


# one tree


def forged(tree: Any, change: Callable[[Any, dict[str, Any]], Any]) -> Reduced:
    """The tree with something else in its nodes, state or arguments."""
    arguments, state = tree.__reduce__()[1:]
    state = {**state, "nodes": state["nodes"].copy()}
    return Reduced(Tree, change(state["nodes"], state) or arguments, state)


def at(field: str, place: int, value: Any) -> Callable[[Any, Any], None]:
    """Put a value into a node; -1 is the last, a leaf, and 0 the root."""

    def change(nodes: Any, _state: Any) -> None:
        nodes[field][place] = value

    return change


def state_of(**values: Any) -> Callable[[Any, Any], None]:
    """Put something else into the state."""
    return lambda _nodes, state: state.update(values)


TREES: list[tuple[str, Callable[[Any, Any], Any], str]] = [
    (
        "a child past the end",
        at("left_child", 0, 10**6),
        "child before its parent, or none of its nodes",
    ),
    ("a child before the first", at("left_child", 0, -5), "child before its parent"),
    ("a circle", at("right_child", 0, 0), "child before its parent"),
    ("two parents", at("right_child", 0, 1), "two parents"),
    ("a feature past the last", at("feature", 0, 4), "none of its 4"),
    ("a feature before the first", at("feature", 0, -3), "none of its 4"),
    ("a leaf with one child", at("right_child", -1, 1), "leaf"),
    ("a leaf with a feature", at("feature", -1, 0), "leaf"),
    ("a flag", at("missing_go_to_left", 0, 9), "neither left nor right"),
    ("fewer nodes than said", state_of(node_count=10**9), "node count"),
    ("a depth below zero", state_of(max_depth=-1), "depth"),
    ("too few values", state_of(values=np.zeros((1, 1, 3))), "a value for each node"),
    ("other values", state_of(values=np.zeros((1, 1, 3), np.float32)), "a value for each node"),
    ("no nodes", state_of(nodes=np.zeros(3)), "records of scikit-learn's own layout"),
    ("something more", state_of(more=1), "state should be"),
    (
        "another number of outputs",
        lambda *_: (4, np.array([3]), 2),
        "number of classes for each output",
    ),
    ("no outputs", lambda *_: (4, np.array([], np.intp), 0), "number of outputs"),
    ("no classes", lambda *_: (4, np.array([0]), 1), "positive"),
    ("classes by halves", lambda *_: (4, np.array([3.0]), 1), "number of classes for each output"),
    (
        "another number of features",
        lambda *_: (9, np.array([3]), 1),
        "n_features_in_ should be from 9 to 9, got 4",
    ),
]


@pytest.mark.parametrize(
    ("change", "message"), [tree[1:] for tree in TREES], ids=[tree[0] for tree in TREES]
)
def test_a_tree_is_one_tree_of_its_features(
    change: Callable[[Any, Any], Any], message: str
) -> None:
    def swap(estimator: Any) -> None:
        estimator.tree_ = forged(estimator.tree_, change)

    assert message in damaged("tree", swap)


def test_bytes_between_the_fields_of_a_node_are_not_kept() -> None:
    ((_, estimator, rows),) = fitted("tree")
    expected = estimator.predict_proba(rows)
    plain = stored.dump(stored.loads(pickle.dumps(estimator)))

    def scribble(nodes: Any, _state: Any) -> None:
        nodes.view(np.uint8).reshape(len(nodes), -1)[:, -7:] = 0xAB

    estimator.tree_ = forged(estimator.tree_, scribble)
    loaded = stored.loads(pickle.dumps(estimator))
    assert stored.dump(loaded) == plain
    assert np.array_equal(loaded.predict_proba(rows), expected)


# their owners


def other_tree(estimator: Any) -> None:
    """A tree of other columns among those of the ensemble."""
    estimator.estimators_[1, 0] = DecisionTreeRegressor(max_depth=2).fit(np.c_[X, X], X[:, 0])


def wide_tree(estimator: Any) -> None:
    """A tree of two outputs among those of the ensemble."""
    estimator.estimators_[1, 0] = DecisionTreeRegressor(max_depth=2).fit(X, X[:, :2])


def shifted(estimator: Any) -> None:
    """A node of a histogram tree that asks about the fifth of four columns."""
    estimator._predictors[1][0].nodes["feature_idx"][0] = 4


def looped(estimator: Any) -> None:
    """A node of a histogram tree that is its own child."""
    estimator._predictors[1][0].nodes["left"][0] = 0


def numbers_as_codes(estimator: Any) -> None:
    """A node that takes numbers for categories."""
    estimator._predictors[0][0].nodes["is_categorical"][0] = 1


def no_codes(estimator: Any) -> None:
    """Categories that the bins do not know."""
    estimator._bin_mapper.is_categorical_[:] = 0


def fewer_sets(estimator: Any) -> None:
    """Nodes of categories, and no sets of categories."""
    for row in estimator._predictors:
        for tree in row:
            tree.raw_left_cat_bitsets = np.zeros((0, 8), np.uint32)


def narrow_sets(estimator: Any) -> None:
    """Sets of 32 categories."""
    for row in estimator._predictors:
        for tree in row:
            tree.raw_left_cat_bitsets = np.zeros((9, 1), np.uint32)


def one_column_less(estimator: Any) -> None:
    """Columns that are prepared by something else."""
    estimator._preprocessor.transformers_[1][1].func = np.mean


def cut(*names: str) -> Callable[[Any], None]:
    """The last item of each of these arrays is missing."""

    def change(estimator: Any) -> None:
        for name in names:
            vars(estimator)[name] = np.ascontiguousarray(vars(estimator)[name][:-1])

    return change


def added(name: str, place: Any, amount: Any) -> Callable[[Any], None]:
    """A number in an array is another."""

    def change(estimator: Any) -> None:
        array = vars(estimator)[name].copy()
        array[place] += amount
        vars(estimator)[name] = array

    return change


def step(number: int, change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Change a step of a pipeline."""
    return lambda estimator: change(estimator[number])


def cut_sparse(name: str) -> Callable[[Any], None]:
    """A sparse matrix without its last row."""
    return lambda estimator: vars(estimator).update(
        {name: sparse.csr_matrix(vars(estimator)[name])[:-1]}
    )


def shorter_tree(estimator: Any) -> None:
    """A tree of neighbours of fewer points."""
    estimator._tree = KDTree64(np.ascontiguousarray(X[:30]))


def words(change: Callable[[dict[Any, Any]], Any]) -> Callable[[Any], Any]:
    """Change the vocabulary."""
    return lambda estimator: change(estimator.vocabulary_)


def asked_for_keys() -> Any:
    """No dict, but ``**`` takes it for one: its steps by their names are what it gives."""
    keywords = Pipeline([("out", np.zeros(3))])
    vars(keywords)["keys"] = functools.partial(np.ravel, a=["out"])
    return keywords


def complex_categories(encoder: Any) -> None:
    """Numbers that have no order: what is looked up by halves may be found behind the last."""
    encoder.categories_[-1] = encoder.categories_[-1][::-1].astype(complex)


def fewer_by_name(model: Any) -> None:
    """Of a DataFrame, the trees are given fewer columns than of an array."""
    for places in model._preprocessor._transformer_to_input_indices.values():
        places.clear()


TREE = DecisionTreeRegressor(max_depth=2).fit(X, X[:, 0])
BINS = HistGradientBoostingRegressor(max_iter=1).fit(X, X[:, 0])._bin_mapper


def within_itself() -> list[Any]:
    """A list that holds itself."""
    found: list[Any] = []
    found.append(found)
    return found


OWNERS: list[tuple[str, Callable[[Any], Any], str]] = [
    ("tree", put(n_features_in_=9), "n_features_in_"),
    ("tree", lambda estimator: vars(estimator).pop("n_features_in_"), "n_features_in_ is missing"),
    ("tree", put(tree_=None), "tree_ should be a Tree, got NoneType"),
    ("tree", put(n_classes_=np.int64(2)), "n_classes_"),
    ("forest", lambda forest: put(n_features_in_=9)(forest.estimators_[0]), "n_features_in_"),
    ("gradient", other_tree, "each of its trees"),
    ("gradient", wide_tree, "each of its trees"),
    ("gradient", lambda model: put(tree_=None)(model.estimators_[0, 0]), "tree_ should be a Tree"),
    (
        "gradient",
        lambda model: model.estimators_.__setitem__((0, 0), None),
        "should be a DecisionTreeRegressor",
    ),
    ("gradient", put(n_trees_per_iteration_=2), "estimators_ should have the shape"),
    ("gradient", put(n_features_in_=3), "each of its trees"),
    ("gradient of three", lambda model: put(class_prior_=np.ones(2))(model.init_), "class_prior_"),
    ("gradient of three", lambda model: put(strategy="uniform")(model.init_), "init_ should give"),
    ("gradient of three", put(init_=DummyRegressor()), "init_ should be a DummyClassifier"),
    ("gradient", lambda model: put(n_classes_=1)(model.init_), "n_classes_"),
    ("gradient of three", lambda model: put(link=Bunch(link=1))(model._loss), "with its link"),
    ("gradient of three", put(_loss=None), "one of scikit-learn's"),
    ("numbers from zero", put(init_=DummyClassifier()), "init_ should be a DummyRegressor"),
    ("gradient, huber", lambda model: put(n_outputs_=0)(model.init_), "n_outputs_"),
    ("gradient, huber", lambda model: put(constant_=np.zeros((0, 1)))(model.init_), "constant_"),
    ("histogram", shifted, "a column that is none of its 4"),
    ("histogram", looped, "child before its parent"),
    ("histogram", numbers_as_codes, "set of categories that it does not have"),
    ("histogram", put(_in_fit=True), "in the middle of a fit"),
    ("histogram", put(n_features_in_=9), "_n_features"),
    (
        "histogram",
        lambda model: model._predictors[0].append(model._predictors[0][0]),
        "lists of 1 trees",
    ),
    (
        "histogram",
        lambda model: model._predictors[0].__setitem__(0, None),
        "should be a TreePredictor",
    ),
    ("histogram", put(_bin_mapper=None), "_bin_mapper should be"),
    ("histogram of codes", no_codes, "categories of a column of numbers"),
    ("histogram of codes", fewer_sets, "set of categories that it does not have"),
    ("histogram of codes", narrow_sets, "sets of 256 bits"),
    (
        "histogram of codes",
        lambda model: model._bin_mapper.bin_thresholds_.pop(),
        "thresholds for each column",
    ),
    (
        "histogram of codes",
        lambda model: model._bin_mapper.bin_thresholds_[0].__setitem__(0, 999),
        "numbered from 0 to 255",
    ),
    ("histogram of codes", one_column_less, "pass numbers on"),
    (
        "histogram of codes",
        lambda model: model._preprocessor.transformers_.pop(1),
        "each column on once",
    ),
    (
        "histogram of codes",
        put(_preprocessor=FunctionTransformer()),
        "_preprocessor should be a ColumnTransformer",
    ),
    ("SVC", cut("_n_support"), "_n_support"),
    ("SVC", added("_n_support", 0, 1), "_n_support"),
    ("SVC", added("_n_support", slice(None), np.array([-99, 99])), "_n_support"),
    ("SVC", cut("support_"), "support"),
    ("SVC", cut("support_vectors_"), "support_vectors_"),
    ("SVC", put(support_vectors_=np.zeros((0, 0))), "support_vectors_"),
    ("SVC", put(_dual_coef_=np.zeros((1, 3))), "_dual_coef_"),
    ("SVC", cut("_intercept_"), "_intercept_"),
    ("SVC", cut("classes_"), "two classes"),
    ("SVC", put(n_features_in_=9), "shape_fit_"),
    ("SVC", put(kernel="precomputed"), "support_vectors_"),
    ("SVC", put(kernel=np.add), "kernel should be no function"),
    ("SVC", put(degree=-3), "degree"),
    ("SVC of pairs", cut("_probA"), "_probA"),
    ("SVC of pairs", put(_probB=np.zeros(0)), "_probB"),
    ("SVC of pairs", put(_n_support=np.array([1, 1], np.int32)), "_n_support"),
    ("SVR", added("_n_support", 0, 1), "_n_support"),
    ("one class", put(_intercept_=np.zeros(0)), "_intercept_"),
    ("precomputed SVC", added("support_", 0, 99), "support_ should be from 0 to 59"),
    ("precomputed SVC", put(shape_fit_=(600, 60)), "square"),
    ("sparse SVC", cut_sparse("support_vectors_"), "support_vectors_"),
    ("sparse SVC", cut_sparse("_dual_coef_"), "_dual_coef_"),
    ("sparse SVC", put(_sparse=False), "support_vectors_ should be an array"),
    ("SVC", put(_sparse=True), "support_vectors_ should be a sparse matrix"),
    ("neighbors", put(n_features_in_=9), "_fit_X"),
    ("neighbors", put(n_samples_fit_=999), "n_samples_fit_"),
    ("neighbors", shorter_tree, "same points"),
    ("neighbors", put(n_neighbors=61), "n_neighbors"),
    ("neighbors", put(n_neighbors=0), "n_neighbors"),
    ("neighbors", added("_y", 0, 9), "_y should be from 0 to 2"),
    ("neighbors", cut("classes_"), "_y should be from 0 to 1"),
    ("neighbors", cut("_y"), "a value for each point"),
    ("neighbors", put(effective_metric_="pyfunc"), "by name"),
    (
        "neighbors",
        put(effective_metric_params_={"Y_norm_squared": np.zeros(1)}),
        "effective_metric_params_",
    ),
    ("Mahalanobis", put(effective_metric_params_={"VI": np.eye(2)}), "VI of the shape (4, 4)"),
    ("standardised", put(metric_params={"V": np.ones(2)}), "V of the shape (4,)"),
    ("weighted", put(metric_params={"w": np.add}), "w of the shape"),
    ("radius", added("_y", 3, -4), "_y should be"),
    ("density", put(n_features_in_=2), "n_features_in_"),
    ("means", step(0, put(cluster_centers_=np.zeros((3, 2)))), "cluster_centers_"),
    ("k-means", put(_n_threads=10**9), "_n_threads"),
    ("k-means", put(_n_threads=0), "_n_threads"),
    ("bisections", lambda model: put(center=np.zeros(1))(model._bisecting_tree.left), "center"),
    ("bisections", lambda model: put(left=model._bisecting_tree)(model._bisecting_tree), "a tree"),
    ("Birch", cut("_subcluster_norms"), "_subcluster_norms"),
    ("binary categories", step(0, put(_n_features_outs=[1, 1, 1, 0])), "_n_features_outs"),
    ("few categories", step(0, lambda one: one.categories_.pop()), "n_features_in_"),
    (
        "few categories",
        step(0, lambda one: one._default_to_infrequent_mappings[0].__setitem__(0, 99)),
        "mappings",
    ),
    (
        "few categories",
        step(0, lambda one: one._infrequent_indices[0].__setitem__(0, 99)),
        "_infrequent_indices",
    ),
    (
        "rare categories",
        step(0, put(_drop_idx_after_grouping=np.array([9] * 4, object))),
        "_drop_idx_after_grouping",
    ),
    (
        "few categories",
        step(0, lambda one: one.categories_.__setitem__(0, one.categories_[0][::-1])),
        "ascending order",
    ),
    ("labels", put(_cached_dict={"a": 10**6}), "_cached_dict"),
    (
        "one against the rest",
        lambda model: put(y_type_="multilabel-indicator")(model.label_binarizer_),
        "several labels",
    ),
    (
        "one against the rest",
        put(label_binarizer_=None),
        "label_binarizer_ should be a LabelBinarizer",
    ),
    ("letters", step(0, words(lambda found: found.update(a=10**6))), "vocabulary_"),
    ("letters", step(0, words(lambda found: found.update(a=-1))), "vocabulary_"),
    ("letters", step(0, words(lambda found: found.update(a=0, b=0))), "vocabulary_"),
    ("listed words", step(0, words(lambda found: found.update(dog="1"))), "vocabulary_"),
    ("records", step(0, words(lambda found: found.update(more=7))), "vocabulary_"),
    ("hashed words", step(0, put(n_features=0)), "n_features"),
    ("hashed records", step(0, put(n_features=-1)), "n_features"),
    ("envelope", put(precision_=np.eye(2)), "precision_"),
    ("envelope", put(location_=np.zeros(2)), "location_"),
    ("polynomial", step(0, put(interaction_only=2)), "interaction_only"),
    ("forest", put(n_jobs=10**6), "n_jobs"),
    ("a function", step(0, put(kw_args={"out": np.zeros(3)})), "an array to write into"),
    ("a function", step(0, put(inv_kw_args={"out": (np.zeros(3),)})), "an array to write into"),
    ("a function", step(0, put(kw_args=asked_for_keys())), "kw_args should be a dict"),
    (
        "a function",
        step(0, put(kw_args={"initial": np.zeros((3, 1)), "where": False})),
        "kw_args should hold plain values",
    ),
    ("a function", step(0, put(inv_kw_args=OrderedDict())), "inv_kw_args should be a dict"),
    ("stacking", put(stack_method_=["tofile", "tofile"]), "stack_method_"),
    ("stack", put(stack_method_=None), "stack_method_"),
    ("chain", put(chain_method_="__setstate__"), "chain_method_"),
    ("elimination", put(importance_getter="estimator.__dict__"), "importance_getter"),
    ("stacking", put(estimators=[("__array_interface__", {})]), "names without __"),
    ("a function", put(steps=[("ndim", 1), ("__array_interface__", {})]), "names without __"),
    ("a function", put(steps={"ab": 1}), "steps should be a list"),
    ("landmarks", put(kernel_params=asked_for_keys(), tree_=None), "kernel_params"),
    ("landmarks", put(kernel=np.square), "kernel should be no function of numpy"),
    ("neighbors' values", step(0, put(metric=np.square)), "metric should be no function of numpy"),
    ("binary categories", step(0, complex_categories), "categories_ should be numbers or text"),
    ("letters", step(0, put(input="filename")), "input should be 'content'"),
    ("hashed words", step(0, put(input="file")), "input should be 'content'"),
    ("histogram of categories", fewer_by_name, "the columns of each step"),
    (
        "histogram of categories",
        lambda model: cut("feature_names_in_")(model._preprocessor),
        "feature_names_in_",
    ),
    (
        "histogram of categories",
        lambda model: model._preprocessor.feature_names_in_.fill("a"),
        "different names",
    ),
    (
        "voting",
        put(estimators_=[TREE.tree_]),
        "estimators_ should hold no part of sklearn.tree._tree",
    ),
    (
        "grid of numbers",
        put(best_estimator_=TREE.tree_),
        "best_estimator_ should hold no part of sklearn.tree._tree",
    ),
    (
        "stack",
        put(estimators_=[("a", [BINS])]),
        "no part of sklearn.ensemble._hist_gradient_boosting.binning",
    ),
    (
        "a function",
        put(steps=[("a", BINS)]),
        "no part of sklearn.ensemble._hist_gradient_boosting.binning",
    ),
    ("voting", put(le_=KDTree64(X[:9])), "no part of sklearn.neighbors._kd_tree"),
    ("voting", put(within_itself=within_itself()), "contains itself"),
    (
        "grid of numbers",
        put(best_estimator_=Bunch(predict=np.exp)),
        "a Bunch with something that can be called",
    ),
    ("a function", step(0, put(predict=np.exp)), "predict must not be callable"),
    (
        "scalers",
        step(0, put(decision_function=np.float32)),
        "decision_function must not be callable",
    ),
]


@pytest.mark.parametrize(
    ("name", "change", "message"), OWNERS, ids=[f"{name}: {message}" for name, _, message in OWNERS]
)
def test_the_parts_of_an_estimator_fit_together(
    name: str, change: Callable[[Any], Any], message: str
) -> None:
    assert message in damaged(name, change)


# trees of neighbours and their metrics


def test_a_tree_of_neighbours_is_built_anew_from_its_points() -> None:
    """The indices in the file are not used, so they may be anything."""
    tree = KDTree64(X, leaf_size=5)
    parts = list(tree.__getstate__())
    parts[1] = np.full(len(X), 10**12)
    parts[2] = np.frombuffer(bytes([255]) * parts[2].nbytes, parts[2].dtype)
    loaded = stored.loads(pickle.dumps(Reduced(_kd_tree.newObj, (KDTree64,), tuple(parts))))
    assert all(
        np.array_equal(*pair) for pair in zip(loaded.query(X, 3), tree.query(X, 3), strict=True)
    )


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, X.astype(np.float32)),
        (0, X[0]),
        (0, X[:0]),
        (4, 0),
        (4, -1),
        (4, 2.5),
        (7, 2**40),
        (11, None),
        (11, "euclidean"),
        (12, np.ones(3)),
        (12, np.ones(60, np.float32)),
    ],
)
def test_a_tree_of_neighbours_has_parts_that_fit(place: int, value: Any) -> None:
    parts = list(KDTree64(X).__getstate__())
    parts[place] = value
    with pytest.raises(stored.Damaged):
        stored.loads(pickle.dumps(Reduced(_kd_tree.newObj, (KDTree64,), tuple(parts))))


def test_a_metric_that_calls_a_function_is_refused() -> None:
    with pytest.raises(stored.Refused, match="PyFuncDistance64"):
        stored.loads(pickle.dumps(PyFuncDistance64(np.dot)))


@pytest.mark.parametrize(
    "state",
    [
        (2.0, np.zeros(1)),
        ("2", np.zeros(1), np.zeros((1, 1))),
        (2.0, np.zeros(1), np.zeros(1)),
        (2.0, None, None),
    ],
)
def test_a_metric_has_a_power_a_vector_and_a_matrix(state: Any) -> None:
    with pytest.raises(stored.Damaged, match="metric"):
        stored.loads(pickle.dumps(Reduced(_dist_metrics.newObj, (EuclideanDistance64,), state)))
