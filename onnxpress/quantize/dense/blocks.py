"""Matrices in blocks of whole numbers of 4 bits, each with a step of its own.

A block is up to 64 inputs of one output. Its weights are ``step * (number - 8)``, with numbers from
0 to 15 and a step in float16: 4.25 bits a weight.

Two inputs share a byte. Operators of ai.onnx 12 take them apart, and a runtime computes these once,
when it loads the model (:mod:`onnxpress.quantize.storage`):

    high = Floor(bytes / 16)    low = bytes - 16 * high    numbers = Concat(low, high)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from onnxpress.graph.writer import GraphWriter
from onnxpress.quantize.dense.layers import MATRIX

BLOCK = 64
ZERO = 8
"""The number that means zero."""
LARGEST = 15
SHRUNK = (1.0, 0.94, 0.88, 0.82, 0.76, 0.7)
"""Steps that are tried, as shares of the one that reaches the greatest weight of a block.

A smaller one cuts a few weights and rounds all others less.
"""
HALF = np.finfo(np.float16)


@dataclass(frozen=True)
class Blocks:
    """A matrix of ``inputs`` times outputs in blocks."""

    numbers: NDArray[np.uint8]
    """(blocks, inputs of a block, outputs), from 0 to 15."""
    steps: NDArray[np.float32]
    """(blocks, 1, outputs)."""
    inputs: int
    """The last block may be filled up with zeros."""

    def matrix(self) -> NDArray[np.float32]:
        """The weights that are stored, (inputs, outputs)."""
        values = (self.numbers.astype(np.float32) - ZERO) * self.steps
        return values.reshape(-1, values.shape[2])[: self.inputs]


def in_blocks(matrix: NDArray[np.float32]) -> Blocks:
    """Round a matrix (inputs, outputs), with the steps of least squared error."""
    blocks = split(matrix)
    steps = best_steps(blocks)
    return Blocks(numbers(blocks, steps), steps, len(matrix))


def split(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """The blocks (blocks, inputs of a block, outputs) of a matrix, filled up with zeros.

    Five inputs in blocks of 64 are one block of six: two inputs share a byte.
    """
    inputs, outputs = matrix.shape
    size = min(BLOCK, inputs + inputs % 2)
    count = -(-inputs // size)
    padded = np.zeros((count * size, outputs), np.float32)
    padded[:inputs] = matrix
    return padded.reshape(count, size, outputs)


def best_steps(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    """The steps (blocks, 1, outputs) of least squared error, of those that are tried."""
    low, high = blocks.min(axis=1, keepdims=True), blocks.max(axis=1, keepdims=True)
    # the numbers go from -8 to 7: the end that is further away gets the 8, by the sign of the step
    widest = np.where(-low >= high, -low, -high) / np.float32(ZERO)
    best = _stored(widest)
    least = _squared_errors(blocks, best)
    for share in SHRUNK[1:]:
        steps = _stored(widest * np.float32(share))
        errors = _squared_errors(blocks, steps)
        best = np.where(errors < least, steps, best)
        least = np.minimum(errors, least)
    return _stored(best)


def numbers(blocks: NDArray[np.float32], steps: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The whole numbers nearest to the weights."""
    found = np.clip(np.rint(blocks / steps) + ZERO, 0, LARGEST)
    return np.asarray(found, np.uint8)


def _squared_errors(blocks: NDArray[np.float32], steps: NDArray[np.float32]) -> NDArray[np.float32]:
    rounded = np.clip(np.rint(blocks / steps), -ZERO, LARGEST - ZERO) * steps
    return np.asarray(np.square(rounded - blocks).sum(axis=1, keepdims=True))


def _stored(steps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Steps as float16 holds them, or as they are where it cannot; 1 for a block of zeros."""
    steps = np.where(steps == 0, 1, steps).astype(np.float32)
    return steps.astype(np.float16).astype(np.float32) if _fits_half(steps) else steps


def _fits_half(steps: NDArray[np.float32]) -> bool:
    sizes = np.abs(steps)
    return bool((sizes >= HALF.smallest_normal).all() and (sizes <= HALF.max).all())


def rounded(matrix: NDArray[np.float32], steps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the matrix (inputs, outputs) that is stored with these steps."""
    return Blocks(numbers(split(matrix), steps), steps, len(matrix)).matrix()


def as_matrix(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weights of a layer as a matrix (inputs, outputs).

    Those of a convolution are (outputs, inputs of a group, kernel...).
    """
    return weights if weights.ndim == MATRIX else weights.reshape(len(weights), -1).T


def as_weights(matrix: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a matrix (inputs, outputs) as the weights of a layer, of ``shape``."""
    return matrix if len(shape) == MATRIX else np.ascontiguousarray(matrix.T).reshape(shape)


def write_weights(weights: NDArray[np.float32], name: str, writer: GraphWriter) -> str:
    """Write the weights of a layer in blocks; return the name of their float32 value."""
    value = write_blocks(in_blocks(as_matrix(weights)), name, writer)
    if weights.ndim == MATRIX:
        return value
    shape = writer.constant(np.array(weights.shape, np.int64))
    return writer.add("Reshape", writer.add("Transpose", value, perm=[1, 0]), shape)


def write_blocks(blocks: Blocks, name: str, writer: GraphWriter) -> str:
    """Write a matrix as operators of ai.onnx; return the name of its float32 value."""
    count, size, outputs = blocks.numbers.shape
    rows = blocks.numbers.reshape(-1, outputs)
    half = len(rows) // 2
    pairs = writer.constant(rows[:half] + 16 * rows[half:], name)

    def number(value: float) -> str:
        return writer.constant(np.array(value, np.float32))

    def shape(*sizes: int) -> str:
        return writer.constant(np.array(sizes, np.int64))

    both = writer.add("Cast", pairs, to=TensorProto.FLOAT)
    high = writer.add("Floor", writer.add("Mul", both, number(1 / 16)))
    low = writer.add("Sub", both, writer.add("Mul", high, number(16)))
    all_rows = writer.add("Concat", low, high, axis=0)
    centred = writer.add("Sub", all_rows, number(ZERO))
    steps = writer.add("Cast", writer.constant(_as_half(blocks.steps)), to=TensorProto.FLOAT)
    scaled = writer.add("Mul", writer.add("Reshape", centred, shape(count, size, outputs)), steps)
    whole = writer.add("Reshape", scaled, shape(count * size, outputs))
    if blocks.inputs == count * size:
        return whole
    return writer.add("Slice", whole, shape(0), shape(blocks.inputs), shape(0))


def _as_half(steps: NDArray[np.float32]) -> NDArray[np.float16] | NDArray[np.float32]:
    return steps.astype(np.float16) if _fits_half(steps) else steps
