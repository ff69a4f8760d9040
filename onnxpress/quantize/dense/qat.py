"""Quantisation-aware training: candidates whose weights torch has trained as they are stored.

Torch computes in a held process, with limits of time and memory. What comes back is numbers, which
take the place of constants in the graph that :mod:`onnxpress.quantize.dense` then writes.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import numpy_helper

from onnxpress import held
from onnxpress.graph.gemm import with_upright_weights
from onnxpress.quantize.candidates import Candidate, Form, Method, NotApplicable
from onnxpress.quantize.dense.chain import Floats, read_chain
from onnxpress.quantize.dense.int8_layers import in_int8, sources
from onnxpress.quantize.dense.layers import layers, layers_of
from onnxpress.quantize.dense.qat_lesson import Lesson, Stored, lesson_of
from onnxpress.quantize.dense.static import large_layers, static_plan
from onnxpress.quantize.dense.stored import MIN_WEIGHTS, in_int4, products_of
from onnxpress.quantize.options import Options
from onnxpress.tables.rows import Rows
from onnxpress.text import visible

if TYPE_CHECKING:  # it imports torch
    from onnxpress.quantize.dense import qat_training as trained  # noqa: F401 - see sandbox.py

TASK, TRAINED = "train a net", "onnxpress.quantize.dense.qat_training:trained"

MISSING = "it takes torch, which is not installed: pip install 'onnxpress[torch]'"

REASON_LENGTH = 200

SECONDS: float = 1800
MEMORY_MB = 8192
"""Limits of one training. What would take longer is refused before, by the products it takes."""


def qat_candidates(model: onnx.ModelProto, options: Options) -> list[Candidate]:
    """List a candidate of every layer in 4 bits, for graphs that are more than a chain of layers.

    It is tried only where the same form without training is over a budget.
    """
    try:
        chain = read_chain(products_of(model))
    except NotApplicable:
        return []
    found = layers_of(products_of(model))
    if all(layer.position in chain.products for layer in found):
        return []  # dense/int4_trained has it, without torch
    large = [layer for layer in found if layer.size >= MIN_WEIGHTS]
    convolutions = any(layer.is_convolution for layer in large)
    unless = Method.DENSE, Form.INT4_ALL if convolutions else Form.INT4
    apply = partial(int4_qat, seed=options.seed)
    return [Candidate(Method.DENSE, apply, Form.INT4_QAT, unless=unless)]


def static_qat_candidates(model: onnx.ModelProto, options: Options) -> list[Candidate]:
    """List a candidate of the large layers in int8, where there are any.

    It is tried only where the same form without training is over a budget.
    """
    if not large_layers(with_upright_weights(model)):
        return []
    apply = partial(static_qat, seed=options.seed)
    return [Candidate(Method.STATIC, apply, Form.QAT, unless=(Method.STATIC, ""))]


def int4_qat(model: onnx.ModelProto, rows: Rows, *, seed: int) -> onnx.ModelProto:
    """Every layer in blocks of 4 bits, trained in this form.

    Raises:
        NotApplicable: torch is not installed, does not know an operator, or does not train it.
    """
    products = products_of(model)
    blocks = frozenset(layers(products, MIN_WEIGHTS))
    return in_int4(with_trained(products, rows, Stored(blocks), seed))


def static_qat(model: onnx.ModelProto, rows: Rows, *, seed: int) -> onnx.ModelProto:
    """Weights and activations of large layers in int8, trained in this form.

    Raises:
        NotApplicable: as :func:`int4_qat`, or there is no large layer.
    """
    plan = static_plan(model, rows)
    stored = Stored(
        int8={layer.weights: layer.outputs_axis for layer in plan.layers},
        ranges={
            name: plan.ranges[source] for name, source in sources(plan.model, plan.layers).items()
        },
    )
    return in_int8(with_trained(plan.model, rows, stored, seed), plan.ranges, plan.layers)


def with_trained(model: onnx.ModelProto, rows: Rows, stored: Stored, seed: int) -> onnx.ModelProto:
    """Copy ``model`` with weights and biases that were trained as they will be ``stored``.

    Raises:
        NotApplicable: torch is not installed, or does not train it; the message says why.
    """
    if find_spec("torch") is None:
        raise NotApplicable(MISSING)
    lesson = lesson_of(model, rows, stored, seed)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    trained = dict(zip(lesson.names, _answered(model, lesson), strict=True))
    for tensor in result.graph.initializer:
        if tensor.name in trained:
            values = _checked(trained[tensor.name], tuple(tensor.dims))
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return result


def _answered(model: onnx.ModelProto, lesson: Lesson) -> Sequence[memoryview]:
    """Have a held process train; return the bytes of each weight.

    Raises:
        NotApplicable: it gives none.
    """
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(model.SerializeToString())
        file.flush()
        order = held.Order(TASK, lesson, "the net", file.name, (), SECONDS, MEMORY_MB)
        try:
            keeper = held.begin(held.settings({TASK: TRAINED}, (TRAINED.partition(":")[0],)))
            answer = keeper.answer(order, file.fileno())
        except held.Lost as error:
            raise NotApplicable(_line(f"the process that trains it {error}")) from error
    if "refused" in answer.content:
        raise NotApplicable(_line(str(answer.content["refused"])))
    if len(answer.blobs) != len(lesson.names):
        raise NotApplicable("the process that trains it gave other weights than asked for")
    return answer.blobs


def _line(text: str) -> str:
    """Return a reason as one line that can be shown; libraries write several."""
    return visible(" ".join(text.split()))[:REASON_LENGTH]


def _checked(blob: memoryview, shape: tuple[int, ...]) -> Floats:
    """Return the numbers in an answer, which is not trusted.

    Raises:
        NotApplicable: they are too many or too few, or one is none.
    """
    if len(blob) != 4 * math.prod(shape):
        raise NotApplicable("the process that trains it gave weights of another shape")
    values = np.frombuffer(blob, "<f4").reshape(shape)
    if not np.isfinite(values).all():
        raise NotApplicable("training came to no numbers")
    return values
