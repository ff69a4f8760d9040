"""Candidates: the seam between the choice of a model and the methods that make models.

A method is a function from a plain model to the candidates worth trying on its graph. A candidate
is a pure function from a model and the rows it may learn from to a new model. It is applied to the
plain model with all training rows. Where candidates are scored by cross-fitting, it is applied in
the same way to a clone of the model for each fold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import onnx

from onnxpress.tables.rows import Rows

Apply = Callable[[onnx.ModelProto, Rows], onnx.ModelProto]


Ladder = tuple[str, str]
"""What the rungs of one ladder share: method and form."""


class NotApplicable(Exception):
    """Raised by a candidate that cannot treat this graph; the message gives the reason."""


class Method(StrEnum):
    """The methods, of those that store alike the fastest first."""

    DYNAMIC = "dynamic"
    STATIC = "static"
    DENSE = "dense"
    FLOAT16 = "float16"
    FOREST = "forest"
    KERNEL = "kernel"
    NEIGHBORS = "neighbors"


class Form(StrEnum):
    """The forms in which methods store their part of a graph."""

    LOSSLESS = "lossless"
    """Trees in a smaller encoding, with the same predictions."""
    FAITHFUL = "faithful"
    """Some splits of the original's own trees, with leaves fitted to its answers."""
    REFINED = "refined"
    """A small distilled forest, written as operators of ai.onnx."""
    REFINED_NODE = "refined_node"
    """The same forest as one tree ensemble."""
    INT4 = "int4"
    """Matrices in blocks of 4 bits, float32 again once loaded."""
    INT4_TRAINED = "int4_trained"
    """The same, of fewer neurons and trained on the plain net's answers in this form."""
    INT4_ALL = "int4_all"
    """The same, convolutions too."""
    INT4_QAT = "int4_qat"
    """The same blocks in every layer, of weights that torch has trained in this form."""
    INT4_PRODUCT = "int4_product"
    """The same blocks, multiplied as they are by an operator of onnxruntime's own."""
    INT8 = "int8"
    QAT = "qat"
    """Layers in int8, of weights that torch has trained in this form."""
    MIXED = "mixed"
    """Some layers in int8, those that cost most in float32."""
    INT8_FLOAT16 = "int8_float16"
    FLOAT16 = "float16"
    FLOAT32 = "float32"


DISTILLED = frozenset([Form.REFINED, Form.REFINED_NODE, Form.INT4_TRAINED, Form.INT4_QAT, Form.QAT])
"""The forms of models whose weights were learned from the plain model's answers."""


@dataclass(frozen=True, order=True)
class Rung:
    """The size of a small forest, one step of a ladder of sizes: ``trees`` of ``depth`` levels."""

    trees: int
    depth: int

    def __str__(self) -> str:
        return f"{self.trees}x{self.depth}"


@dataclass(frozen=True, order=True)
class Share:
    """The size of a faithful forest, one step of a ladder of sizes: one of ``of`` splits."""

    of: int

    def __str__(self) -> str:
        return f"1of{self.of}"


@dataclass(frozen=True, order=True)
class Floats:
    """The size of a net in int8, one step of a ladder of sizes: so many layers are in float32."""

    layers: int

    def __str__(self) -> str:
        return f"{self.layers}float"


Size = Rung | Share | Floats
"""One step of a ladder of sizes."""


@dataclass(frozen=True)
class Candidate:
    """One way to quantise: ``apply(model, rows)`` returns a new model and never changes its input.

    It is a function of a module, or a ``partial`` of one, so that another process can call it.

    Input and output names, types and shapes of the model stay as they are. ``rows`` are training
    rows: a candidate may learn from them (calibrate ranges, refine leaves), but is never scored on
    them.
    """

    method: str
    """A Method, or several joined by ``+`` where each treats its own part of the graph."""

    apply: Apply

    form: str = ""
    """A Form, or one of each method joined by ``+``; empty for a method that has only one."""

    rung: Size | None = None
    """The size, for a candidate that is one of several sizes of the same form."""

    unless: Ladder | None = None
    """A ladder: where one of its rungs is within the budget, this candidate is not tried."""

    @property
    def name(self) -> str:
        """For people, files and records: ``dynamic``, ``kernel/int8``, ``forest/refined-64x7``."""
        form = f"/{self.form}" if self.form else ""
        rung = f"-{self.rung}" if self.rung else ""
        return f"{self.method}{form}{rung}"

    @property
    def keeps_all(self) -> bool:
        """Whether every prediction stays as it is, by construction."""
        return all(form == Form.LOSSLESS for form in self.form.split("+"))

    @property
    def is_distilled(self) -> bool:
        """Whether it is another model, which has learned the answers of the plain one."""
        return not DISTILLED.isdisjoint(self.form.split("+"))

    @property
    def ladder(self) -> Ladder:
        """What the rungs of one ladder share; they are listed from the smallest model up."""
        return self.method, self.form


def in_sequence(steps: tuple[Candidate, ...]) -> Candidate:
    """The steps one after another as one candidate, which is judged as a whole.

    Its name is like ``forest+kernel/lossless+int8``.
    """
    methods = "+".join(step.method for step in steps)
    forms = "+".join(step.form for step in steps)
    return Candidate(methods, partial(_in_turn, steps=steps), form=forms)


def _in_turn(
    model: onnx.ModelProto, rows: Rows, *, steps: tuple[Candidate, ...]
) -> onnx.ModelProto:
    for step in steps:
        model = step.apply(model, rows)
    return model
