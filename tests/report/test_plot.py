"""Pictures: same bytes for same data, labelled, without overlap, and true to the numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from onnxpress.models import MODELS
from onnxpress.pipeline.files import read_json
from onnxpress.pipeline.inputs import predictions_in_pieces, read_schema
from onnxpress.pipeline.outputs import PICTURES
from onnxpress.report.pictures import candidates, errors, latency, reliability, size
from onnxpress.report.pictures.canvas import png, style
from onnxpress.report.pictures.composition import bytes_by_kind, counts
from onnxpress.tables.schema import Schema
from stages.plot import main
from tests.conftest import ROOT
from tests.support.plot_fixtures import classes, forest, make_outputs, measured, quantization

RUNS: dict[str, tuple[Callable[[Any], Any], int]] = {
    "binary": (classes(2), 0),
    "ten classes, many candidates": (classes(10), 14),
    "regression": (lambda x: x[:, 0].astype(np.float64) * 250, 5),
}
"""By what is drawn: the target, and how many candidates there are besides the chosen one."""


@pytest.fixture(scope="module", params=RUNS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the outputs of a run."""
    return make_outputs(tmp_path_factory.mktemp("run"), *RUNS[request.param])


@pytest.fixture(scope="module")
def figures(run: Path) -> Iterator[dict[str, Any]]:
    """Every figure of the run, drawn once."""
    with pytest.MonkeyPatch.context() as patch, style():
        patch.chdir(run)
        detail = read_json(Path("outputs/latency_detail.json"))
        found = {
            "errors": errors.draw(predictions_in_pieces(read_schema()), read_schema()),
            "reliability": reliability.draw(
                read_json(Path("outputs/metrics_detail.json"))["reliability"],
                read_json(Path("outputs/metrics.json")),
                read_schema().task,
            ),
            "size": size.draw(
                30.0,
                *(
                    Path(f"outputs/{name}.onnx").read_bytes()
                    for name in ("model", "model_quantized")
                ),
            ),
            "candidates": candidates.draw(
                read_json(Path("outputs/quantization.json")),
                detail,
                read_json(Path("outputs/metrics.json")),
                read_json(Path("outputs/metrics_detail.json"))["score"]["name"],
            ),
            "latency": latency.draw_distribution(detail),
            "latency_by_batch": latency.draw_sweep(detail),
        }
        for figure in found.values():
            figure.draw_without_rendering()
        yield found


def test_the_stage_draws_every_picture_the_same_under_any_settings_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_outputs(tmp_path, *RUNS["ten classes, many candidates"])
    monkeypatch.chdir(run)
    main()
    first = {name: path.read_bytes() for name, path in PICTURES.items()}
    assert all(data.startswith(b"\x89PNG") for data in first.values())
    (run / "matplotlibrc").write_text("font.size: 30\naxes.facecolor: red\nsavefig.dpi: 20\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7", "TZ": "Asia/Seoul"}
    subprocess.run([sys.executable, "-m", "stages.plot"], cwd=run, env=environment, check=True)
    assert {name: path.read_bytes() for name, path in PICTURES.items()} == first


def test_residuals_are_drawn_the_same_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_outputs(tmp_path, *RUNS["regression"]))
    with style():
        assert png(errors.draw(predictions_in_pieces(read_schema()), read_schema())) == png(
            errors.draw(predictions_in_pieces(read_schema()), read_schema())
        )


def test_every_axis_says_what_it_shows_and_in_which_unit(figures: dict[str, Any]) -> None:
    labels = {
        name: [
            text
            for ax in figure.axes
            for text in (ax.get_xlabel(), ax.get_ylabel(), ax.get_title())
            if text
        ]
        for name, figure in figures.items()
    }
    assert {"file size (KB)", "median time of a call with 30 rows (ms)"} <= set(
        labels["candidates"]
    )
    assert {"file size (KB)", "count"} <= set(labels["size"])
    assert "time of a call with 30 rows (ms, logarithmic)" in labels["latency"]
    assert {"rows per call", "median time of a call (ms)", "times faster (1 is as fast)"} <= set(
        labels["latency_by_batch"]
    )
    assert any("test rows" in text for text in labels["errors"])
    assert any("price $" in text for text in labels["errors"])


