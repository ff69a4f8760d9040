"""Convert support vector machines to matrix products, for what skl2onnx's converters get wrong.

1. skl2onnx 1.20 stores coefficients in float32 and leaves sums to float32, which rounds away what a
   score may differ by. Here they are summed in float64 where they are many or large
   (:mod:`onnxpress.graph.kernel_machine`).
2. Its scores of two classes are those of libsvm, whose sign is the other way round: here [-d, d].
3. Its labels of a machine with probabilities come from these; scikit-learn's from the votes of the
   decisions.
4. ``break_ties``, which it leaves out, takes the label from the scores.
5. Scores of three and more classes are two matrix products, where it writes operators for each pair
   of classes.

A linear kernel's support vectors become one vector for each pair of classes, their sum.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.conversion.registering import Converter, replace_converters
from onnxpress.graph.kernel_machine import KernelMachine, decisions, vote_matrix
from onnxpress.graph.svm_nodes import coupling_attributes, second_unless_first, vote
from onnxpress.graph.writer import ML_DOMAIN, Writer

TWO = 2
KERNELS = ("linear", "poly", "rbf", "sigmoid")


@cache
def register() -> None:
    """Replace skl2onnx's converters, for this process; calling it again changes nothing."""
    from sklearn.svm import SVC, SVR, NuSVC, NuSVR

    replace_converters((SVC, NuSVC), lambda original: _of_float32(_classifier, original))
    replace_converters((SVR, NuSVR), lambda original: _of_float32(_regressor, original))


def _of_float32(own: Callable[..., None], original: Converter) -> Converter:
    """Use ``own`` for numbers other than float64, cast to float32; ``original`` for the rest."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    def convert(scope: Any, operator: Any, container: Any) -> None:
        given = operator.inputs[0]
        if isinstance(given.type, DoubleTensorType) or operator.raw_operator.kernel not in KERNELS:
            original(scope, operator, container)
            return
        writer, x = ContainerWriter(scope, container), given.full_name
        if not isinstance(given.type, FloatTensorType):
            x = writer.add("Cast", x, to=TensorProto.FLOAT)
        own(operator, x, writer, container)

    return convert


def _regressor(operator: Any, x: str, writer: Writer, _container: Any) -> None:
    decided = decisions(_machine(operator.raw_operator), x, writer)
    column = writer.constant(np.array([-1, 1], np.int64))
    writer.add("Reshape", decided, column, output=operator.outputs[0].full_name)


def _classifier(operator: Any, x: str, writer: ContainerWriter, container: Any) -> None:
    """Write label and scores.

    1. With probabilities: those that libsvm couples from the decisions.
    2. Two classes: [-d, d].
    3. "ovo": the decisions, one for each pair of classes.
    4. "ovr": votes and confidence, one for each class.
    """
    model = operator.raw_operator
    label, scores = (variable.full_name for variable in operator.outputs)
    decided = decisions(_machine(model), x, writer)
    raw = container.get_options(model, {}).get("raw_scores")
    if len(model._probA) and not raw:
        coupled = {**coupling_attributes(len(model.classes_)), **_probability_attributes(model)}
        outputs = [writer.name("v"), scores]
        writer.write("SVMClassifier", [decided], outputs, coupled, ML_DOMAIN, 1)
        _label(model, decided, label, writer)
    elif len(model.classes_) == TWO:
        _label(model, decided, label, writer)
        signs = writer.constant(np.array([[-1, 1]], np.float32))
        writer.add("Mul", decided, signs, output=scores)
    elif model.decision_function_shape == "ovo":
        _label(model, decided, label, writer)
        writer.add("Identity", decided, output=scores)
    else:
        _scores_by_class(decided, len(model.classes_), scores, writer)
        if model.break_ties:
            writer.labels(scores, model.classes_, label)
        else:
            _label(model, decided, label, writer)


def _label(model: Any, decided: str, output: str, writer: Writer) -> None:
    """Write the class with most votes of its pairs; decisions have scikit-learn's signs."""
    classes = model.classes_.astype(object if model.classes_.dtype.kind in "UO" else np.int64)
    if len(classes) > TWO:
        vote(decided, classes, output, writer)
    else:
        second_unless_first(writer.add("Neg", decided), classes, output, writer)


def _machine(model: Any) -> KernelMachine:
    """Read what scikit-learn computes, in float64, except for the vectors, which are rows."""
    vectors, coefficients = _dense(model.support_vectors_), _dense(model.dual_coef_)
    if not len(vectors):
        cure = "; a smaller epsilon gives it some" if hasattr(model, "epsilon") else ""
        raise NotImplementedError(f"it has no support vectors and predicts a constant{cure}")
    per_class = model.n_support_ if hasattr(model, "classes_") else []
    return KernelMachine(
        model.kernel.upper(),
        float(model._gamma),
        float(model.coef0),
        float(model.degree),
        vectors.astype(np.float32),
        coefficients.astype(np.float64),
        np.asarray(model.intercept_, np.float64),
        np.array(per_class, np.int64),
    )


def _dense(values: Any) -> NDArray[Any]:
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values)


def _probability_attributes(model: Any) -> dict[str, Any]:
    """Return what libsvm couples decisions by; of two classes, its first is the positive one."""
    sign = -1 if len(model.classes_) == TWO else 1
    return {
        "prob_a": (sign * model._probA).astype(np.float32).tolist(),
        "prob_b": model._probB.astype(np.float32).tolist(),
        "classlabels_ints": list(range(len(model.classes_))),
        "post_transform": "NONE",
        "kernel_params": [0.0, 0.0, 3.0],
    }


def _scores_by_class(decisions: str, classes: int, output: str, writer: Writer) -> None:
    """Write votes, and up to a third of a vote by the sum of decisions, (rows, classes).

    A third of a sum s is s / (3 |s| + 3), a third of its Softsign. Source:
    sklearn.utils.multiclass._ovr_decision_function.
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
