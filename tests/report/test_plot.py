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

from onnxpress.pipeline.files import read_json
from onnxpress.pipeline.inputs import read_predictions, read_schema
from onnxpress.pipeline.outputs import PICTURES
from onnxpress.report.pictures import candidates, errors, latency, reliability, size
from onnxpress.report.pictures.canvas import png, style
from onnxpress.report.pictures.composition import bytes_by_kind, counts
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
            "errors": errors.draw(read_predictions(), read_schema()),
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
        assert png(errors.draw(read_predictions(), read_schema())) == png(
            errors.draw(read_predictions(), read_schema())
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
        figure = errors.draw(read_predictions(), read_schema())
        figure.draw_without_rendering()
        assert misplaced(figure) == []
    assert "test rows" in [text for text, _ in boxes(figure)]  # the legend of the shades


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
    target = read_predictions()["target"]
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