def boxes(figure: Any) -> list[tuple[str, Any]]:
    """Every text that is drawn, and where."""
    from matplotlib.axis import Tick
    from matplotlib.text import Text

    hidden = set()
    for ax in figure.axes:
        for axis, limits in ((ax.xaxis, sorted(ax.get_xlim())), (ax.yaxis, sorted(ax.get_ylim()))):
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                shown = isinstance(tick, Tick) and limits[0] <= tick.get_loc() <= limits[1]
                hidden |= set() if shown else {tick.label1, tick.label2}
    texts = [
        text
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in hidden
    ]
    return [
        (text.get_text(), Text.get_window_extent(text)) for text in texts
    ]  # an Annotation's own has its arrow in it


def misplaced(figure: Any) -> list[str]:
    """Texts that stand beyond the edge of the picture or cover each other, by more than a pixel."""
    found = boxes(figure)
    width, height = figure.canvas.get_width_height()
    outside = [
        text
        for text, box in found
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]
    pairs = combinations(found, 2)
    return outside + [
        f"{one} on {other}" for (one, a), (other, b) in pairs if a.padded(-1).overlaps(b.padded(-1))
    ]


def test_no_text_covers_another_or_leaves_the_picture(figures: dict[str, Any]) -> None:
    assert {name: misplaced(figure) for name, figure in figures.items()} == {
        name: [] for name in figures
    }


def test_many_classes_are_shaded_and_none_covers_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_outputs(tmp_path, classes(20), 0))
    with style():
        figure = errors.draw(predictions_in_pieces(read_schema()), read_schema())
        figure.draw_without_rendering()
        assert misplaced(figure) == []
    assert "test rows" in [text for text, _ in boxes(figure)]  # the legend of the shades


def drawn(bins: Any, task: str = "classification") -> Any:
    """The picture of reliability with these bins for every model."""
    metrics = {f"{key}_calibration_error": 0.1 for key in MODELS}
    with style():
        picture = reliability.draw(bins and dict.fromkeys(MODELS, bins), metrics, task)
        picture.draw_without_rendering()
    return picture


ONE_BIN = [{"rows": 1, "confidence": 1.0, "accuracy": 0.0}]
EQUAL = [{"rows": 2000, "confidence": 0.1 * place, "accuracy": 1.0} for place in range(1, 11)]


@pytest.mark.parametrize("bins", [ONE_BIN, EQUAL], ids=["one row", "20,000 rows"])
def test_reliability_has_a_point_for_each_bin_and_model_and_no_text_on_another(
    bins: list[dict[str, float]],
) -> None:
    picture = drawn(bins)
    (left, right) = picture.axes
    points = [line.get_xydata().tolist() for line in left.get_lines()[1:]]
    expected = [[each["confidence"], each["accuracy"]] for each in bins]
    assert points == [pytest.approx(np.array(expected))] * 3
    gaps = [100 * (each["accuracy"] - each["confidence"]) for each in bins]
    assert right.get_lines()[1].get_ydata() == pytest.approx(gaps)
    assert misplaced(picture) == []


def test_the_intervals_of_reliability_are_those_of_the_formula() -> None:
    bins = [
        {"rows": rows, "confidence": 0.5, "accuracy": right / rows}
        for rows, right in ((3, 0), (10, 10), (200, 37))
    ]
    for (low, high), each in zip(np.transpose(reliability.intervals(bins)), bins, strict=True):
        right, rows = round(each["accuracy"] * each["rows"]), int(each["rows"])
        expected = binomtest(right, rows).proportion_ci(method="wilson")
        assert (low, high) == pytest.approx((expected.low, expected.high))


def test_each_model_has_its_calibration_error_in_the_legend() -> None:
    texts = [text for text, _ in boxes(drawn(EQUAL))]
    assert {f"{model.title}: calibration error 0.1" for model in MODELS.values()} <= {*texts}


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("classification", "has decision scores and no"),
        ("regression", "regressor predicts numbers"),
    ],
)
def test_without_probabilities_the_picture_says_why_it_is_empty(task: str, words: str) -> None:
    assert [words in text for text, _ in boxes(drawn(None, task))] == [True]


