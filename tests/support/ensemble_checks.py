"""What holds for every random ensemble: how it is read, reduced, written and answered."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from onnxpress.graph.trees.forest import Forest, leaf_index
from onnxpress.graph.trees.reader import Untreatable, read
from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.forest.lossless import mirrored as mirrored_columns
from onnxpress.quantize.forest.lossless import rewrite
from onnxpress.quantize.forest.lossless.leaves import drop_zeros
from onnxpress.quantize.forest.lossless.passes import lossless
from tests.support.forest_probes import outputs, reference_outputs
from tests.support.random_ensembles import (
    TWO,
    Ensemble,
    Row,
    Spec,
    aggregated,
    labels_of,
    made,
    model,
    reached,
    rows,
)

RAW = ("NONE", "SOFTMAX_ZERO", "PROBIT")
"""What the rewritten model computes to the last bit: nothing, or by the very same operator."""


def unset(spec: Spec) -> bool:
    """Whether onnxruntime leaves a score of two classes as it finds the memory (1.21 to 1.31).

    It writes one score of two under PROBIT, and where one base value meets leaves of both classes.
    """
    if spec.operator != "TreeEnsembleClassifier" or spec.targets != TWO:
        return False
    return spec.post == "PROBIT" or (spec.base == 1 and spec.single < 0)


def check_reading(spec: Spec) -> None:
    """The reader finds the leaves that plain Python finds, and the passes keep what they add."""
    ensemble = made(spec)
    x = rows(ensemble)
    forest = _read(ensemble)
    if forest is None or forest.n_targets != spec.targets:
        return  # two classes by one score
    wanted = np.nan_to_num(reached(ensemble, x), nan=0.0).astype(ensemble.dtype)
    for same in (forest, *_reduced(forest)):
        np.testing.assert_array_equal(same.leaf_values[leaf_index(same, x)], wanted)


def _reduced(forest: Forest) -> list[Forest]:
    try:
        return [lossless(forest), lossless(drop_zeros(forest))]
    except Untreatable:  # too many shared subtrees to copy
        return []


def _read(ensemble: Ensemble) -> Forest | None:
    try:
        return read(model(ensemble).graph.node[0], ensemble.dtype)
    except Untreatable:
        return None


def check_writing(spec: Spec) -> None:
    """Both writers' models give what onnxruntime gives for the original, however many rows."""
    if unset(spec):
        return
    ensemble = made(spec)
    original, x = model(ensemble), rows(ensemble)
    for ml_opset, mirrored in ((3, False), (3, True), (5, False), (5, True)):
        small = tried(original, ml_opset, mirrored=mirrored)
        if small is None:
            continue
        onnx.checker.check_model(small, full_check=True)
        for part in (x, x[:1], x[:0]):
            _assert_equal(outputs(small, part, packed=True), outputs(original, part), spec)


def written(original: onnx.ModelProto, ml_opset: int, *, mirrored: bool = False) -> onnx.ModelProto:
    """The rewritten model, even if it is larger, as that of a few nodes is.

    With ``mirrored``, also where that makes it no faster.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rewrite, "_smaller", lambda result, _model: result)
        patch.setattr(mirrored_columns, "BELOW_TRUE", 1.0)
        return rewrite.rewrite_trees(original, ml_opset=ml_opset, mirrored=mirrored)


def tried(
    original: onnx.ModelProto, ml_opset: int, *, mirrored: bool = False
) -> onnx.ModelProto | None:
    """The rewritten model; None if it is left as it is."""
    try:
        return written(original, ml_opset, mirrored=mirrored)
    except NotApplicable:
        return None


def _assert_equal(found: list[NDArray[Any]], wanted: list[NDArray[Any]], spec: Spec) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype
        if other.dtype.kind != "f" or spec.post in RAW:
            np.testing.assert_array_equal(one, other)
        else:
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


def check_meaning(spec: Spec) -> None:
    """onnxruntime gives for the original what the specification says, where it says so.

    Two departures are left out, and have tests of their own: a base value counts only for targets
    that a tree scores, and sets hold numbers between their members.
    """
    ensemble = made(spec)
    x = rows(ensemble)
    if not _is_said(spec):
        return
    scores = expected(ensemble, x)
    found = outputs(model(ensemble), x)
    np.testing.assert_allclose(found[-1], scores, rtol=1e-5, atol=_step(ensemble, x))
    if spec.operator == "TreeEnsembleClassifier":
        labels = np.array(labels_of(spec), object)[scores.argmax(axis=1)]
        gap = np.diff(np.sort(scores, axis=1)[:, -2:], axis=1)[:, 0]
        sure = gap > 2 * _step(ensemble, x)
        np.testing.assert_array_equal(found[0][sure], labels[sure])


def check_reference(spec: Spec) -> None:
    """The reference evaluator gives for the model of version 5 what the specification says."""
    ensemble = made(spec)
    x = rows(ensemble, 12)
    if not _is_said(spec):
        return
    small = tried(model(ensemble), 5)
    if small is None or all(node.op_type != "TreeEnsemble" for node in small.graph.node):
        return
    found = reference_outputs(small, x)[-1]
    np.testing.assert_allclose(found, expected(ensemble, x), rtol=1e-5, atol=_step(ensemble, x))


def _is_said(spec: Spec) -> bool:
    """Whether raw scores are given out, all targets are scored, and no rule is onnxruntime's."""
    two_classes = spec.operator == "TreeEnsembleClassifier" and spec.targets == TWO
    some_unscored = spec.targets > 1 and (
        spec.sparse or spec.single >= 0 or spec.operator == "TreeEnsemble"
    )
    unclear = two_classes or some_unscored or "MEMBER" in spec.modes
    return spec.post == "NONE" and not unclear


def expected(ensemble: Ensemble, x: Row) -> NDArray[Any]:
    """Scores by plain Python, (rows, targets)."""
    base = np.array(ensemble.base or [0.0], ensemble.dtype)
    return np.asarray(aggregated(ensemble, x) + base)


def _step(ensemble: Ensemble, x: Row) -> float:
    """How far sums in float32 may be apart when they are added in another order."""
    largest = np.nanmax(np.abs(reached(ensemble, x)), initial=1.0)
    return float(largest * 1e-6 * len(ensemble.roots))
