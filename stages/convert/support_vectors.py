"""skl2onnx's converters of support vector machines, for what they write at length or round too early.

1. skl2onnx 1.20 turns the decisions of three and more classes into one score a class by operators of their own for every
   pair of classes; here those are matrix products. ``break_ties``, which it leaves out, takes the label from these scores.
2. A linear kernel's support vectors become one vector a pair of classes, their sum, taken in float64. Sums of float32
   coefficients, which skl2onnx writes, lost the first digit of decisions on columns that are not scaled.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from onnx import TensorProto

from stages.common.kernel_machine import KernelMachine, one_vector_a_pair, primal, vote_matrix
from stages.common.writer import Writer
from stages.convert.container_writer import ContainerWriter
from stages.convert.trees import convert_as

TWO = 2


@cache
def register() -> None:
    """Put the converter in the place of skl2onnx's, for this process; calling it again changes nothing."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common._registration import get_converter, get_shape_calculator
    from sklearn.svm import SVC, SVR, NuSVC, NuSVR

    for alias, models, wrap in (("SklearnSVC", (SVC, NuSVC), _with_short_tail), ("SklearnSVR", (SVR, NuSVR), _summed)):
        original, shapes = get_converter(alias), get_shape_calculator(alias)
        options, converter = original.get_allowed_options(), wrap(original)
        for model in models:
            update_registered_converter(model, alias, shapes, converter, options=options)


def _summed(original: Callable[..., None]) -> Callable[..., None]:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        convert_as(_primal(operator.raw_operator), original, scope, operator, container)

    return convert


def _with_short_tail(original: Callable[..., None]) -> Callable[..., None]:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        model, (label, scores) = operator.raw_operator, operator.outputs
        one_score_a_class = model.decision_function_shape == "ovr" and len(model.classes_) > TWO and not len(model._probA)
        if not one_score_a_class:
            convert_as(_primal(model), original, scope, operator, container)
            return
        writer = ContainerWriter(scope, container)
        names = [writer.name("votes_label") if model.break_ties else label.full_name, writer.name("decisions")]
        by_pair = copy.copy(_primal(model))
        by_pair.decision_function_shape = "ovo"
        outputs = [SimpleNamespace(full_name=name) for name in names]
        by_pairs = SimpleNamespace(raw_operator=by_pair, type=operator.type, inputs=operator.inputs, outputs=outputs)
        original(scope, by_pairs, container)
        _scores_by_class(names[1], len(model.classes_), scores.full_name, writer)
        if model.break_ties:
            writer.labels(scores.full_name, model.classes_, label.full_name)

    return convert


def _primal(model: Any) -> Any:
    """A copy of a linear machine with one vector a pair of classes; any other machine as it is."""
    if model.kernel != "linear" or not isinstance(model.support_vectors_, np.ndarray):
        return model
    result, classes = copy.copy(model), len(getattr(model, "classes_", ()))
    per_class = model.n_support_ if classes else np.zeros(0, np.int64)
    machine = KernelMachine("LINEAR", 0, 0, 0, model.support_vectors_, model.dual_coef_, model.intercept_, per_class)
    result.support_vectors_ = primal(machine)
    coefficients, counts = one_vector_a_pair(classes) if classes else (np.ones((1, 1)), np.ones(1))
    result.dual_coef_, result._n_support = coefficients.astype(np.float64), counts.astype(np.int32)
    result.support_ = np.arange(len(result.support_vectors_), dtype=np.int32)
    return result


def _scores_by_class(decisions: str, classes: int, output: str, writer: Writer) -> None:
    """Votes, plus up to a third of a vote by the sum of decisions, as sklearn.utils.multiclass._ovr_decision_function has it.

    A third of a sum s is s / (3 |s| + 3), a third of its Softsign.
    """
    signs, second = vote_matrix(classes)
    signs_name = writer.whole(signs)
    below = writer.add("Less", decisions, writer.constant(np.zeros(1, np.float32)))
    lost = writer.add("Cast", below, to=TensorProto.FLOAT)
    first = writer.whole(classes - 1 - second)
    votes = writer.add("Gemm", lost, signs_name, first, alpha=-1.0)
    confidence = writer.add("Softsign", writer.add("MatMul", decisions, signs_name))
    third = writer.add("Mul", confidence, writer.constant(np.array(1 / 3, np.float32)))
    writer.add("Add", votes, third, output=output)