def a_picture(score: str, original: float, drop: float, **entry: Any) -> Any:
    """The right half of the picture of a candidate that loses ``drop``, and the plain model."""
    record = quantization(5.0, 0)
    record["candidates"][0] |= {"score_drop": drop, **entry}
    sizes = {"original_size_kb": 30.0, "onnx_size_kb": 9.0, f"original_{score}": original}
    with style():
        picture = candidates.draw(record, measured(0), sizes, score)
        picture.draw_without_rendering()
        assert misplaced(picture) == []
    return picture.axes[1]


@pytest.mark.parametrize(
    ("score", "original", "drop", "shown", "unit"),
    [
        ("accuracy", 0.9, 0.012, -1.2, "change of accuracy (percentage points)"),
        ("recall_macro", 0.9, -0.012, 1.2, "change of recall_macro (percentage points)"),
        ("neg_log_loss", -0.3, 0.012, -0.012, "change of neg_log_loss (greater is better)"),
        ("r2", 0.9, 0.012, -0.012, "change of R\N{SUPERSCRIPT TWO} (greater is better)"),
        ("neg_mean_squared_error", -2e6, 3e4, -3e4, "change of neg_mean_squared_error"),
        ("neg_mean_squared_error", -2e-9, 3e-11, -3e-11, "change of neg_mean_squared_error"),
    ],
)
def test_what_a_candidate_costs_is_shown_in_the_unit_of_the_score(
    score: str, original: float, drop: float, shown: float, unit: str
) -> None:
    ax = a_picture(score, original, drop)
    assert ax.get_xlabel().startswith(unit)
    ends = [line.get_xdata()[-1] for line in ax.get_lines()]
    assert any(end == pytest.approx(shown, rel=1e-6) for end in ends)
    low, high = ax.get_xlim()
    assert low < shown < high
    assert high - low < 20 * abs(shown)


def test_a_candidate_that_another_budget_stopped_names_it() -> None:
    ax = a_picture("accuracy", 0.9, 0.0, outcome="over budget", stopped_by="recall_worst_loss")
    assert any("0 (recall_worst_loss)" in text.get_text() for text in ax.texts)


def test_the_chosen_candidate_the_plain_model_and_the_original_are_named(
    figures: dict[str, Any],
) -> None:
    written = {text.lstrip("0123456789 ") for text, _ in boxes(figures["candidates"])}
    assert {"forest/lossless", "ONNX", "original", "chosen", "Pareto front"} <= written


def test_every_scored_candidate_has_its_line_and_no_other(
    run: Path, figures: dict[str, Any]
) -> None:
    entries = read_json(run / "outputs/quantization.json")["candidates"]
    scored = {entry["name"] for entry in entries if "size_kb" in entry}
    lines = {
        text.get_text().rpartition("  ")[0]
        for text in figures["candidates"].axes[1].get_yticklabels()
    }
    assert lines == scored | {"ONNX"}


def test_latency_of_a_candidate_is_the_plain_models_over_its_speedup() -> None:
    detail = measured(2)
    (point,) = [
        point
        for point in candidates.points(
            quantization(5.0, 2), detail, {"original_size_kb": 30.0, "onnx_size_kb": 9.0}
        )
        if point.name == "forest/refined-2x4"
    ]
    plain_ms = detail["batches"]["30"]["models"]["onnx"]["p50_ms"]
    speedup = detail["candidates"]["forest/refined-2x4"]["vs_onnx_speedup"]
    assert point.low_ms <= point.ms <= point.high_ms
    assert (point.ms * speedup["median"], point.low_ms * speedup["high"]) == pytest.approx(
        (plain_ms, plain_ms)
    )


