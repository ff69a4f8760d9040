"""Traces of Triton counted in a window."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from onnxpress.conversion.converting import to_onnx
from onnxpress.drift.counting import psi
from onnxpress.drift.profiling import drift_profile, predicted
from onnxpress.drift.shifts import checked_profile, counts_of, shifts
from onnxpress.drift.traces import EXACT, as_traced, requests_in
from onnxpress.drift.window import BLOCKS, Window
from onnxpress.graph.canonical import to_bytes
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import take
from tests.support import several_targets
from tests.support.drift_models import model

MODEL = model("texts/RandomForestClassifier")
FEEDS = MODEL.rows.feeds
PROFILE = drift_profile(MODEL.onnx, MODEL.schema, FEEDS, FEEDS)
TRACE = (  # as Triton 2.51 has written it, with its quotes, which are not escaped twice
    r'[{"id":7,"activity":"TENSOR_QUEUE_INPUT","tensor":{"name":"island","data":"\"Dream\",\"\"",'
    r'"shape":"2,1","dtype":"BYTES"}},'
    r'{"id":7,"activity":"TENSOR_QUEUE_INPUT","tensor":{"name":"X","data":"1.5,nan,inf,-1e+06",'
    r'"shape":"2,2","dtype":"FP32"}},'
    r'{"id":7,"activity":"TENSOR_BACKEND_OUTPUT","tensor":{"name":"label","data":"0,2",'
    r'"shape":"2,1","dtype":"INT64"}},{"id":7,"timestamps":[{"name":"REQUEST_START","ns":1}]}]'
)


def test_a_trace_file_gives_inputs_and_outputs() -> None:
    ((inputs, outputs),) = requests_in(TRACE)
    assert inputs["island"].tolist() == [["Dream"], [""]]
    assert np.array_equal(inputs["X"], [[1.5, np.nan], [np.inf, -1e6]], equal_nan=True)
    assert outputs["label"].tolist() == [[0], [2]]


@pytest.mark.parametrize(
    "text", ["", "[", "{}1", TRACE[:-40], '[{"activity":"TENSOR_QUEUE_INPUT"}]', "[3]"]
)
def test_what_is_no_trace_file_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        requests_in(text)


@given(st.lists(st.floats(width=32), min_size=1))
def test_a_traced_number_is_what_six_digits_of_it_are_read_as(numbers: list[float]) -> None:
    values = np.array(numbers, np.float32)
    written = [np.float32(f"{float(value):.6g}") for value in values]
    assert np.array_equal(as_traced(values), np.array(written, np.float32), equal_nan=True)


def test_many_distinct_numbers_are_rounded_alike() -> None:
    values = np.random.default_rng(0).normal(0, 1e5, 2 * EXACT).astype(np.float32)
    values[:3] = [np.nan, np.inf, 0]
    pieces = np.concatenate([as_traced(part) for part in np.array_split(values, 4)])
    assert np.mean(as_traced(values) == pieces) > 0.999 - 1 / len(values)


def test_the_training_rows_as_traced_have_no_index() -> None:
    window = Window(PROFILE)
    add(window, FEEDS)
    assert {reading.psi for reading in window.readings()} == {0.0}


def test_a_window_forgets_and_does_not_grow() -> None:
    window = Window(PROFILE, rows=100)
    sizes = []
    for start in range(0, 3000, 30):
        add(window, take(FEEDS, np.arange(start, start + 30) % len(MODEL.rows)))
        sizes.append(window.rows)
    assert max(sizes) <= 100 + BLOCKS * 30
    assert len(window.blocks) == BLOCKS
    moved = take({**FEEDS, "body_mass_g": FEEDS["body_mass_g"] + 800}, np.arange(30))
    for _ in range(50):
        add(window, moved)
    found = {reading.name: reading for reading in window.readings()}
    assert found["body_mass_g"].psi > max(0.2, found["body_mass_g"].chance)


def test_the_order_of_requests_does_not_matter() -> None:
    one, other = Window(PROFILE), Window(PROFILE)
    parts = [take(FEEDS, part) for part in np.array_split(np.arange(100), 9)]
    for window, order in ((one, parts), (other, parts[::-1])):
        for part in order:
            add(window, part)
    assert list(one.readings()) == list(other.readings())


def test_rows_of_another_model_are_refused_and_not_counted() -> None:
    window = Window(PROFILE)
    with pytest.raises(ValueError, match="not rows of this model"):
        window.add({"X": np.zeros((1, 3))}, {})
    inputs = {**FEEDS, "island": FEEDS["island"][:1]}
    with pytest.raises(ValueError, match="rows in one request"):
        window.add(inputs, outputs(FEEDS))
    assert window.rows == 0


def test_a_column_that_the_model_does_not_use_is_not_watched() -> None:
    refined = model("regression/refined RandomForestRegressor")
    feeds = refined.rows.feeds
    profile = drift_profile(refined.onnx, refined.schema, feeds, feeds)
    unused = [entry["name"] for entry in profile["features"] if entry["rule"] == "unused"]
    assert unused
    assert not {entry["name"] for entry in Window(profile).entries()} & set(unused)


def test_an_index_of_the_window_is_that_of_its_counts() -> None:
    window = Window(PROFILE)
    half = take(FEEDS, np.arange(100))
    add(window, half)
    island = next(entry for entry in PROFILE["features"] if entry["name"] == "island")
    texts = [text for [text] in island["groups"]]
    now = [int((half["island"] == text).sum()) for text in texts]
    counts = [*now, 0, int((half["island"] == "").sum())]
    found = {reading.name: reading.psi for reading in window.readings()}
    assert found["island"] == psi(island["counts"], counts)


@pytest.mark.parametrize("module", ["counting", "traces", "window"])
def test_what_travels_imports_numpy_and_what_travels_only(module: str) -> None:
    import ast

    from onnxpress.serving.drift_component import SOURCES, TRAVELLING

    tree = ast.parse((SOURCES / f"{module}.py").read_text())
    names = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names += [
        each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names
    ]
    ours = {f"onnxpress.drift.{each}" for each in TRAVELLING}
    others = {name.partition(".")[0] for name in names if name not in ours}
    assert others <= {"numpy", *sys.stdlib_module_names}


def outputs(feeds: Any) -> dict[str, Any]:
    """What a server answers: a label per row, as (rows, 1), and numbers."""
    found = predicted(open_session(MODEL.onnx), feeds)
    return {name: as_traced(values).reshape(-1, 1) for name, values in found.items()}


def add(window: Window, feeds: Any) -> None:
    """Count rows as a trace has them."""
    inputs = {
        name: values if values.dtype.kind == "O" else as_traced(values[:, 0]).reshape(-1, 1)
        for name, values in feeds.items()
    }
    window.add(inputs, outputs(feeds))


def test_a_profile_is_small_and_canonical() -> None:
    again = drift_profile(MODEL.onnx, MODEL.schema, FEEDS, FEEDS)
    assert json.dumps(again) == json.dumps(PROFILE)
    assert len(json.dumps(PROFILE)) < 4000


def test_without_held_out_rows_the_training_rows_tell_labels_but_not_how_sure_they_are() -> None:
    profile = drift_profile(MODEL.onnx, MODEL.schema, FEEDS, take(FEEDS, np.arange(0)))
    (label,) = profile["predictions"]
    assert (label["name"], sum(label["counts"])) == ("label", len(MODEL.rows))


def test_each_of_several_targets_has_an_entry_of_its_own() -> None:
    x, y = several_targets.rows(400)
    model = to_bytes(to_onnx(LinearRegression().fit(x, y), several_targets.schema(), 13))
    profile = drift_profile(model, several_targets.schema(), {"X": x}, {"X": x})
    names = [entry["name"] for entry in profile["predictions"]]
    assert names == ["prediction price", "prediction area"]
    moved = x.copy()
    moved[:, 2] += 2  # which the area alone depends on
    outputs = predicted(open_session(model), {"X": moved})
    counts = counts_of(profile, {"X": moved}, outputs)
    found = {each.name: each.psi for each in shifts(profile, counts) if each.output}
    assert found["prediction area"] > 1
    assert found["prediction price"] < 0.2
    window = Window(checked_profile(profile))
    window.add({"X": moved}, outputs)
    read = {each.name: each.psi for each in window.readings() if each.output}
    assert read == pytest.approx(found, rel=0.1)  # by the digits that traces have
