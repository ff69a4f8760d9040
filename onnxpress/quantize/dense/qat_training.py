"""Train a graph with its values rounded as they will be stored, in a held process.

The answers of the plain model are what is learned, not the target. In each step the weights, and
the values between layers that become whole numbers, are rounded as the writers do it; gradients
pass the rounding as if it were not there (straight-through estimator; Bengio et al.,
arXiv:1308.3432), but for values beyond their range. The optimizer is Adam (arXiv:1412.6980) with a
rate that falls to zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch.nn import functional

from onnxpress.quantize.dense.blocks import as_matrix, as_weights, best_steps, rounded, split
from onnxpress.quantize.dense.int8_layers import (
    INPUT_STEPS,
    Range,
    restored,
    step_and_zero,
    whole_weights,
)
from onnxpress.quantize.dense.qat_lesson import Lesson
from onnxpress.quantize.dense.torch_operators import Unknown, run
from onnxpress.quantize.dense.training import FRESH, adams_move

BATCH = 64

RATE = 5e-4
"""Of Adam's first steps."""

WORK = 10**11
FEWEST_STEPS, MOST_STEPS = 300, 1500
"""Steps are ``WORK`` over the products of a batch, within these: about a minute for most nets."""

MOST_WORK = 2 * 10**12
"""Products of all steps above which nothing is trained: that is ten minutes or more."""

CLOSE = 1e-3
"""How far the answers of torch may be from onnxruntime's, of the spread of these."""


def trained(path: Path, lesson: Lesson) -> tuple[dict[str, Any], Sequence[bytes]]:
    """Train the ONNX model at ``path``; return an answer to the process outside.

    It has the float32 values of each of ``lesson.names``, or says why it has none.
    """
    torch.set_num_threads(1)  # so that sums have one order
    try:
        found = _Training(onnx.load(path), lesson).run()
    except Unknown as reason:
        return {"refused": f"{reason} is not known to the training in torch"}, ()
    except _Refused as reason:
        return {"refused": str(reason)}, ()
    return {}, [values.tobytes() for values in found]


class _Refused(Exception):
    """Why the net is not trained."""


@dataclass(frozen=True)
class _Graph:
    """The part of a graph that is trained."""

    nodes: tuple[onnx.NodeProto, ...]
    constants: Mapping[str, Any]

    @classmethod
    def of(cls, model: onnx.ModelProto, lesson: Lesson) -> _Graph:
        """Take what the value that is learned depends on, and all constants that are trained."""
        needed, nodes = {lesson.value, *lesson.names}, []
        for node in reversed(model.graph.node):
            if not needed.isdisjoint(node.output):
                nodes.append(node)
                needed.update(node.input)
        constants = {
            item.name: torch.from_numpy(numpy_helper.to_array(item).copy())
            for item in model.graph.initializer
            if item.name in needed
        }
        return cls(tuple(reversed(nodes)), constants)

    def values(
        self, feeds: Mapping[str, Any], trained: Mapping[str, Any], ranges: Mapping[str, Range]
    ) -> dict[str, Any]:
        """Compute all values, with ``trained`` constants, and some rounded to their ``ranges``."""
        values = {**self.constants, **trained}
        values |= {name: _whole(rows, ranges.get(name)) for name, rows in feeds.items()}
        for node in self.nodes:
            inputs = [values[name] if name else None for name in node.input]
            for name, found in zip(node.output, run(node, inputs), strict=False):
                values[name] = _whole(found, ranges.get(name))
        return values

    def products(self, values: Mapping[str, Any]) -> int:
        """Count the products of numbers in the layers that computed ``values``."""
        count = 1
        for node in self.nodes:
            if node.op_type in ("Conv", "Gemm", "MatMul"):
                weights = values[node.input[1]]
                outputs = weights.shape[0] if node.op_type == "Conv" else weights.shape[-1]
                count += values[node.output[0]].numel() * weights.numel() // outputs
        return count


def _whole(values: Any, kept: Range | None) -> Any:
    """Round values to the whole numbers of a range, as float32 again."""
    if kept is None:
        return values
    step, zero = (float(each) for each in step_and_zero(kept))
    places = torch.clamp(values / step, -zero, INPUT_STEPS - zero)
    return step * (places + (torch.round(places) - places).detach())


