"""skl2onnx's converter of SVC and NuSVC, with a short tail behind the decisions of three and more classes.

skl2onnx 1.20 turns those decisions into one score a class by operators of their own for every pair of classes; here they
are matrix products. ``break_ties``, which skl2onnx leaves out, takes the label from these scores.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from onnx import TensorProto

from stages.common.kernel_machine import vote_matrix
from stages.common.writer import Writer
from stages.convert.container_writer import ContainerWriter

TWO = 2


@cache
def register() -> None:
    """Put the converter in the place of skl2onnx's, for this process; calling it again changes nothing."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common._registration import get_converter, get_shape_calculator
    from sklearn.svm import SVC, NuSVC

    original, shapes = get_converter("SklearnSVC"), get_shape_calculator("SklearnSVC")
    for model in (SVC, NuSVC):
        update_registered_converter(
            model, "SklearnSVC", shapes, _with_short_tail(original), options=original.get_allowed_options(), overwrite=True
        )


def _with_short_tail(original: Callable[..., None]) -> Callable[..., None]:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        model, (label, scores) = operator.raw_operator, operator.outputs
        one_score_a_class = model.decision_function_shape == "ovr" and len(model.classes_) > TWO and not len(model._probA)
        if not one_score_a_class:
            original(scope, operator, container)
            return
        writer = ContainerWriter(scope, container)
        names = [scope.get_unique_variable_name(name) for name in ("votes_label", "decisions")]
        if not model.break_ties:
            names[0] = label.full_name
        by_pair = copy.copy(model)
        by_pair.decision_function_shape = "ovo"
        outputs = [SimpleNamespace(full_name=name) for name in names]
        pretended = SimpleNamespace(raw_operator=by_pair, type=operator.type, inputs=operator.inputs, outputs=outputs)
        original(scope, pretended, container)
        _scores_by_class(names[1], len(model.classes_), scores.full_name, writer)
        if model.break_ties:
            writer.labels(scores.full_name, model.classes_, label.full_name)

    return convert


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
