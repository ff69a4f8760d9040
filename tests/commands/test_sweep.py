"""What a sweep file may hold, the errors if it does not, and how the points of a sweep compare."""

from __future__ import annotations

import itertools
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from onnxpress.commands.sweep.outcomes import Outcome, failure
from onnxpress.commands.sweep.overrides import overrides
from onnxpress.commands.sweep.pareto import Entry, as_json, best
from onnxpress.commands.sweep.points import Point, Sweep, read_sweep
from onnxpress.commands.sweep.table import headings, print_table, raise_failures
from onnxpress.commands.sweep.workspace import alone
from onnxpress.errors import GateFailed, ServerError, UserError
from onnxpress.pipeline.yaml_file import read_yaml
from tests.conftest import ROOT, changed, default_params, write_params
from tests.support.nasty import WORDS

ODD_TEXTS = (
    "it's",
    "back\\",
    "back\\'quote",
    "a,b=c{d}[e]",
    "1",
    "true",
    "null",
    "",
    " x ",
    "한",
    "~x",
    "a:b",
)


def swept(folder: Path, text: str, state: str = "") -> Sweep:
    path = folder / "sweep.yaml"
    path.write_text(text, encoding="utf-8")
    return read_sweep(Path(path.name), state)


def test_the_bundled_file_is_a_grid_of_four_points(workspace: Path) -> None:
    shutil.copy(ROOT / "sweep.yaml", workspace)
    sweep = read_sweep(Path("sweep.yaml"), "")
    assert (sweep.name, len(sweep.points)) == ("forests", 4)


def test_a_grid_is_every_combination_in_order(workspace: Path) -> None:
    sweep = swept(workspace, "grid: {seed: [1, 2], quantize.method: [auto, none]}")
    assert [str(point) for point in sweep.points] == [
        "seed=1, quantize.method=auto",
        "seed=1, quantize.method=none",
        "seed=2, quantize.method=auto",
        "seed=2, quantize.method=none",
    ]


def test_a_list_has_its_own_keys_in_each_point(workspace: Path) -> None:
    sweep = swept(
        workspace, "name: mine\nlist:\n  - {train.estimator: SVC, train.params: {}}\n  - {seed: 3}"
    )
    assert sweep.keys == ["train.estimator", "train.params", "seed"]
    assert sweep.points[0].content["train"] == {
        **default_params()["train"],
        "estimator": "SVC",
        "params": {},
    }
    assert sweep.points[1].content == default_params(seed=3)


def test_equal_points_are_one_and_the_name_tells_params_and_code_apart(workspace: Path) -> None:
    # The first two are params.yaml unchanged.
    text = "list: [{seed: 42}, {quantize.method: auto}, {seed: 7}]"
    names = [point.name for point in swept(workspace, text, "a commit").points]
    assert len(names) == 2
    assert names == [point.name for point in swept(workspace, text, "a commit").points]
    assert not {*names} & {point.name for point in swept(workspace, text, "another").points}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "grid: {quantize.methd: [none]}",
            "sweep.yaml: unknown key 'quantize.methd'; did you mean 'method'?",
        ),
        (
            "grid: {quantise.method: [none]}",
            "sweep.yaml: unknown key 'quantise'; did you mean 'quantize'?",
        ),
        (
            "grid: {quantize.method: [none, int4]}",
            "sweep.yaml: quantize.method should be 'auto', 'none'",
        ),
        ("grid: {seed.x: [1]}", "sweep.yaml: unknown key 'seed.x'; seed is not a section"),
        (
            "grid: {quantize.method: none}",
            "quantize.method should have a list of the values to try",
        ),
        (
            "grid: {quantize: [{method: none}]}",
            "quantize is a section; name its keys one by one, as in quantize.budget",
        ),
        (
            "grid: {train.params.missing_values: [.nan]}",
            "train.params.missing_values should be text, a number, true",
        ),
        ("grid: {train.params.day: [2026-01-02]}", "got datetime.date(2026, 1, 2)"),
        ("grid: {seed: []}", "seed should have a list"),
        ("grid: []", "grid should be keys of params.yaml"),
        ("list: [1]", "list should hold points"),
        ("seed: [1]", "should hold `grid:`"),
        ("{grid: {seed: [1]}, list: [{seed: 1}]}", "should hold `grid:`"),
        ("{name: a b, grid: {seed: [1]}}", "name should be letters, digits, - and _, got 'a b'"),
        ("grid: {seed: [1], seed: [2]}", "key 'seed' occurs twice"),
        ("", "got an empty file"),
    ],
)
def test_a_mistake_is_named_before_anything_is_queued(
    workspace: Path, text: str, expected: str
) -> None:
    with pytest.raises(UserError) as error:
        swept(workspace, text)
    assert expected in str(error.value)


