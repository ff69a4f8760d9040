"""Faithful forests: the answers they keep, what they save, and how they are made."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from sklearn.datasets import make_classification, make_friedman1
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import onnxpress
from onnxpress.graph.canonical import to_bytes
from onnxpress.graph.trees.forest import Forest, leaf_index
from onnxpress.quantize.candidates import NotApplicable, Share
from onnxpress.quantize.forest.faithful.fitting import fitted
from onnxpress.quantize.forest.faithful.ladder import faithful
from onnxpress.quantize.forest.faithful.originals import (
    Originals,
    margins,
    originals,
    own_leaves,
    reached_leaves,
    summed,
)
from onnxpress.quantize.forest.faithful.pruning import prune
from onnxpress.quantize.forest.levels import forest_candidates
from onnxpress.quantize.forest.lossless.passes import preorder
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from onnxpress.quantize.options import Options
from onnxpress.quantize.task import Task
from onnxpress.tables.rows import Rows
from tests.support.forest_models import outputs
from tests.support.forest_probes import converted, small_forest

ROOT = Path(__file__).resolve().parents[3]
Floats = NDArray[np.float32]


def noisy(classes: int, rows: int = 5000) -> tuple[Floats, NDArray[np.int64]]:
    x, y = make_classification(
        rows,
        10,
        n_informative=5,
        n_classes=classes,
        n_clusters_per_class=1,
        flip_y=0.05,
        class_sep=1.2,
        random_state=3,
    )
    return x.astype(np.float32), y


@pytest.fixture(scope="module")
def forest() -> tuple[Any, onnx.ModelProto, Rows, Floats]:
    """A forest of 60 trees, its ONNX model, its 2,000 training rows, and 3,000 new rows."""
    x, y = noisy(2)
    estimator = RandomForestClassifier(60, random_state=0).fit(x[:2000], y[:2000])
    return estimator, converted(estimator, x), Rows({"X": x[:2000]}, y[:2000]), x[2000:]


def disagreement(estimator: Any, model: onnx.ModelProto, x: Floats) -> float:
    return float(np.mean(outputs(model, x)[0] != estimator.predict(x)))


def packed(model: onnx.ModelProto) -> int:
    return len(to_bytes(model, packed=True))


def made(model: onnx.ModelProto, rows: Rows, of: int, ml_opset: int = 5) -> onnx.ModelProto:
    return faithful(model, rows, share=Share(of), ml_opset=ml_opset, seed=0)


def test_twenty_times_smaller_it_keeps_99_of_100_answers_on_new_rows(
    forest: tuple[Any, onnx.ModelProto, Rows, Floats],
) -> None:
    estimator, model, train, new = forest
    small = made(model, train, 8)
    assert 20 * packed(small) < len(model.SerializeToString())
    assert disagreement(estimator, small, new) < 0.01


def test_it_keeps_more_answers_than_a_forest_of_as_few_splits_trained_anew(
    forest: tuple[Any, onnx.ModelProto, Rows, Floats],
) -> None:
    estimator, model, train, new = forest
    splits = sum(tree.tree_.n_leaves - 1 for tree in estimator.estimators_) // 16
    fewer = RandomForestClassifier(30, max_leaf_nodes=splits // 30 + 1, random_state=0)
    fewer.fit(train.feeds["X"], train.target)
    anew = float(np.mean(fewer.predict(new) != estimator.predict(new)))
    assert disagreement(estimator, made(model, train, 16), new) < anew / 2


def test_more_splits_keep_more_answers(forest: tuple[Any, onnx.ModelProto, Rows, Floats]) -> None:
    estimator, model, train, new = forest
    shares = (64, 16, 2)
    lost = [disagreement(estimator, made(model, train, of), new) for of in shares]
    assert lost == sorted(lost, reverse=True)
    assert lost[-1] < 0.005


@pytest.mark.parametrize("ml_opset", [3, 5])
@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("kind", [RandomForestClassifier, ExtraTreesClassifier])
def test_probabilities_are_shares_of_one_and_the_label_is_the_greatest(
    kind: Any, classes: int, ml_opset: int
) -> None:
    x, y = noisy(classes, 1500)
    names = np.array([f"class {i}" for i in range(classes)])
    model = converted(kind(20, random_state=0).fit(x[:1000], names[y[:1000]]), x)
    small = made(model, Rows({"X": x[:1000]}, names[y[:1000]]), 8, ml_opset)
    assert [(v.name, v.type) for v in small.graph.output] == [
        (v.name, v.type) for v in model.graph.output
    ]
    labels, probabilities = outputs(small, x)
    assert probabilities.min() >= 0
    assert probabilities.max() <= 1
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(labels, names[probabilities.argmax(axis=1)])
    assert packed(small) < packed(rewrite_trees(model, ml_opset=ml_opset))


@pytest.mark.parametrize("opset", [9, 13, 18])
def test_it_is_written_for_every_opset(
    opset: int, forest: tuple[Any, onnx.ModelProto, Rows, Floats]
) -> None:
    estimator, _, train, new = forest
    small = made(converted(estimator, new, opset=opset), train, 16)
    onnx.checker.check_model(small, full_check=True)
    assert disagreement(estimator, small, new) < 0.02


@pytest.mark.parametrize("ml_opset", [3, 5])
@pytest.mark.parametrize("labels", [[1, 2], [False, True], [-3, 7, 20]], ids=str)
@pytest.mark.parametrize("kind", ["forest", "boosting", "histogram", "scaled"])
def test_labels_of_every_kind_and_boosting_keep_their_answers(
    kind: str, labels: list[Any], ml_opset: int
) -> None:
    x, y = noisy(len(labels), 2000)
    estimator = {
        "forest": RandomForestClassifier(30, random_state=0),
        "boosting": GradientBoostingClassifier(n_estimators=40, max_depth=4, random_state=0),
        "histogram": HistGradientBoostingClassifier(max_iter=40, random_state=0),
        "scaled": make_pipeline(StandardScaler(), ExtraTreesClassifier(30, random_state=0)),
    }[kind]
    target = np.array(labels)[y]
    estimator.fit(x[:1500], target[:1500])
    small = made(converted(estimator, x), Rows({"X": x[:1500]}, target[:1500]), 2, ml_opset)
    found = outputs(small, x[1500:])
    assert np.mean(found[0] == estimator.predict(x[1500:])) > 0.95
    assert np.abs(found[1] - estimator.predict_proba(x[1500:])).mean() < 0.05


def test_a_rare_class_keeps_its_answers() -> None:
    x, y = make_classification(6000, 10, n_informative=5, weights=[0.97], random_state=1)
    x = x.astype(np.float32)
    estimator = RandomForestClassifier(50, random_state=0).fit(x[:3000], y[:3000])
    small = made(converted(estimator, x), Rows({"X": x[:3000]}, y[:3000]), 4)
    before, after = estimator.predict(x[3000:]) == 1, outputs(small, x[3000:])[0] == 1
    assert np.mean(before != after) < 0.01
    assert (before & after).sum() > 0.8 * before.sum()


def test_missing_values_go_where_they_went() -> None:
    x, y = noisy(2, 3000)
    x[np.random.default_rng(0).random(x.shape) < 0.1] = np.nan
    estimator = HistGradientBoostingClassifier(random_state=0).fit(x[:2000], y[:2000])
    small = made(converted(estimator, x), Rows({"X": x[:2000]}, y[:2000]), 2)
    assert disagreement(estimator, small, x[2000:]) < 0.02


@pytest.mark.parametrize("ml_opset", [3, 5])
def test_a_regression_stays_near_and_positive(ml_opset: int) -> None:
    x, y = make_friedman1(2500, random_state=0)
    x, y = x.astype(np.float32), np.exp(y / 5)
    estimator = RandomForestRegressor(40, random_state=0).fit(x[:1500], y[:1500])
    small = made(converted(estimator, x), Rows({"X": x[:1500]}, y[:1500]), 4, ml_opset)
    before, after = estimator.predict(x[1500:]), outputs(small, x[1500:])[0].ravel()
    assert np.square(before - after).mean() < 0.005 * before.var()
    assert after.min() > 0


def test_a_boosted_regression_and_several_targets_stay_near() -> None:
    x, y = make_friedman1(2500, random_state=0)
    x = x.astype(np.float32)
    pairs = np.stack([y, -y], axis=1)
    for estimator, target in [
        (HistGradientBoostingRegressor(random_state=0), y),
        (RandomForestRegressor(40, random_state=0), pairs),
    ]:
        estimator.fit(x[:1500], target[:1500])
        small = made(converted(estimator, x), Rows({"X": x[:1500]}, y[:1500]), 2)
        before = estimator.predict(x[1500:])
        after = outputs(small, x[1500:])[0].reshape(before.shape)
        assert np.square(before - after).mean() < 0.01 * before.var()


@pytest.mark.parametrize("kind", ["forest", "boosting"])
def test_a_threshold_of_its_own_keeps_its_labels_and_probabilities(kind: str) -> None:
    inside = {
        "forest": RandomForestClassifier(40, min_samples_leaf=3, random_state=0),
        "boosting": HistGradientBoostingClassifier(max_iter=40, random_state=0),
    }[kind]
    x, y = make_classification(4000, 10, n_informative=6, weights=[0.9], random_state=2)
    x, threshold = x.astype(np.float32), 0.2
    estimator = FixedThresholdClassifier(inside, threshold=threshold).fit(x[:1500], y[:1500])
    small = made(onnxpress.convert(estimator, x), Rows({"X": x[:1500]}, y[:1500]), 8)
    label, probabilities = outputs(small, x[1500:])
    sure = np.abs(probabilities[:, 1] - threshold) > 1e-5
    assert label[sure].tolist() == (probabilities[sure, 1] > threshold).astype(int).tolist()
    assert probabilities.min() >= 0
    assert probabilities.max() <= 1
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert np.mean(label != estimator.predict(x[1500:])) < 0.05


def task_of(estimator: Any, x: Floats, y: NDArray[Any]) -> Task:
    return Task(converted(estimator.fit(x, y), x), Rows({"X": x}, y), 0)


@pytest.fixture(scope="module")
def tiny() -> Originals:
    x, y = noisy(3, 120)
    return originals(task_of(RandomForestClassifier(4, random_state=0), x, y))


def test_rows_reach_the_leaves_that_scikit_learn_says() -> None:
    x, y = noisy(3, 300)
    estimator = RandomForestClassifier(5, random_state=0)
    read = originals(task_of(estimator, x, y)).forest
    found, said = reached_leaves(read, x), estimator.apply(x)
    for ours, theirs in zip(found.T, said.T, strict=True):
        pairs = set(zip(ours.tolist(), theirs.tolist(), strict=True))
        assert len(pairs) == len(np.unique(ours)) == len(np.unique(theirs))
    np.testing.assert_allclose(
        summed(read.leaf_values.astype(float), found), estimator.predict_proba(x), atol=1e-6
    )


def test_a_leaf_that_branches_share_becomes_one_for_each() -> None:
    shared = preorder(small_forest([(~0, 1), (~1, ~0)], roots=[0, ~1], leaves=[5.0, 7.0]))
    x = np.array([[0.0], [0.5], [1.5]], np.float32)
    apart = own_leaves(shared)
    assert apart.n_leaves == 4
    ends = [c[c < 0] for c in (apart.true_child, apart.false_child, apart.roots)]
    assert sorted(~np.concatenate(ends)) == [0, 1, 2, 3]
    values = apart.leaf_values[leaf_index(apart, x)][:, :, 0]
    np.testing.assert_array_equal(values, [[5, 7], [7, 7], [5, 7]])


def children(forest: Forest, split: int) -> tuple[int, int]:
    return int(forest.true_child[split]), int(forest.false_child[split])


def leaves_below(forest: Forest, node: int) -> list[int]:
    if node < 0:
        return [~node]
    return [leaf for child in children(forest, node) for leaf in leaves_below(forest, child)]


def spread(before: Originals, node: int) -> float:
    """The weighted squared distances of the leaf values below ``node`` from their mean."""
    leaves = leaves_below(before.forest, node)
    hits = [before.weight[(before.leaves == leaf).any(axis=1)].sum() for leaf in leaves]
    weight = np.array(hits) + 1e-3
    values = before.forest.leaf_values[leaves].astype(float)
    mean = weight @ values / weight.sum()
    return float(weight @ ((values - mean) ** 2).sum(axis=1))


def test_the_splits_that_tell_most_apart_stay_by_brute_force(tiny: Originals) -> None:
    forest = tiny.forest

    def gain(split: int) -> float:
        return spread(tiny, split) - sum(spread(tiny, child) for child in children(forest, split))

    def worth(split: int) -> float:
        below = [worth(child) for child in children(forest, split) if child >= 0]
        return max([gain(split), *below])

    every = sorted((worth(split) for split in range(forest.n_splits)), reverse=True)
    pruned = prune(tiny, 9, forest.n_trees)
    assert pruned.forest.n_splits == 9
    kept = {(f, t) for f, t in zip(pruned.forest.feature, pruned.forest.threshold, strict=True)}
    for split in range(forest.n_splits):
        if worth(split) > every[9] * (1 + 1e-6):
            assert (forest.feature[split], forest.threshold[split]) in kept


@pytest.mark.parametrize(("splits", "trees"), [(5, 4), (12, 2), (10_000, 4)])
def test_the_leaves_of_a_pruned_forest_are_the_parts_of_the_old_ones(
    splits: int, trees: int, tiny: Originals
) -> None:
    pruned = prune(tiny, splits, trees)
    assert len(pruned.trees) <= trees
    x, _ = noisy(3, 500)
    blank = pruned.forest.with_leaf_values(pruned.start.astype(np.float32))
    old = leaf_index(tiny.forest, x)[:, pruned.trees]
    np.testing.assert_array_equal(leaf_index(blank, x), pruned.leaf[old])


def test_a_new_leaf_starts_at_the_mean_of_the_old_ones(tiny: Originals) -> None:
    pruned = prune(tiny, 6, 4)
    for leaf in range(len(pruned.start)):
        parts = np.flatnonzero(pruned.leaf == leaf)
        hits = [tiny.weight[(tiny.leaves == part).any(axis=1)].sum() + 1e-3 for part in parts]
        mean = np.average(tiny.forest.leaf_values[parts], axis=0, weights=hits)
        np.testing.assert_allclose(pruned.start[leaf], mean, atol=1e-6)


def test_values_are_those_of_the_normal_equations(tiny: Originals) -> None:
    """The ridge regression solved as a dense system, by numpy."""
    pruned = prune(tiny, 9, tiny.forest.n_trees)
    leaves = pruned.leaf[tiny.leaves[:, pruned.trees]]
    reached = np.zeros((len(leaves), len(pruned.start)))
    for column in leaves.T:
        reached[np.arange(len(leaves)), column] += 1
    w, wanted = tiny.weight[:, None], tiny.scores
    found = reached @ pruned.start
    mean, center = ((w * part).sum(axis=0) / w.sum() for part in (found, wanted))
    factor = (w * (found - mean) * (wanted - center)).sum() / (w * (found - mean) ** 2).sum()
    start = factor * pruned.start + (center - factor * mean) / leaves.shape[1]
    ridge = len(leaves) / 200 * np.eye(reached.shape[1])
    rest = reached.T @ (w * (wanted - reached @ start))
    expected = start + np.linalg.solve(reached.T @ (w * reached) + ridge, rest)
    np.testing.assert_allclose(fitted(tiny, pruned), expected, atol=1e-3 * abs(expected).max())


def test_with_every_split_kept_the_original_comes_out(tiny: Originals) -> None:
    forest = tiny.forest
    pruned = prune(tiny, forest.n_splits, forest.n_trees)
    values = fitted(tiny, pruned)
    np.testing.assert_allclose(values[pruned.leaf], forest.leaf_values, atol=1e-6)


def test_margins_are_distances_to_another_class() -> None:
    plain = small_forest([(~0, ~1)], roots=[0], leaves=[0.0, 1.0])
    assert margins(plain, np.zeros((2, 1))).tolist() == [1, 1]  # a regression has none
    shares = replace(plain, labels=("no", "yes"), binary="probability")
    np.testing.assert_allclose(margins(shares, np.array([[0.5], [0.9]])), [0, 0.4])
    sums = replace(shares, binary="margin", base_values=np.array([0.5], np.float32))
    np.testing.assert_allclose(margins(sums, np.array([[0.5], [-0.5]])), [1, 0])
    three = replace(plain, labels=("a", "b", "c"), n_targets=3)
    np.testing.assert_allclose(margins(three, np.array([[0.1, 0.7, 0.2]])), [0.5])


def test_no_row_passes_more_splits_than_before(
    forest: tuple[Any, onnx.ModelProto, Rows, Floats],
) -> None:
    """So that the same operator is no slower: every path is the beginning of an old one."""
    _, model, train, _ = forest
    before = originals(Task(model, train, 0))
    pruned = prune(before, before.forest.n_splits // 2, before.forest.n_trees)
    assert pruned.forest.n_trees <= before.forest.n_trees

    def depth(part: Forest, node: int) -> int:
        return 0 if node < 0 else 1 + max(depth(part, child) for child in children(part, node))

    for tree, root in zip(pruned.trees, pruned.forest.roots, strict=True):
        assert depth(pruned.forest, int(root)) <= depth(
            before.forest, int(before.forest.roots[tree])
        )


def test_a_model_of_version_five_is_pruned_as_well(
    forest: tuple[Any, onnx.ModelProto, Rows, Floats],
) -> None:
    estimator, model, train, new = forest
    small = made(rewrite_trees(model, ml_opset=5), train, 8)
    assert disagreement(estimator, small, new) < 0.015


def test_several_ensembles_and_stumps_are_not_applicable() -> None:
    x, y = noisy(2, 400)
    pair = [(str(i), RandomForestClassifier(5, random_state=i)) for i in range(2)]
    votes = VotingClassifier(pair, voting="soft", flatten_transform=False).fit(x, y)
    with pytest.raises(NotApplicable, match="one tree ensemble"):
        made(converted(votes, x), Rows({"X": x}, y), 8)
    stump = RandomForestClassifier(3, max_depth=1, random_state=0).fit(x, y)
    with pytest.raises(NotApplicable, match="fewer than 8"):
        made(converted(stump, x), Rows({"X": x}, y), 64)


def test_the_level_lists_lossless_and_faithful_only(
    forest: tuple[Any, onnx.ModelProto, Rows, Floats],
) -> None:
    model = forest[1]
    names = [item.name for item in forest_candidates(model, Options(level="faithful"))]
    assert names == [
        "forest/lossless",
        *(f"forest/faithful-1of{n}" for n in (64, 32, 16, 8, 6, 4, 3, 2)),
    ]
    automatic = forest_candidates(model, Options())
    faithful_ones = [item for item in automatic if item.form == "faithful"]
    assert {item.unless for item in faithful_ones} == {("forest", "refined")}
    assert automatic[-len(faithful_ones) :] == faithful_ones


CHILD = """
import sys
import numpy as np
import onnx
from onnxpress.graph.canonical import to_bytes
from onnxpress.quantize.candidates import Share
from onnxpress.quantize.forest.faithful.ladder import faithful
from onnxpress.tables.rows import Rows
rows = np.load(sys.argv[2])
model = onnx.load(sys.argv[1])
small = faithful(model, Rows({"X": rows["x"]}, rows["y"]), share=Share(8), ml_opset=5, seed=0)
sys.stdout.buffer.write(to_bytes(small, packed=True))
"""


def test_every_process_and_number_of_threads_writes_the_same_bytes(
    forest: tuple[Any, onnx.ModelProto, Rows, Floats], tmp_path: Path
) -> None:
    _, model, train, _ = forest
    onnx.save(model, tmp_path / "model.onnx")
    np.savez(tmp_path / "rows.npz", x=train.feeds["X"], y=train.target)
    written = {to_bytes(made(model, train, 8), packed=True)}
    for seed, threads in (("1", "1"), ("2", "4")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads}
        environment["OPENBLAS_NUM_THREADS"] = threads
        command = [sys.executable, "-c", CHILD, "model.onnx", "rows.npz"]
        environment["PYTHONPATH"] = str(ROOT)
        written.add(subprocess.check_output(command, cwd=tmp_path, env=environment))
    assert len(written) == 1


@pytest.mark.parametrize("share", [8, 4, 2])
def test_probabilities_of_a_rare_class_are_between_zero_and_one(share: int) -> None:
    x, y = make_classification(3000, 12, weights=[0.95], random_state=0)
    x = x.astype(np.float32)
    forest = RandomForestClassifier(10, random_state=0).fit(x[:2000], y[:2000])
    model = onnxpress.convert(forest, x[:2000])
    made = faithful(model, Rows({"X": x[:2000]}, y[:2000]), share=Share(share), ml_opset=5, seed=0)
    _, probabilities = outputs(made, x)
    assert probabilities.min() >= 0
    assert probabilities.max() <= 1
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)
