from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from bench import bars, cache, report, table
from bench.__main__ import SPLITS, SPLITS_OF_GENERATED, cells, main, run
from bench.data import DATA, ESTIMATORS, split_of
from bench.models import FORMS, Models, count_nodes, make, probe_agreement
from bench.peers import COMPILE_NODES, PEERS, Subject, reason, tl2cgen_c
from bench.suite import Record, Settings

SETTINGS = Settings(trees=5, budget=0.02, seconds=0.05, probes=300)
CELLS = list(cells(["iris"], ["RandomForest"], 2))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the records of the sample are kept."""
    return tmp_path_factory.mktemp("bench") / "rows.jsonl"


@pytest.fixture(scope="module")
def records(store: Path) -> list[Record]:
    """A small forest on two splits of iris, with one peer that cannot be imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(
            sys.modules, "treelite", None
        )  # how Python marks a module that is not to be found
        return run(CELLS, SETTINGS, store, minutes=10)


@pytest.fixture(scope="module")
def rows(records: list[Record]) -> dict[str, table.Row]:
    """The rows of the table by contestant."""
    return {row["contestant"]: row for row in table.rows(records)}


# --- the sample ----------------------------------------------------------------------------------


def test_every_contestant_has_a_row(rows: dict[str, table.Row]) -> None:
    assert list(rows) == [table.NAMES[name] for name in (*FORMS, *PEERS, "floor")]


@pytest.mark.parametrize(
    "name", ["nodes", "kb", "smaller", "score", "lost", "lost_error", "load_ms", "peak_mb"]
)
def test_each_onnx_form_has_sizes_scores_and_load_costs(
    name: str, rows: dict[str, table.Row]
) -> None:
    assert all(np.isfinite(rows[form][name]) for form in ("ONNX", "lossless", "refined"))


@pytest.mark.parametrize("size", [1, 32, 1024])
def test_each_form_and_the_floor_have_latencies(size: int, rows: dict[str, table.Row]) -> None:
    assert all(
        rows[form][f"us_per_row_{size}"] > 0
        for form in ("scikit-learn", "ONNX", "lossless", "refined", "Identity floor")
    )


def test_a_peer_that_cannot_be_imported_is_listed_with_its_reason(
    rows: dict[str, table.Row],
) -> None:
    assert rows["treelite (GTIL)"]["reason"].startswith("not installed")
    assert "score" not in rows["treelite (GTIL)"]


def test_lossless_loses_nothing_and_agrees_on_all_probes(records: list[Record]) -> None:
    assert all(record["score"]["lossless"] == record["score"]["onnx"] for record in records)
    assert all(record["probe_agreement"] == 1 for record in records)


def test_the_lossless_model_is_smaller_than_the_onnx_model(rows: dict[str, table.Row]) -> None:
    assert rows["lossless"]["smaller"] > 1


def test_the_markdown_table_has_as_many_cells_in_every_row_as_in_its_header(
    records: list[Record],
) -> None:
    lines = table.markdown(table.rows(records)).splitlines()
    assert {line.count("|") for line in lines} == {len(table.HEADER) + 1}
    assert len(lines) == 2 + len(FORMS) + len(PEERS) + 1


def test_the_report_is_stored_as_json_and_markdown(records: list[Record], tmp_path: Path) -> None:
    text = report.write(tmp_path, records, SETTINGS)
    assert (tmp_path / "forests.md").read_text(encoding="utf-8") == text
    stored = json.loads((tmp_path / "forests.json").read_text(encoding="utf-8"))
    assert [row["contestant"] for row in stored["rows"]] == [
        row["contestant"] for row in table.rows(records)
    ]
    assert {bar["passed"] for bar in stored["bars"]} <= {True, False, None}


# --- going on ------------------------------------------------------------------------------------


def test_a_second_run_takes_finished_records_from_the_cache(
    records: list[Record], store: Path
) -> None:
    before = store.read_bytes()
    assert run(CELLS, SETTINGS, store, minutes=10) == records
    assert store.read_bytes() == before


def test_a_line_cut_short_is_left_out(records: list[Record], store: Path, tmp_path: Path) -> None:
    cut = tmp_path / "rows.jsonl"
    cut.write_bytes(store.read_bytes()[:-20])
    assert len(cache.read(cut, cache.fingerprint(SETTINGS))) == len(records) - 1


