"""The ladder of refined forests: much smaller and faster than the original, within the budget.

The trees of a model, and all that is computed from them, are replaced by a small forest distilled
from the original: oblivious trees, grown and refitted on training rows and on rows generated from
them, with an int8 leaf table.

:func:`refined_candidates` lists a few sizes from small to large, each rung up to twice the size of
the one before; :func:`onnxpress.quantize.ladders.climb` climbs them. Scores rise along a ladder
only on average, so climbing compares paired differences and asks the next rung to confirm. A larger
rung is not always better: a small forest smooths where the original has learned the noise of its
rows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import onnx
from numpy.typing import NDArray

from onnxpress.quantize.candidates import Candidate, Form, Method, Rung
from onnxpress.quantize.forest.predicted_time import (
    count_features,
    plain_seconds,
    refined_node_seconds,
    refined_seconds,
)
from onnxpress.quantize.forest.refined.answers import Answers
from onnxpress.quantize.forest.refined.as_operators import as_operators, declared_columns
from onnxpress.quantize.forest.refined.as_tree_ensemble import as_tree_ensemble
from onnxpress.quantize.forest.refined.bins import Bins
from onnxpress.quantize.forest.refined.distillation import (
    DENSE,
    Distillation,
    Features,
    distil,
)
from onnxpress.quantize.forest.refined.learning import bins_of, learned
from onnxpress.quantize.forest.refined.oblivious import ObliviousForest
from onnxpress.quantize.forest.refined.subgraphs import (
    Subgraphs,
    run,
    single_numbers,
    split_at_features,
    split_places,
    subgraph,
)
from onnxpress.quantize.options import BATCH_ROWS, Objective
from onnxpress.quantize.task import Task
from onnxpress.tables.rows import Feeds, Rows

LADDER = (
    Rung(8, 3),
    Rung(8, 4),
    Rung(16, 4),
    Rung(16, 5),
    Rung(32, 5),
    Rung(32, 6),
    Rung(64, 6),
    Rung(64, 7),
    Rung(128, 7),
    Rung(128, 8),
    Rung(256, 8),
    Rung(512, 8),
)
"""The sizes of the candidates, ascending."""

TINY = (Rung(2, 2), Rung(4, 2), Rung(4, 3))
"""More, for a device with little flash."""

WriteForest = Callable[[onnx.ModelProto, Subgraphs, ObliviousForest, Answers], onnx.ModelProto]
"""``as_operators`` or ``as_tree_ensemble``."""

_WORTH_IT = 6
"""A rung must be this many times smaller than the original."""

_SPLIT_BYTES = 5  # a float32 threshold and a feature number
_TREE_BYTES = 4
_GRAPH_BYTES = 700


def size_bytes(rung: Rung, columns: int) -> int:
    """About how large a refined model with ``columns`` scores gets."""
    leaf_table = columns << rung.depth
    a_tree = leaf_table + _SPLIT_BYTES * rung.depth + _TREE_BYTES
    return rung.trees * a_tree + _GRAPH_BYTES


def refined_candidates(
    model: onnx.ModelProto, *, objective: Objective, seed: int, tiny: bool = False
) -> list[Candidate]:
    """The rungs that are worth their loss, smallest first.

    They are predicted to be faster than ``model`` on the batches of the objective. Where the
    fastest model is wanted, each also as a tree ensemble, as a ladder of its own. ``tiny`` adds
    rungs below the ladder.
    """
    forms: dict[Form, WriteForest] = {Form.REFINED: as_operators}
    if objective != "size":
        forms[Form.REFINED_NODE] = as_tree_ensemble
    rungs = _worth_trying(model, BATCH_ROWS[objective], (TINY if tiny else ()) + LADDER)
    found = []
    for form, write in forms.items():
        for rung in rungs[form]:
            apply = partial(refined, rung=rung, seed=seed, write=write)
            found.append(Candidate(Method.FOREST, apply, form=form, rung=rung))
    return found


def _worth_trying(
    model: onnx.ModelProto, rows: int, ladder: tuple[Rung, ...]
) -> dict[Form, list[Rung]]:
    """By form the rungs that are small enough, and faster on a batch of so many ``rows``."""
    limit = max(model.ByteSize() // _WORTH_IT, size_bytes(LADDER[1], 1))
    declared = declared_columns(model)
    classes = max(declared, 1)
    of_classes = len(model.graph.output) > 1
    columns = 1 if of_classes and declared <= 2 else classes  # two classes need one score
    features, most = count_features(model), plain_seconds(model, rows)
    small = [rung for rung in ladder if size_bytes(rung, columns) <= limit]
    return {
        Form.REFINED: [
            rung for rung in small if refined_seconds(rung, classes, features, rows) < most
        ],
        Form.REFINED_NODE: [
            rung for rung in small if refined_node_seconds(rung, classes, rows) < most
        ],
    }


def refined(
    model: onnx.ModelProto,
    rows: Rows,
    *,
    rung: Rung,
    seed: int,
    write: WriteForest = as_operators,
) -> onnx.ModelProto:
    """``model`` with its trees replaced by a refined forest fitted to ``rows``.

    Raises:
        NotApplicable: the model has no such trees, inputs or outputs.
    """
    parts, distilled, forest = _learned(Task(model, rows, seed), rung)
    return write(model, parts, forest, distilled.answers)


@lru_cache(maxsize=64)  # both ways to write a forest share it
def _learned(task: Task, rung: Rung) -> tuple[Subgraphs, Distillation, ObliviousForest]:
    """The forest of a rung, with what it takes to write it."""
    parts, distilled, bins = _prepared(task)
    return parts, distilled, learned(distilled, bins, rung, seed=task.seed)


@lru_cache(maxsize=8)  # the rungs of a ladder share a model and its rows, and those of a fold
def _prepared(task: Task) -> tuple[Subgraphs, Distillation, Bins]:
    """Where the model is split, what there is to learn, and its rows as bins."""
    parts, distilled, x = prepared(task.model, task.rows, seed=task.seed)
    return parts, distilled, bins_of(distilled, x, split_places(parts))


def prepared(
    model: onnx.ModelProto, rows: Rows, *, seed: int, dense: float = DENSE
) -> tuple[Subgraphs, Distillation, Features]:
    """Where ``model`` is split, what there is to learn, and the features of ``rows`` there.

    ``dense`` is that of :func:`distil`.

    Raises:
        NotApplicable: the model has no such trees, inputs or outputs.
    """
    parts, x = split_at_features(model, rows.feeds)
    outputs = [value.name for value in model.graph.output]
    back = subgraph(model, parts.back, outputs, parts.features)

    def teacher(batch: Features) -> list[NDArray[Any]]:
        feeds: Feeds = {parts.features: batch}
        return run(back, feeds)

    numbers = single_numbers(back)
    found = distil(teacher, x, rows.target, seed=seed, constants=numbers, dense=dense)
    return parts, found, x
