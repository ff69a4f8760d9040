"""Where a graph compares what it takes from the data, and with what.

A walk over the nodes in their order. Each kind of node has a rule:

1. It moves columns about (Concat, Gather, Transpose, ...): the places move with them.
2. It shifts or scales each column by itself (Scaler, Add, Neg, ...): a new source, one column.
3. It replaces missing values (Imputer, Where): the places stay; missing is a bin of its own.
4. It compares with constants (trees, Less, OneHotEncoder, ...): the thresholds are noted, and what
   comes out holds nothing but results of comparisons.
5. Anything else mixes what it reads: those columns get other bins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxpress.drift.provenance import NOTHING, Provenance, Tracked, reads
from onnxpress.evaluate.probes.raw_columns import RawColumn
from onnxpress.graph.trees.forest import Mode
from onnxpress.graph.trees.graphs import nested
from onnxpress.graph.trees.reader import Untreatable, is_tree, read


@dataclass(frozen=True)
class Comparison:
    """Values of a source that are compared with numbers."""

    source: int
    mode: Mode
    numbers: NDArray[np.float64]


@dataclass
class Comparisons:
    """All comparisons of a graph that read one raw column each."""

    provenance: Provenance
    numbers: list[Comparison] = field(default_factory=list)
    texts: dict[RawColumn, set[str]] = field(default_factory=dict)
    """Of columns of text, the texts that the graph knows."""

    def compare(self, place: int, mode: Mode, numbers: NDArray[Any]) -> None:
        """Note that a source is compared with ``numbers``."""
        if place == NOTHING or not len(numbers):
            return
        source = self.provenance.sources[place]
        if not source.in_order:
            self.provenance.mixed.add(source.column)
        else:
            self.numbers.append(Comparison(place, mode, np.asarray(numbers, np.float64)))


def comparisons_of(model: onnx.ModelProto) -> Comparisons:
    """Return the comparisons of ``model``, and which raw columns are mixed."""
    provenance = Provenance(model)
    found = Comparisons(provenance)
    for node in provenance.nodes:
        rule = _rule_of(node)
        if not any(provenance.columns_of(name) for name in reads(node)):
            _results(provenance, node)
        elif rule is None or not rule(found, node):
            provenance.mix(node)
    for output in provenance.model.graph.output:
        provenance.mixed |= provenance.columns_of(output.name)
    return found


def known_texts(model: onnx.ModelProto) -> dict[str, set[str]]:
    """Return the texts that ``model`` knows, by the input of a column of text that it looks up.

    Trees are passed over: they compare numbers, and may be large.
    """
    rest = onnx.ModelProto(opset_import=model.opset_import)
    rest.graph.input.extend(model.graph.input)
    rest.graph.initializer.extend(model.graph.initializer)
    rest.graph.node.extend(node for node in model.graph.node if not is_tree(node))
    return {column.name: known for column, known in comparisons_of(rest).texts.items()}


Rule = Callable[[Comparisons, onnx.NodeProto], bool]
"""Applies a rule to a node; False if it does not fit, and the node mixes what it reads."""


def _rule_of(node: onnx.NodeProto) -> Rule | None:
    if any(True for _ in nested(node)):
        return None
    return _trees if is_tree(node) else RULES.get(node.op_type)


def _results(provenance: Provenance, node: onnx.NodeProto) -> None:
    """Keep the places of what is made of results only, where a later Concat needs their number."""
    first = provenance.tracked.get(node.input[0]) if node.input else None
    if node.op_type == "Reshape":
        shape = provenance.constant(node.input[1])
        if shape is not None and len(shape) == 2 and shape[1] > 0:
            provenance.tracked[node.output[0]] = Tracked(np.full(int(shape[1]), NOTHING, np.int64))
    elif node.op_type == "Concat" and first is not None:
        _concat(Comparisons(provenance), node)
    elif node.op_type in ("Cast", "Identity") and first is not None:
        provenance.tracked[node.output[0]] = first
    elif node.op_type == "Gather" and _attributes(node).get("axis", 0) == 0:
        table = provenance.constant(node.input[0])  # rows of a table, chosen by number
        if table is not None and table.ndim == 2:
            provenance.tracked[node.output[0]] = Tracked(np.full(table.shape[1], NOTHING, np.int64))


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def _same(found: Comparisons, node: onnx.NodeProto) -> bool:
    provenance, name = found.provenance, node.input[0]
    if name in provenance.tracked:
        provenance.tracked[node.output[0]] = provenance.tracked[name]
    else:
        provenance.spread[node.output[0]] = provenance.columns_of(name)
    return True


def _cast(found: Comparisons, node: onnx.NodeProto) -> bool:
    kept = (TensorProto.FLOAT, TensorProto.DOUBLE)
    return _attributes(node)["to"] in kept and _rescaled(found, node)


def _concat(found: Comparisons, node: onnx.NodeProto) -> bool:
    tracked = found.provenance.tracked
    parts = [tracked.get(name) for name in node.input]
    if _attributes(node).get("axis") not in (1, -1):
        return False
    known = [each for each in parts if each and not each.rows_last and each.places.ndim == 1]
    if len(known) != len(parts):
        return False
    tracked[node.output[0]] = Tracked(np.concatenate([each.places for each in known]))
    return True


def _transpose(found: Comparisons, node: onnx.NodeProto) -> bool:
    tracked = found.provenance.tracked
    given = tracked.get(node.input[0])
    if given is None or given.places.ndim != 1 or _attributes(node).get("perm", [1, 0]) != [1, 0]:
        return False
    tracked[node.output[0]] = Tracked(given.places, rows_last=not given.rows_last)
    return True


def _gather(found: Comparisons, node: onnx.NodeProto) -> bool:
    provenance = found.provenance
    given, index = provenance.tracked.get(node.input[0]), provenance.constant(node.input[1])
    extracts = node.op_type == "ArrayFeatureExtractor"
    if given is None or given.places.ndim != 1 or index is None:
        return False
    axis = 1 if extracts else _attributes(node).get("axis", 0)
    if axis != (0 if given.rows_last else 1) and not (axis == -1 and not given.rows_last):
        return False
    index = index.reshape(-1) if extracts else index
    if not given.rows_last and index.ndim != 1:
        return False
    provenance.tracked[node.output[0]] = Tracked(given.places[index], given.rows_last)
    return True


def _reshape(found: Comparisons, node: onnx.NodeProto) -> bool:
    """A column (rows, 1) to (rows,) or back: the only shapes that keep their places."""
    provenance = found.provenance
    given, shape = provenance.tracked.get(node.input[0]), provenance.constant(node.input[1])
    if given is None or shape is None or given.places.size != 1 or given.rows_last:
        return False
    if shape.tolist() not in ([-1], [-1, 1]):
        return False
    provenance.tracked[node.output[0]] = Tracked(given.places.reshape(-1))
    return True


def _rescaled(found: Comparisons, node: onnx.NodeProto) -> bool:
    """Each place anew, from the same column."""
    provenance = found.provenance
    given = provenance.tracked.get(node.input[0])
    if given is None or given.rows_last or given.places.ndim != 1:
        return False
    sources = provenance.sources
    columns = _columns(provenance, given)
    if any(column and column.name in provenance.texts for column in columns):
        return False
    kept = all(sources[int(at)].in_order for at in given.places if at != NOTHING)
    provenance.set_sources(node.output[0], columns, in_order=kept)
    return True


def _by_place(found: Comparisons, node: onnx.NodeProto) -> bool:
    """Each place anew from itself, in some other order: Abs, Sign, Floor."""
    provenance = found.provenance
    if not _rescaled(found, node):
        return False
    columns = _columns(provenance, provenance.tracked[node.output[0]])
    provenance.set_sources(node.output[0], columns, in_order=False)
    return True


def _columns(provenance: Provenance, given: Tracked) -> list[RawColumn | None]:
    sources = provenance.sources
    return [None if at == NOTHING else sources[int(at)].column for at in given.places]


def _of_the_same_places(found: Comparisons, node: onnx.NodeProto) -> bool:
    """Two tensors with the same column at each place, such as size and sign of one."""
    provenance = found.provenance
    parts = [provenance.tracked.get(name) for name in node.input]
    known = [each for each in parts if each and not each.rows_last and each.places.ndim == 1]
    if len(known) != 2:
        return False
    one, other = (_columns(provenance, each) for each in known)
    if one != other:
        return False
    provenance.set_sources(node.output[0], one, in_order=False)
    return True


def _scaler(found: Comparisons, node: onnx.NodeProto) -> bool:
    factors = np.asarray(_attributes(node).get("scale", [1.0]))
    return _keeps_order(factors) and _rescaled(found, node)


def _arithmetic(found: Comparisons, node: onnx.NodeProto) -> bool:
    """Add, Sub, Mul and Div with one number per column, or one for all."""
    provenance = found.provenance
    given, by = provenance.tracked.get(node.input[0]), provenance.constant(node.input[1])
    if by is None:
        return _of_the_same_places(found, node)
    if given is None or by.size not in (1, given.places.size):
        return False
    if by.ndim > 1 and by.shape[0] != 1:
        return False
    fits = np.isfinite(by).all() if node.op_type in ("Add", "Sub") else _keeps_order(by)
    return bool(fits) and _rescaled(found, node)


def _keeps_order(factors: NDArray[Any]) -> bool:
    """Whether a product with these rises or falls, and so does not merge all values."""
    return bool((np.isfinite(factors) & (factors != 0)).all())


def _imputer(found: Comparisons, node: onnx.NodeProto) -> bool:
    replaced = _attributes(node).get("replaced_value_float", 0.0)
    return bool(np.isnan(replaced)) and _same(found, node)


def _where(found: Comparisons, node: onnx.NodeProto) -> bool:
    """A choice by results between a constant and columns: in a bin it is one or the other."""
    provenance = found.provenance
    condition, *values = node.input
    if provenance.columns_of(condition):
        return False
    columns = [name for name in values if provenance.columns_of(name)]
    others = [name for name in values if not provenance.columns_of(name)]
    given = provenance.tracked.get(columns[0]) if len(columns) == 1 else None
    constant = provenance.constant(others[0]) if others else None
    if given is None or constant is None or constant.size not in (1, given.places.size):
        return False
    provenance.tracked[node.output[0]] = given
    return True


def _is_nan(found: Comparisons, node: onnx.NodeProto) -> bool:
    del found, node  # missing is a bin of its own
    return True


def _trees(found: Comparisons, node: onnx.NodeProto) -> bool:
    provenance = found.provenance
    given = provenance.tracked.get(node.input[0])
    if given is None or given.rows_last or given.places.ndim != 1:
        return False
    try:
        forest = read(node, np.float64)
    except Untreatable:
        return False
    if forest.feature.max(initial=-1) >= len(given.places):
        return False
    places = given.places[forest.feature]
    members = forest.mode == Mode.MEMBER
    for at in np.flatnonzero(members):
        found.compare(int(places[at]), Mode.MEMBER, forest.member_sets[int(forest.threshold[at])])
    # a run per place and mode, its thresholds rising
    order = np.lexsort((forest.threshold, forest.mode, places))
    order = order[~members[order]]
    kinds = np.stack([places[order], forest.mode[order].astype(np.int64)])
    starts = np.flatnonzero(np.r_[True, (kinds[:, 1:] != kinds[:, :-1]).any(axis=0)][: len(order)])
    for start, run in zip(starts, np.split(order, starts[1:]), strict=True):
        place, mode = kinds[:, start]
        found.compare(int(place), Mode(mode), np.unique(forest.threshold[run]))
    return True


_MODES = {
    "Less": Mode.LT,
    "LessOrEqual": Mode.LEQ,
    "Greater": Mode.GT,
    "GreaterOrEqual": Mode.GTE,
    "Equal": Mode.EQ,
}


def _compare(found: Comparisons, node: onnx.NodeProto) -> bool:
    """A tracked tensor against constants of the same places."""
    provenance = found.provenance
    given, by = provenance.tracked.get(node.input[0]), provenance.constant(node.input[1])
    if given is None or by is None or by.dtype.kind not in "fiu":
        return False
    places = given.places[..., None] if given.rows_last else given.places[None]
    try:
        places, numbers = np.broadcast_arrays(places, by)
    except ValueError:
        return False
    rows = -1 if given.rows_last else 0
    if by.ndim and by.ndim == places.ndim and by.shape[rows] != 1:
        return False
    for place in np.unique(places):
        found.compare(int(place), _MODES[node.op_type], np.unique(numbers[places == place]))
    return True


def _encoder(found: Comparisons, node: onnx.NodeProto) -> bool:
    """OneHotEncoder and LabelEncoder of one column of text: the texts that they know."""
    provenance, attributes = found.provenance, _attributes(node)
    known = attributes.get("cats_strings") or attributes.get("keys_strings")
    given = provenance.tracked.get(node.input[0])
    if not known or given is None or given.places.size != 1:
        return False
    (column,) = provenance.columns_of(node.input[0])
    found.texts.setdefault(column, set()).update(text.decode() for text in known)
    width = len(known) if node.op_type == "OneHotEncoder" else 1
    provenance.tracked[node.output[0]] = Tracked(np.full(width, NOTHING, np.int64))
    return True


RULES: dict[str, Rule] = {
    "Identity": _same,
    "Cast": _cast,
    "Concat": _concat,
    "Transpose": _transpose,
    "Gather": _gather,
    "ArrayFeatureExtractor": _gather,
    "Reshape": _reshape,
    "Neg": _rescaled,
    "Scaler": _scaler,
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _arithmetic),
    **dict.fromkeys(("Abs", "Sign", "Floor"), _by_place),
    "Imputer": _imputer,
    "Where": _where,
    "IsNaN": _is_nan,
    **dict.fromkeys(_MODES, _compare),
    **dict.fromkeys(("OneHotEncoder", "LabelEncoder"), _encoder),
}