def test_records_of_other_settings_are_not_used(records: list[Record], store: Path) -> None:
    assert records
    assert cache.read(store, cache.fingerprint(Settings(trees=6))) == {}


def test_after_the_time_is_over_only_first_splits_are_made(
    records: list[Record], tmp_path: Path
) -> None:
    half = tmp_path / "rows.jsonl"
    cache.append(half, records[0], cache.fingerprint(SETTINGS))
    assert run(CELLS, SETTINGS, half, minutes=0) == records[:1]


def test_first_splits_of_everything_come_first() -> None:
    first = list(cells(DATA, ESTIMATORS, None))[: len(DATA) * len(ESTIMATORS)]
    assert {split for _, _, split in first} == {0}


def test_generated_data_sets_have_fewer_splits() -> None:
    wanted = list(cells(["iris", "regression_50k"], ["ExtraTrees"], None))
    assert [name for name, _, _ in wanted].count("iris") == SPLITS
    assert [name for name, _, _ in wanted].count("regression_50k") == SPLITS_OF_GENERATED


def test_the_command_line_runs_the_cells_it_names(
    records: list[Record],
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = {
        "data": "iris",
        "estimators": "RandomForest",
        "splits": 2,
        "probes": SETTINGS.probes,
        "trees": SETTINGS.trees,
        "max-accuracy-drop": SETTINGS.budget,
        "seconds": SETTINGS.seconds,
        "cache": store,
        "output": tmp_path,
    }
    line = [word for name, value in arguments.items() for word in (f"--{name}", str(value))]
    monkeypatch.setattr(sys, "argv", ["bench", *line])
    main()
    assert capsys.readouterr().out == (tmp_path / "forests.md").read_text(encoding="utf-8")
    assert len(table.rows(records)) == len(
        json.loads((tmp_path / "forests.json").read_text(encoding="utf-8"))["rows"]
    )


# --- nodes, peers, bars --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def models() -> Models:
    """A forest of five trees on iris in all forms."""
    return make("RandomForest", split_of("iris", 0), 5, 0.02)


def test_the_onnx_model_has_as_many_nodes_as_scikit_learn_counts(models: Models) -> None:
    assert count_nodes(models.forms["onnx"]) == sum(
        tree.tree_.node_count for tree in models.estimator.estimators_
    )


def test_a_threshold_rounded_up_is_seen_by_the_probes(models: Models) -> None:
    wrong = onnx.load_from_string(models.forms["onnx"])
    values = next(
        item.floats
        for node in wrong.graph.node
        for item in node.attribute
        if item.name == "nodes_values"
    )
    values[0] = float(np.nextafter(np.float32(values[0]), np.float32(np.inf)))  # the first root
    broken = Models(
        models.estimator, {**models.forms, "lossless": wrong.SerializeToString()}, models.candidate
    )
    assert probe_agreement(broken, split_of("iris", 0), 2000) < 1


def test_a_model_too_large_to_compile_is_refused_with_the_limit(models: Models) -> None:
    pytest.importorskip("tl2cgen")
    subject = Subject("RandomForest", models.estimator, split_of("iris", 0), 5, COMPILE_NODES + 1)
    with pytest.raises(RuntimeError, match="more than 100,000 nodes"):
        tl2cgen_c(subject)


def test_a_reason_is_a_few_words() -> None:
    assert len(reason(RuntimeError("word " * 100))) <= 80


@pytest.mark.parametrize(
    ("value", "at_least", "passed"),
    [(9.0, True, True), (8.9, True, False), (9.1, False, False), (None, True, None)],
)
def test_a_bar_is_judged_by_its_side(
    value: float | None, at_least: bool, passed: bool | None
) -> None:
    assert bars.Bar("size", value, 9.0, at_least).passed is passed


def test_points_lost_are_paired_means_with_their_standard_error() -> None:
    group: list[dict[str, Any]] = [{"score": {"joblib": score}} for score in (0.9, 0.8)]
    found = table.scored([0.88, 0.8], group)
    assert found["lost"] == pytest.approx(1.0)  # losses of 2 and 0 points
    assert found["lost_error"] == pytest.approx(
        1.0
    )  # their standard deviation, the root of 2, over the root of 2
