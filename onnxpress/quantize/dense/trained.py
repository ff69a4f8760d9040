"""Candidates that are trained: dense nets of fewer neurons, with weights in blocks of 4 bits."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
import onnx
from threadpoolctl import threadpool_limits

from onnxpress.graph.writer import GraphWriter
from onnxpress.quantize.candidates import Candidate, Form, Method, NotApplicable, Share
from onnxpress.quantize.dense.blocks import Blocks, write_blocks
from onnxpress.quantize.dense.chain import Chain, Floats, read_chain, with_layers
from onnxpress.quantize.dense.layers import layers as layers_to_store
from onnxpress.quantize.dense.stored import MIN_WEIGHTS, products_of
from onnxpress.quantize.dense.training import Lesson, lesson_of, narrowed, stored_blocks, trained
from onnxpress.quantize.options import Options
from onnxpress.quantize.storage import WriteMatrix, outputs_int8, store
from onnxpress.quantize.task import Task
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Rows

LADDER = (16, 8, 4, 3, 2, 1)
"""One of so many neurons is kept in each hidden layer: the sizes of the candidates, ascending."""

FEWEST = 16
"""Neurons that a rung leaves to the widest hidden layer."""


def trained_candidates(model: onnx.ModelProto, options: Options) -> list[Candidate]:
    """The rungs that leave enough neurons, smallest first; none if there is no chain of layers."""
    try:
        chain = read_chain(products_of(model))
    except NotApplicable:
        return []
    if max(layer.matrix.size for layer in chain.layers) < MIN_WEIGHTS:
        return []
    widest = max((len(layer.bias) for layer in chain.layers[:-1]), default=0)
    found = []
    for share in map(Share, LADDER):
        if share.of == 1 or widest >= FEWEST * share.of:
            apply = partial(trained_net, share=share, seed=options.seed)
            found.append(Candidate(Method.DENSE, apply, form=Form.INT4_TRAINED, rung=share))
    return found


def trained_net(model: onnx.ModelProto, rows: Rows, *, share: Share, seed: int) -> onnx.ModelProto:
    """``model`` with a share of its neurons, trained on its own answers in blocks of 4 bits.

    Layers outside the chain, such as convolutions, are stored in int8.

    Raises:
        NotApplicable: it has no chain of dense layers, or rows reach that with no number.
    """
    products = products_of(model)
    chain = read_chain(products)
    with threadpool_limits(limits=1):  # so that sums have one order
        lesson = _lesson(Task(model, rows, seed))
        layers = narrowed(lesson, share.of) if share.of > 1 else list(chain.layers)
        stored = [layer.matrix.size >= MIN_WEIGHTS for layer in layers]
        layers = trained(lesson, layers, stored)
    result, names = with_layers(products, chain, layers)
    blocks = {
        name: stored_blocks(layer.matrix)
        for name, layer, is_stored in zip(names, layers, stored, strict=True)
        if is_stored
    }
    rest = layers_to_store(result, MIN_WEIGHTS) - blocks.keys()
    if not blocks and not rest:
        return result

    def writer_of(name: str) -> WriteMatrix | None:
        if name in blocks:
            return partial(_written, blocks[name])
        return outputs_int8 if name in rest else None

    return store(result, writer_of)


@lru_cache(maxsize=6)  # the rungs of a ladder share a model and its rows, and those of a fold
def _lesson(task: Task) -> Lesson:
    products = products_of(task.model)
    chain = read_chain(products)
    reached = _reaching(products, chain, task.rows)
    return lesson_of(reached, chain.layers, chain.activations, chain.link, task.seed)


def _written(blocks: Blocks, _matrix: Floats, name: str, writer: GraphWriter) -> str:
    return write_blocks(blocks, name, writer)


def _reaching(model: onnx.ModelProto, chain: Chain, rows: Rows) -> Floats:
    """What reaches the first layer for all rows, (rows, inputs)."""
    if chain.input in rows.feeds:
        values = rows.feeds[chain.input]
    else:
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        copy.graph.output.append(onnx.ValueInfoProto(name=chain.input))
        values = open_session(copy.SerializeToString()).run([chain.input], rows.feeds)[0]
    flat = np.asarray(values, np.float32).reshape(-1, len(chain.layers[0].matrix))
    if not np.isfinite(flat).all():
        raise NotApplicable("some training rows reach the first layer with missing numbers")
    return flat
