"""Lossless, for random ensembles of every rule that the tree operators have.

Every split mode, sets with numbers between their members, thresholds of any size and infinite
ones, NaN on either side, trees of one leaf, shared leaves, every post-transform, aggregate and
base value, float64. The right values come from plain Python, the reference evaluator, and
onnxruntime on the original.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.support.ensemble_checks import (
    check_meaning,
    check_reading,
    check_reference,
    check_writing,
    written,
)
from tests.support.forest_probes import outputs, reference_outputs
from tests.support.random_ensembles import Spec, made, model, reached, rows, specs

FEW = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@settings(FEW, max_examples=250)
@given(spec=specs())
def test_a_random_ensemble_is_read_and_reduced_to_what_plain_python_reads(spec: Spec) -> None:
    check_reading(spec)


@settings(FEW, max_examples=100)
@given(spec=specs())
def test_a_random_ensemble_is_written_with_the_same_answers(spec: Spec) -> None:
    check_writing(spec)


@settings(FEW)
@given(spec=specs())
def test_onnxruntime_computes_a_random_ensemble_as_specified(spec: Spec) -> None:
    check_meaning(spec)


@settings(FEW)
@given(spec=specs())
def test_the_reference_evaluator_computes_what_is_written(spec: Spec) -> None:
    check_reference(spec)


MEMBERS = Spec("TreeEnsemble", trees=3, depth=3, modes=("MEMBER",), thresholds=(3.0, 7.0, 40.0))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("double", [False, True], ids=["float", "double"])
def test_sets_hold_their_members_and_keep_onnxruntimes_answers_between_them(
    seed: int, *, double: bool
) -> None:
    """onnxruntime 1.23 to 1.31 find 40.5 in {40}; lossless models keep that."""
    spec = replace(MEMBERS, seed=seed, double=double)
    ensemble = made(spec)
    original, x = model(ensemble), rows(ensemble)
    small = written(original, 5)
    np.testing.assert_array_equal(outputs(small, x)[0], outputs(original, x)[0])
    whole = x[(np.isnan(x) | (x == np.round(x))).all(axis=1)]
    wanted = np.nansum(reached(ensemble, whole), axis=1)
    np.testing.assert_allclose(outputs(small, whole)[0], wanted, atol=1e-5)
    np.testing.assert_allclose(reference_outputs(small, whole)[0], wanted, atol=1e-5)


def test_onnxruntime_finds_numbers_between_members_in_a_set() -> None:
    """It casts to int32 first (1.23 to 1.31). When this fails, the docstring above is outdated."""
    found = outputs(member_of_forty(), np.array([[40.0], [40.5], [41.0]], np.float32))[0]
    np.testing.assert_array_equal(found[:, 0], [1, 1, 0])


def member_of_forty() -> onnx.ModelProto:
    """One split: 1 for 40, else 0."""
    return version_5(
        nodes_modes=np.array([6], np.uint8),
        membership_values=np.array([40, np.nan], np.float32),
        nodes_splits=np.array([0], np.float32),
        children=([0], [1], [1], [1]),
        weights=[1, 0],
    )


def test_a_root_whose_leaf_and_split_have_one_number_is_read_as_specified() -> None:
    """onnxruntime before 1.28 takes it for a leaf (issue 24679); what is written has none."""
    x = np.array([[-1], [3], [9]], np.float32)
    original = version_5(
        nodes_modes=np.array([0, 0], np.uint8),
        nodes_splits=np.array([0, 5], np.float32),
        children=([1, 0], [1, 1], [1, 2], [0, 1]),
        weights=[10, 20, 30],
    )
    for found in (outputs(original, x), outputs(written(original, 5), x)):
        np.testing.assert_array_equal(found[0][:, 0], [20, 10, 30])


def test_a_tree_of_one_leaf_of_version_5_is_read_as_specified() -> None:
    """onnxruntime before 1.30 may add another tree's leaf, and so does the reference evaluator."""
    x = np.array([[-1], [3]], np.float32)
    original = version_5(
        nodes_modes=np.array([0, 0], np.uint8),
        nodes_splits=np.array([0, 0], np.float32),
        children=([2, 0], [1, 1], [2, 1], [1, 1]),
        weights=[10, 20, 1],
        roots=[0, 1],
    )
    small = written(original, 5)
    for found in (outputs(original, x), outputs(small, x), reference_outputs(small, x)):
        np.testing.assert_array_equal(found[0][:, 0], [11, 21])


def version_5(
    children: tuple[list[int], list[int], list[int], list[int]],
    weights: list[float],
    roots: list[int] | None = None,
    **tensors: NDArray[Any],
) -> onnx.ModelProto:
    """A TreeEnsemble over one feature; ``children`` are true ids and flags, false ids and flags."""
    true_id, true_leaf, false_id, false_leaf = children
    node = helper.make_node(
        "TreeEnsemble",
        ["X"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=1,
        tree_roots=roots or [0],
        nodes_featureids=[0] * len(true_id),
        nodes_truenodeids=true_id,
        nodes_trueleafs=true_leaf,
        nodes_falsenodeids=false_id,
        nodes_falseleafs=false_leaf,
        leaf_targetids=[0] * len(weights),
        leaf_weights=numpy_helper.from_array(np.array(weights, np.float32)),
        **{name: numpy_helper.from_array(values) for name, values in tensors.items()},
    )
    x = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 5)]
    graph = helper.make_graph([node], "g", [x], [y])
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


def test_double_rows_of_version_5_keep_double_scores() -> None:
    spec = Spec("TreeEnsemble", double=True, trees=40, depth=5, weights="few")
    original, x = model(made(spec)), rows(made(spec))
    small = written(original, 5)
    onnx.checker.check_model(small, full_check=True)
    (found,) = outputs(small, x)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, outputs(original, x)[0])