@pytest.mark.parametrize(
    "value",
    [*ODD_TEXTS, None, True, 1, 1.0, 1e-7, [1, "a'b"], [], {}, {"k": None, "x": {"z": "it's"}}],
)
def test_dvc_makes_the_points_params_of_the_overrides(workspace: Path, value: Any) -> None:
    new = default_params(train__estimator="SVC", train__params={"added": value})
    apply_overrides("params.yaml", list(overrides(default_params(), new)))
    made = read_yaml(workspace / "params.yaml", "")
    assert made == new
    assert type(made["train"]["params"]["added"]) is type(value)


INTERPOLATED = [
    "${oc.env:HOME}",
    "a${b}c",
    "\\${x}",
    "\\\\${x}",
    "${a:${b}}",
    "end${x}\\",
    "it's ${x}",
    "${",
]


@pytest.mark.parametrize("value", [*WORDS, *INTERPOLATED])
def test_a_value_arrives_literally_or_is_refused_before_anything_is_queued(
    workspace: Path, value: str
) -> None:
    (workspace / "sweep.yaml").write_text(
        yaml.safe_dump(
            {"list": [{"train.params": {"x": [value, {"k": value}]}}]}, default_style='"'
        )
    )
    wanted = default_params(train__params={"x": [value, {"k": value}]})
    if value in REFUSED_VALUES:
        with pytest.raises(UserError, match="sweep.yaml: dvc cannot give an experiment the params"):
            read_sweep(workspace / "sweep.yaml", "")
        return
    (point,) = read_sweep(workspace / "sweep.yaml", "").points
    apply_overrides("params.yaml", overrides(default_params(), point.content))
    assert read_yaml(workspace / "params.yaml", "") == wanted


REFUSED_VALUES = {"???", "a\x85b"}
"""OmegaConf's word for a value that is yet to come, and a letter that ends a line in DVC's YAML."""


def test_what_is_not_swept_is_not_interpolated_either(workspace: Path) -> None:
    old = default_params(
        publish__experiment="${oc.env:HOME}", train__params={"a": ["${oc.env:HOME}"]}
    )
    write_params(workspace, old)
    (workspace / "sweep.yaml").write_text("list: [{seed: 1}]")
    (point,) = read_sweep(workspace / "sweep.yaml", "").points
    apply_overrides("params.yaml", overrides(old, point.content))
    assert read_yaml(workspace / "params.yaml", "") == {**old, "seed": 1}


@pytest.mark.parametrize("key", ["한글", "a b=c", "1", "a:b", "${oc.env:HOME}", "null", "", "a\0b"])
def test_a_key_that_dvc_would_change_is_refused(workspace: Path, key: str) -> None:
    (workspace / "sweep.yaml").write_text(
        yaml.safe_dump({"list": [{"train.params.class_weight": {key: 1.0}}]})
    )
    with pytest.raises(UserError, match="dvc cannot give an experiment the params"):
        read_sweep(workspace / "sweep.yaml", "")


def test_numbers_stay_keys_of_their_kind(workspace: Path) -> None:
    old = default_params(train__params={"class_weight": {0: 1.0, 1: 1.0}})
    new = default_params(train__params={"class_weight": {0: 2.0, 2: 3.0}})
    write_params(workspace, old)
    apply_overrides("params.yaml", overrides(old, new))
    assert read_yaml(workspace / "params.yaml", "") == new


