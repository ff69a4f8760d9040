"""What changes no cell changes no answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_diabetes
from sklearn.ensemble import ExtraTreesRegressor

from onnxpress.drift.cut_points import CutPoints, cut_points
from onnxpress.evaluate.probes.float_order import number, rank
from onnxpress.evaluate.probes.raw_columns import RawColumn
from onnxpress.quantize.forest.lossless.rewrite import rewrite_trees
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Feeds, take
from tests.support.drift_models import COMPARING, COMPUTING, model
from tests.support.forest_probes import converted

ROWS = 300
X = RawColumn("X", 0)


@cache
def points(name: str) -> CutPoints:
    made = model(name)
    return cut_points(onnx.load_from_string(made.onnx), made.rows.feeds)


@cache
def session(name: str) -> Any:
    return open_session(model(name).onnx)


@pytest.mark.parametrize("name", [*COMPARING, "texts/LogisticRegression"])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_rows_in_the_same_cells_get_the_same_answers(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = spread(name, rng)
    others = moved(name, rows, rng)
    assert any((rows[key] != others[key]).any() for key in rows)
    run = session(name).run
    for one, other in zip(run(None, rows), run(None, others), strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes() or list(one) == list(other)


@pytest.mark.parametrize("name", COMPARING)
def test_models_that_only_compare_have_cut_points_for_every_column(name: str) -> None:
    found = points(name)
    assert not found.mixed
    assert any(len(cuts) for cuts in found.numbers.values())


@pytest.mark.parametrize("name", COMPUTING)
def test_numbers_that_a_model_computes_with_have_none(name: str) -> None:
    feeds = model(name).rows.feeds
    numbers = {key for key, values in feeds.items() if values.dtype.kind == "f"}
    assert {column.name for column in points(name).mixed} == numbers


@pytest.mark.parametrize(
    ("operator", "cut"),
    [
        ("Less", np.nextafter(np.float32(1.5), np.float32(-np.inf))),
        ("LessOrEqual", np.float32(1.5)),
        ("Greater", np.float32(1.5)),
        ("GreaterOrEqual", np.nextafter(np.float32(1.5), np.float32(-np.inf))),
    ],
)
def test_a_comparison_has_the_cut_of_its_own_side(operator: str, cut: np.float32) -> None:
    graph = comparing([(operator, "X", 1.5)])
    assert cut_points(graph, feeds()).numbers[X].tolist() == [cut]


def test_an_equality_cuts_on_both_sides() -> None:
    found = cut_points(comparing([("Equal", "X", 2.0)]), feeds()).numbers[X]
    assert found.tolist() == [np.nextafter(np.float32(2), np.float32(0)), 2.0]


@pytest.mark.parametrize(
    ("steps", "cut"),
    [
        ([("Mul", 2.0)], 1.0),
        ([("Sub", 3.0), ("Div", 4.0)], 11.0),
        ([("Mul", -1.0)], None),
    ],
)
def test_a_threshold_behind_a_scaler_is_traced_back(
    steps: list[tuple[str, float]], cut: float | None
) -> None:
    graph = comparing([("LessOrEqual", "inner", 2.0)], steps)
    (found,) = cut_points(graph, feeds()).numbers[X].tolist()
    # falling: -x <= 2 from -2 on, so the last number on the other side is just below
    assert found == (np.nextafter(np.float32(-2), np.float32(-3)) if cut is None else cut)


def test_trees_that_read_negated_columns_have_the_cuts_of_their_originals() -> None:
    """As the lossless form of deep forests does."""
    x, y = load_diabetes(return_X_y=True)
    x = x[:100].astype(np.float32)
    plain = converted(ExtraTreesRegressor(5, random_state=0).fit(x, y[:100]), x)
    small = rewrite_trees(plain, ml_opset=5, mirrored=True)
    assert small.graph.node[0].op_type == "Neg"
    found, wanted = cut_points(small, {"X": x}), cut_points(plain, {"X": x})
    assert not found.mixed
    assert found.numbers.keys() == wanted.numbers.keys()
    for column, cuts in wanted.numbers.items():
        np.testing.assert_array_equal(found.numbers[column], cuts)


def test_a_column_that_is_also_computed_with_has_no_cuts() -> None:
    graph = comparing([("LessOrEqual", "X", 1.5)])
    graph.graph.node.append(helper.make_node("Exp", ["X"], ["e"]))
    graph.graph.output.append(helper.make_tensor_value_info("e", TensorProto.FLOAT, [None, 1]))
    assert cut_points(graph, feeds()) == CutPoints({}, {}, frozenset({X}))


def test_a_column_that_is_an_output_has_no_cuts() -> None:
    graph = comparing([("LessOrEqual", "X", 1.5)])
    graph.graph.node.append(helper.make_node("Identity", ["X"], ["same"]))
    graph.graph.output.append(helper.make_tensor_value_info("same", TensorProto.FLOAT, [None, 1]))
    assert cut_points(graph, feeds()).mixed == {X}


def comparing(
    comparisons: list[tuple[str, str, float]], steps: Sequence[tuple[str, float]] = ()
) -> onnx.ModelProto:
    """A graph that compares the column X, or ``inner``, which the steps make of it."""
    nodes, constants, outputs, at = [], [], [], "X"
    for place, (operator, by) in enumerate(steps):
        constants.append(numpy_helper.from_array(np.array([by], np.float32), f"by{place}"))
        result = "inner" if place == len(steps) - 1 else f"step{place}"
        nodes.append(helper.make_node(operator, [at, f"by{place}"], [result]))
        at = result
    for place, (operator, tensor, threshold) in enumerate(comparisons):
        constants.append(numpy_helper.from_array(np.array([threshold], np.float32), f"t{place}"))
        nodes.append(helper.make_node(operator, [tensor, f"t{place}"], [f"out{place}"]))
        shape = [None, 1]
        outputs.append(helper.make_tensor_value_info(f"out{place}", TensorProto.BOOL, shape))
    data = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph(nodes, "g", [data], outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)


def feeds() -> Feeds:
    return {"X": np.zeros((1, 1), np.float32)}


def spread(name: str, rng: np.random.Generator) -> Feeds:
    """Rows of the table with a share of values at cuts, missing, unknown or far away."""
    rows = model(name).rows
    chosen = take(rows.feeds, rng.integers(0, len(rows), ROWS))
    chosen = {key: values.copy() for key, values in chosen.items()}
    for column, cuts in points(name).numbers.items():
        values = chosen[column.name][:, column.position]
        strange = rng.random(ROWS) < 0.3
        pool = np.concatenate([cuts, np.array([-1e30, 0, 1e30, np.nan], np.float32)])
        values[strange] = rng.choice(pool, int(strange.sum()))
    for column in points(name).texts:
        strange = rng.random(ROWS) < 0.2
        chosen[column.name][strange, 0] = "never seen"
    return chosen


def moved(name: str, rows: Feeds, rng: np.random.Generator) -> Feeds:
    """The same rows with every value at another place in its cell."""
    others = {key: values.copy() for key, values in rows.items()}
    for column, cuts in points(name).numbers.items():
        values = rows[column.name][:, column.position]
        others[column.name][:, column.position] = elsewhere(cuts, values, rng)
    for column, known in points(name).texts.items():
        values = rows[column.name][:, 0]
        unseen = [text not in known and text != "" for text in values]
        others[column.name][unseen, 0] = "neither this"
    return others


def elsewhere(
    cuts: NDArray[np.float32], values: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """A number of the same cell: any, or one of its ends."""
    cell = np.searchsorted(cuts, values, side="left")
    ends = np.array([np.finfo(np.float32).min, *cuts, np.finfo(np.float32).max], np.float32)
    low, high = rank(ends[cell]) + (cell > 0), rank(ends[cell + 1])
    drawn = rng.integers(low, high, endpoint=True)
    drawn = np.choose(rng.integers(0, 3, len(values)), [low, drawn, high])
    return np.where(np.isnan(values), values, number(drawn))