@given(
    st.lists(
        st.tuples(
            st.integers(1, 9), st.integers(1, 9), st.sampled_from(["within budget", "over budget"])
        ),
        max_size=12,
    )
)
def test_the_front_is_what_nothing_else_that_keeps_the_score_is_smaller_and_faster_than(
    drawn: list[tuple[int, int, str]],
) -> None:
    models = [
        candidates.Point(str(i), kb, ms, ms, ms, 0.0, outcome)
        for i, (kb, ms, outcome) in enumerate(drawn)
    ]
    kept = [point for point in models if point.outcome != "over budget"]

    def beaten(point: candidates.Point) -> bool:
        return any(
            other.size_kb <= point.size_kb
            and other.ms <= point.ms
            and (other.size_kb, other.ms) != (point.size_kb, point.ms)
            for other in kept
        )

    found = candidates.front(models)
    assert {(point.size_kb, point.ms) for point in found} == {
        (p.size_kb, p.ms) for p in kept if not beaten(p)
    }
    assert [point.size_kb for point in found] == sorted({point.size_kb for point in found})


def test_bytes_by_kind_are_those_of_the_file_packed_or_not(run: Path) -> None:
    for name in ("model.onnx", "model_quantized.onnx"):
        data = (run / "outputs" / name).read_bytes()
        found = bytes_by_kind(data)
        assert sum(found.values()) == len(data)
        assert 0 < found["tree ensembles"] < len(data)
        assert min(found.values()) >= 0


def test_splits_and_leaves_are_counted_as_scikit_learn_counts_them(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run)
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    (predictions,) = predictions_in_pieces(read_schema())
    target = predictions["target"]
    regression = read_schema().task == "regression"
    estimator = forest(x, target.astype(float) if regression else target)
    leaves = sum(int(tree.get_n_leaves()) for tree in estimator.estimators_)
    splits = sum(int(tree.tree_.node_count) for tree in estimator.estimators_) - leaves
    found = counts((run / "outputs/model.onnx").read_bytes())
    assert (found["tree splits"], found["tree leaves"]) == (splits, leaves)
    assert 0 < counts((run / "outputs/model_quantized.onnx").read_bytes())["tree splits"] <= splits


def test_the_steps_lead_from_the_size_of_the_one_file_to_that_of_the_other(run: Path) -> None:
    plain, quantized = (
        bytes_by_kind((run / "outputs" / f"{name}.onnx").read_bytes())
        for name in ("model", "model_quantized")
    )
    kb = 30.0 + sum(change for _, change in size.steps(30.0, plain, quantized))
    assert kb == pytest.approx((run / "outputs/model_quantized.onnx").stat().st_size / 1024)


def test_each_of_several_targets_has_a_line_of_residuals() -> None:
    truth = np.array([["1", "100"], ["2", "300"], ["4", "200"]])
    told = np.array([["2", "100"], ["2", "330"], ["4", "240"]])
    columns = {"target": truth, "original": truth, "onnx": truth, "quantized": told}
    schema = Schema("regression", ("price", "area"), ())
    with style():
        figure = errors.draw([columns], schema)
    labels = [ax.get_xlabel() for ax in figure.axes]
    assert labels == ["true price", "true price", "true area", "true area"]
    titles = [ax.get_title() for ax in figure.axes]
    assert f"RMSE {np.sqrt(1 / 3):.4g}" in titles[1]
    assert f"RMSE {np.sqrt(2500 / 3):.4g}" in titles[3]
    drawn = figure.axes[3].lines[0].get_ydata()
    assert drawn.tolist() == [0, 30, 40]


def test_of_many_rows_some_are_points_and_all_count() -> None:
    truth = np.arange(100_000)
    told = truth + np.where(truth % 4, 1, 0)
    columns = {"target": truth, "original": truth, "onnx": truth, "quantized": told}
    texts = {name: values.astype(str) for name, values in columns.items()}
    pieces = [
        {n: v[first : first + 33_333] for n, v in texts.items()}
        for first in range(0, 100_000, 33_333)
    ]
    with style():
        figure = errors.draw(pieces, Schema("regression", "price", (), target_std=1.0))
    (_, quantized) = figure.axes
    drawn = quantized.lines[0].get_xdata()
    np.testing.assert_array_equal(drawn, truth[::4])
    assert f"RMSE {np.sqrt(0.75):.4g} on 100,000 test rows" in quantized.get_title()
    assert "1 of 4 rows is drawn" in " ".join(text for text, _ in boxes(figure))