@pytest.mark.parametrize("name", ["a#b", "a?b", "한글", "a\nb"])
def test_a_path_in_which_dvc_runs_no_experiments_is_refused_at_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name / ".dvc").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / name)
    with pytest.raises(UserError, match="DVC runs no experiments in a path with"), alone():
        pass


def test_params_that_are_the_same_need_no_override() -> None:
    assert list(overrides(default_params(), default_params())) == []


def test_params_with_odd_values_need_no_override_either() -> None:
    odd = default_params(train__params={"missing_values": float("nan"), "day": date(2026, 1, 2)})
    assert list(overrides(odd, odd)) == []


def entry(
    name: str, *costs: float, reason: str = "", code: int | None = None, **params: Any
) -> Entry:
    """A point of size, latency and accuracy."""
    names = ("quantized_size_kb", "quantized_latency_ms", "quantized_accuracy")
    point = Point(name, {"seed": name}, changed(default_params(), **params))
    return Entry(point, Outcome(dict(zip(names, costs, strict=False)), reason, code))


def test_the_front_is_what_nothing_else_beats() -> None:
    entries = [
        entry("small", 1.0, 2.0, 0.9),
        entry("fast", 2.0, 1.0, 0.9),
        entry("good", 2.0, 2.0, 0.95),
        entry("beaten by good", 2.0, 2.0, 0.9),
        entry("as small", 1.0, 2.0, 0.9),
        entry("failed", reason="gate: no", code=3),
    ]
    assert best(entries) == {"small", "fast", "good", "as small"}


def test_a_grid_of_costs_has_one_point_on_its_front() -> None:
    entries = [
        entry(str(costs), *costs) for costs in itertools.product((1.0, 2.0), (1.0, 2.0), (0.5, 0.6))
    ]
    assert best(entries) == {str((1.0, 1.0, 0.6))}


def test_scores_on_other_rows_do_not_compare() -> None:
    entries = [entry("a", 1.0, 1.0, 0.9), entry("b", 2.0, 2.0, 0.8, seed=7)]
    assert best(entries) == {"a", "b"}


def scored(name: str, score: str | None, **metrics: float) -> Entry:
    """A point of one size and latency that is made for a score."""
    found = {f"quantized_{key}": value for key, value in metrics.items()}
    sizes = {"quantized_size_kb": 1.0, "quantized_latency_ms": 1.0}
    content = default_params()
    content["evaluate"]["score"] = score
    return Entry(Point(name, {"seed": name}, content), Outcome(sizes | found))


def test_the_front_is_that_of_the_chosen_score() -> None:
    entries = [
        scored("a", "average_precision", average_precision=0.8, accuracy=0.9),
        scored("b", "average_precision", average_precision=0.7, accuracy=0.99),
    ]
    assert best(entries) == {"a"}
    losses = [
        scored("a", "neg_log_loss", neg_log_loss=-0.1),
        scored("b", "neg_log_loss", neg_log_loss=-0.3),
    ]
    assert best(losses) == {"a"}


def test_the_front_of_rankers_is_that_of_their_score() -> None:
    """R2 says nothing about a raw score, and is measured all the same."""
    rankers = [scored("a", None, ndcg=0.9, r2=-3.0), scored("b", None, ndcg=0.8, r2=-1.0)]
    assert best(rankers) == {"a"}
    others = [scored("a", None, ndcg=0.9, r2=0.2), scored("b", None, ndcg=0.8, r2=0.5)]
    for each in others:
        each.point.content["evaluate"]["also"] = ["ndcg"]
    assert best(others) == {"b"}
    for each in others:
        each.point.content["train"]["estimator"] = "lightgbm.LGBMRanker"
    assert best(others) == {"a"}


def test_different_scores_do_not_compare_and_the_table_names_each(
    capsys: pytest.CaptureFixture[str],
) -> None:
    entries = [scored("a", None, accuracy=0.9), scored("b", "neg_log_loss", neg_log_loss=-0.3)]
    assert best(entries) == {"a", "b"}
    print_table(Sweep("mine", tuple(item.point for item in entries)), "mine on abc", entries)
    shown = capsys.readouterr().out
    assert "accuracy 0.9000" in shown
    assert "neg_log_loss -0.3000" in shown