class _Training:
    """The graph, the weights before they are rounded, and the rows as tensors."""

    def __init__(self, model: onnx.ModelProto, lesson: Lesson) -> None:
        self.lesson = lesson
        self.graph = _Graph.of(model, lesson)
        self.feeds = {name: torch.from_numpy(rows) for name, rows in lesson.feeds.items()}
        self.answers = torch.from_numpy(lesson.answers)
        self.masters = {name: self.graph.constants[name].numpy() for name in lesson.names}
        spread = self.answers.std(dim=0, keepdim=True)
        self.scale = torch.clamp(spread, min=max(float(self.answers.std()) * CLOSE, 1e-30))
        self.block_steps: dict[str, NDArray[np.float32]] = {}
        self.random = np.random.default_rng(lesson.seed)
        self.steps = self._steps()

    def run(self) -> list[NDArray[np.float32]]:
        """Take all steps; return the weights before they are rounded."""
        momenta = [[np.zeros_like(each) for _ in range(3)] for each in self.masters.values()]
        half = len(self.answers) // 2
        for step in range(self.steps):
            batch = self.random.integers(half, size=BATCH)
            batch[BATCH // 2 :] += half  # rows between two
            gradients = self._gradients(torch.from_numpy(batch), step)
            rate = RATE * (1 + np.cos(np.pi * step / self.steps)) / 2
            for name, gradient, own in zip(self.masters, gradients, momenta, strict=True):
                self.masters[name] -= adams_move(gradient, own, rate, step + 1)
        return list(self.masters.values())

    def _gradients(self, batch: Any, step: int) -> list[NDArray[np.float32]]:
        """Return the gradients of the rounded weights, 0 of those that play no part."""
        used = {name: self._rounded(name, step).requires_grad_() for name in self.masters}
        feeds = {name: rows[batch] for name, rows in self.feeds.items()}
        values = self.graph.values(feeds, used, self.lesson.stored.ranges)
        self._loss(values[self.lesson.value], self.answers[batch]).backward()
        return [
            torch.zeros_like(each).numpy() if each.grad is None else each.grad.numpy()
            for each in used.values()
        ]

    def _rounded(self, name: str, step: int) -> Any:
        """Copy a constant, rounded if it will be."""
        values = self.masters[name]
        if name in self.lesson.stored.blocks:
            matrix = as_matrix(values)
            if step % FRESH == 0:
                self.block_steps[name] = best_steps(split(matrix))
            values = as_weights(rounded(matrix, self.block_steps[name]), values.shape)
        elif name in self.lesson.stored.int8:
            axis = self.lesson.stored.int8[name]
            values = restored(*whole_weights(values, axis), axis)
        return torch.from_numpy(np.array(values, np.float32))

    def _loss(self, found: Any, answers: Any) -> Any:
        """The cross-entropy of probabilities, or the squares of numbers on their scale."""
        if self.lesson.link == "Softmax":
            log_shares = torch.log_softmax(found, -1)
            return -(torch.softmax(answers, -1) * log_shares).sum(-1).mean()
        if self.lesson.link == "Sigmoid":
            shares = torch.sigmoid(answers)
            return functional.binary_cross_entropy_with_logits(found, shares)
        return torch.square((found - answers) / self.scale).mean()

    def _steps(self) -> int:
        """Return how many steps are taken.

        Raises:
            _Refused: they would take too long, or torch computes other answers.
        """
        batch = {name: rows[:BATCH] for name, rows in self.feeds.items()}
        with torch.no_grad():
            values = self.graph.values(batch, {}, {})
        found, work = values[self.lesson.value], self.graph.products(values)
        expected = self.answers[:BATCH]
        if found.shape != expected.shape or not torch.allclose(
            found / self.scale, expected / self.scale, rtol=CLOSE, atol=CLOSE
        ):
            raise _Refused("the answers in torch are not those of onnxruntime")
        if FEWEST_STEPS * work > MOST_WORK:
            raise _Refused(f"training takes too long with {work // BATCH:,} products a row")
        return int(np.clip(WORK // work, FEWEST_STEPS, MOST_STEPS))