def test_the_table_has_the_score_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    entries = [scored("a", "roc_auc", roc_auc=0.9)]
    print_table(Sweep("mine", tuple(item.point for item in entries)), "mine on abc", entries)
    assert "roc_auc" in capsys.readouterr().out


LOG = """
Running stage 'gate':
> exec python -m stages.gate
  FAILED: the size
gate: 1 of 2 gates failed
ERROR: failed to reproduce 'gate': failed to run: exec python -m stages.gate, exited with 3
"""


def test_a_failed_experiment_is_told_in_its_stages_own_line() -> None:
    found = failure(LOG)
    assert (found.reason, found.exit_code, found.settled, found.gated) == (
        "gate: 1 of 2 gates failed",
        3,
        True,
        True,
    )


@pytest.mark.parametrize(
    ("code", "settled"), [(1, False), (2, True), (3, True), (4, False), (-9, False), (143, False)]
)
def test_only_what_would_end_the_same_again_is_settled(code: int, settled: bool) -> None:
    assert (
        failure(
            f"ERROR: failed to reproduce 'train': failed to run: exec python, exited with {code}"
        ).settled
        is settled
    )


def test_an_experiment_without_an_ended_stage_was_interrupted_and_is_run_again() -> None:
    assert (failure("").reason, failure("").settled) == ("was interrupted", False)
    assert failure("> exec python\nRunning\n").reason == "was interrupted: Running"
    assert failure("", "LockError: no").reason == "was interrupted: LockError: no"


def test_gates_are_results_and_other_failures_are_errors() -> None:
    raise_failures(
        [entry("a", 1.0, 1.0, 1.0), entry("b", reason="gate: no", code=GateFailed.exit_code)]
    )
    with pytest.raises(UserError, match="1 of 2 points failed, first seed=b: train: no") as error:
        raise_failures([entry("a", 1.0, 1.0, 1.0), entry("b", reason="train: no", code=2)])
    assert error.value.exit_code == 2
    with pytest.raises(ServerError):
        raise_failures([entry("b", reason="publish: no answer", code=4)])


def test_the_table_marks_the_front_and_lists_failures_below(
    capsys: pytest.CaptureFixture[str],
) -> None:
    entries = [
        entry("a", 4.0, 2.0, 0.9),
        entry("b", 1.0, 1.0, 0.9),
        entry("c", reason="gate: [no]", code=3),
    ]
    print_table(Sweep("mine", tuple(item.point for item in entries)), "mine on abc", entries)
    lines = capsys.readouterr().out.splitlines()
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in lines
        if line.startswith("│")
    ]
    assert rows == [["*", "b", "b", "1.0", "1", "0.9000"], ["", "a", "a", "4.0", "2", "0.9000"]]
    assert "failed: seed=c: gate: [no]" in lines


def test_headings_are_short_where_that_tells_keys_apart() -> None:
    assert headings(["train.params.n_estimators", "quantize.method"]) == ["n_estimators", "method"]
    same = ["gate.max_drop.score", "quantize.max_drop.score"]
    assert headings(same) == same


def test_a_script_gets_every_point_with_the_same_keys() -> None:
    answer: Any = as_json(
        "mine", "mine on abc", [entry("a", 4.0, 2.0, 0.9), entry("c", reason="gate: no", code=3)]
    )
    assert answer["points"] == [
        {
            "experiment": "a",
            "values": {"seed": "a"},
            "state": "measured",
            "reason": None,
            "exit_code": None,
            "size_kb": 4.0,
            "latency_ms": 2.0,
            "score": 0.9,
            "score_name": "quantized_accuracy",
            "on_front": True,
        },
        {
            "experiment": "c",
            "values": {"seed": "c"},
            "state": "failed",
            "reason": "gate: no",
            "exit_code": 3,
            "size_kb": None,
            "latency_ms": None,
            "score": None,
            "score_name": None,
            "on_front": False,
        },
    ]
