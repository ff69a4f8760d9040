from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from sklearn.linear_model import LogisticRegression

from onnxpress.certify.evidence import min_onnxruntime
from onnxpress.conversion.converting import to_onnx
from onnxpress.engine.engine import HERE
from onnxpress.graph.canonical import to_bytes
from onnxpress.pipeline.files import read_json
from onnxpress.pipeline.outputs import candidate_name
from onnxpress.quantize.candidates import Candidate, Method, NotApplicable, Rung
from onnxpress.quantize.dense.dynamic import dynamic
from onnxpress.quantize.dense.stored import dense_candidates, float16
from onnxpress.quantize.methods import METHODS, list_candidates
from onnxpress.quantize.options import MethodName, Objective, Options
from onnxpress.quantize.trials import Clones, cross_fits
from onnxpress.runtime.sessions import open_session, predict_onnx
from onnxpress.tables.rows import Rows
from stages import convert, prepare, quantize, train
from tests.conftest import default_params, digits_rows, numeric_schema, write_params
from tests.support.choosing import CALIBRATION, TRAIN, chosen, outcomes


def label(model: bytes, rows: Rows) -> Any:
    return predict_onnx(open_session(model), rows.feeds).values


def restamp(model: onnx.ModelProto, _rows: Rows) -> onnx.ModelProto:
    """What quantize_dynamic does to a forest: other names, another opset, the same operators."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    result.producer_name = "onnx.quantize"
    result.opset_import.add(domain="com.microsoft", version=1)
    return result


def grow(model: onnx.ModelProto, _rows: Rows) -> onnx.ModelProto:
    """A change that makes the model larger."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    result.graph.initializer.append(numpy_helper.from_array(np.zeros(10**6, np.float32), "ballast"))
    return result


def keep(share: float) -> Any:
    """A rung of a ladder: half precision, and so much of each hidden layer's rows kept."""

    def apply(model: onnx.ModelProto, rows: Rows) -> onnx.ModelProto:
        small = float16(model, rows)
        for tensor in small.graph.initializer:
            if len(tensor.dims) == 2 and tensor.dims[0] == 256:
                weights = numpy_helper.to_array(tensor).copy()
                weights[int(share * 256) :] = 0
                tensor.CopyFrom(numpy_helper.from_array(weights, tensor.name))
        return small

    return apply


@pytest.mark.parametrize(
    ("method", "share"), [("dynamic", 0.3), ("static", 0.45), ("float16", 0.55), ("dense", 0.3)]
)
def test_an_mlp_gets_smaller_and_keeps_its_score(
    method: MethodName, share: float, digits_mlp_onnx: onnx.ModelProto
) -> None:
    candidates = list_candidates(digits_mlp_onnx, Options(method, level="lossless"))
    choice = chosen(digits_mlp_onnx, candidates, max_drop=0.01)
    assert choice.method == method
    assert len(choice.model) < len(to_bytes(digits_mlp_onnx)) * share
    assert (
        label(choice.model, CALIBRATION) == label(to_bytes(digits_mlp_onnx), CALIBRATION)
    ).mean() > 0.98


@pytest.mark.parametrize("method", ["dynamic", "static", "float16", "dense"])
def test_onnxruntimes_quantisers_do_nothing_to_a_forest_and_that_is_said(
    method: MethodName, digits_forest_onnx: onnx.ModelProto
) -> None:
    candidates = list_candidates(digits_forest_onnx, Options(method))
    choice = chosen(digits_forest_onnx, candidates)
    assert outcomes(choice) == {method: "not applicable"}
    assert choice.model == to_bytes(digits_forest_onnx)
    assert choice.to_json()["modified"] is False
    assert choice.summary == (
        "no candidate is smaller and within the budget: "
        "model_quantized.onnx is the plain ONNX model"
    )


@pytest.mark.parametrize(
    ("apply", "outcome"),
    [(restamp, "unchanged"), (grow, "not smaller"), (keep(0.1), "over budget")],
)
def test_nothing_unchanged_larger_or_worse_is_passed_on(
    apply: Any, outcome: str, digits_mlp_onnx: onnx.ModelProto
) -> None:
    choice = chosen(digits_mlp_onnx, [Candidate("it", apply)], max_drop=0.0)
    assert outcomes(choice) == {"it": outcome}
    assert choice.model == to_bytes(digits_mlp_onnx)
    assert choice.candidate == "none"


def test_a_candidate_that_fails_or_makes_an_invalid_model_is_a_verdict_and_not_the_end(
    digits_mlp_onnx: onnx.ModelProto,
) -> None:
    def fail(_model: onnx.ModelProto, _rows: Rows) -> onnx.ModelProto:
        raise RuntimeError("no such kernel")

    def invalid(model: onnx.ModelProto, _rows: Rows) -> onnx.ModelProto:
        result = onnx.ModelProto()
        result.CopyFrom(model)
        del result.graph.node[0]
        return result

    def small(model: onnx.ModelProto, _rows: Rows) -> onnx.ModelProto:
        return float16(model, TRAIN)

    candidates = [Candidate("fail", fail), Candidate("invalid", invalid), Candidate("small", small)]
    choice = chosen(digits_mlp_onnx, candidates, max_drop=0.01)
    assert outcomes(choice) == {"fail": "failed", "invalid": "failed", "small": "chosen"}
    assert "no such kernel" in choice.verdicts[0].reason


def test_the_smallest_within_the_budget_wins(digits_mlp_onnx: onnx.ModelProto) -> None:
    candidates = list_candidates(digits_mlp_onnx, Options())
    choice = chosen(digits_mlp_onnx, candidates, max_drop=0.02)
    sizes = {
        verdict.name: verdict.size_kb for verdict in choice.verdicts if verdict.size_kb is not None
    }
    assert {"dynamic", "static", "float16", "dense/int8", "dense/int4"} <= set(sizes)
    passed = ("chosen", "within budget")
    sizes = {name: size for name, size in sizes.items() if outcomes(choice)[name] in passed}
    assert "dense/int8" in sizes
    least = min(size for size in sizes.values() if size)
    assert choice.candidate == next(
        name for name, size in sizes.items() if size and size <= 1.05 * least
    )


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ((0.1, 1, 1, 1), ["over budget", "chosen", "within budget", "not tried"]),
        ((1, 0.1, 1, 1), ["not confirmed", "over budget", "chosen", "within budget"]),
        ((0.1, 0.1, 0.1, 1), ["over budget", "over budget", "over budget", "chosen"]),
    ],
    ids=["confirmed by the next rung", "luck", "the last rung needs no next"],
)
def test_a_ladder_is_climbed_to_the_first_rung_that_the_next_one_confirms(
    shares: tuple[float, ...], expected: list[str], digits_mlp_onnx: onnx.ModelProto
) -> None:
    rungs = [
        Candidate("it", keep(share), form="form", rung=Rung(8, depth))
        for depth, share in enumerate(shares)
    ]
    assert list(outcomes(chosen(digits_mlp_onnx, rungs, max_drop=0.005)).values()) == expected


@pytest.mark.parametrize(
    ("share", "expected"), [(1, ["chosen", "not tried"]), (0.1, ["over budget", "chosen"])]
)
def test_a_ladder_that_names_another_is_climbed_only_where_that_one_has_nothing(
    share: float, expected: list[str], digits_mlp_onnx: onnx.ModelProto
) -> None:
    candidates = [
        Candidate("it", keep(share), form="first", rung=Rung(8, 3)),
        Candidate("it", keep(1), form="second", rung=Rung(8, 3), unless=("it", "first")),
    ]
    assert list(outcomes(chosen(digits_mlp_onnx, candidates, max_drop=0.005)).values()) == expected


def test_a_tighter_budget_moves_the_choice_to_a_larger_candidate(
    digits_mlp_onnx: onnx.ModelProto,
) -> None:
    candidates = [Candidate("worse", keep(0.1)), Candidate(Method.FLOAT16, float16)]
    assert chosen(digits_mlp_onnx, candidates, max_drop=1.0).candidate == "worse"
    choice = chosen(digits_mlp_onnx, candidates, max_drop=0.005)
    assert outcomes(choice) == {"worse": "over budget", "float16": "chosen"}


def test_the_latency_objective_times_every_candidate_within_the_budget(
    digits_mlp_onnx: onnx.ModelProto,
) -> None:
    candidates = list_candidates(digits_mlp_onnx, Options())
    choice = chosen(digits_mlp_onnx, candidates, objective="latency", max_drop=0.02)
    timed = {
        verdict.name: verdict.relative_latency
        for verdict in choice.verdicts
        if verdict.relative_latency is not None
    }
    assert set(timed) >= {"dynamic", "float16"}
    least = min(ratio for ratio in timed.values() if ratio)
    sizes = {verdict.name: verdict.size_kb for verdict in choice.verdicts}
    as_fast = [name for name, ratio in timed.items() if ratio and ratio <= 1.05 * least]
    assert choice.candidate == min(as_fast, key=lambda name: sizes[name] or 0)


@pytest.mark.parametrize("objective", ["latency", "throughput"])
def test_of_candidates_that_are_as_fast_the_smallest_is_kept(
    objective: Objective, digits_mlp_onnx: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidates = [
        Candidate(Method.FLOAT16, float16),
        *(one for one in dense_candidates(digits_mlp_onnx, Options()) if one.form == "int8"),
    ]
    monkeypatch.setattr(
        "onnxpress.quantize.ranking.relative_latencies", lambda *_: [0.88, 0.9]
    )  # noise
    assert (
        chosen(digits_mlp_onnx, candidates, objective=objective, max_drop=0.1).candidate
        == "dense/int8"
    )
    monkeypatch.setattr("onnxpress.quantize.ranking.relative_latencies", lambda *_: [0.8, 0.9])
    assert (
        chosen(digits_mlp_onnx, candidates, objective=objective, max_drop=0.1).candidate
        == "float16"
    )


def test_small_layers_are_left_in_float_and_said_so() -> None:
    from sklearn.neural_network import MLPClassifier

    rows = digits_rows(0, 300)
    model = MLPClassifier((16,), random_state=0, early_stopping=True, max_iter=20).fit(
        rows.feeds["X"], rows.target
    )
    with pytest.raises(NotApplicable, match="fewer than 65536 weights each; int8 would be slower"):
        dynamic(to_onnx(model, numeric_schema(64), 12), rows)


def test_quantising_does_not_change_the_model_it_is_given(digits_mlp_onnx: onnx.ModelProto) -> None:
    before = to_bytes(digits_mlp_onnx)  # at this level nothing is trained, which takes torch
    for name in ("dynamic", "static", "float16"):
        for candidate in METHODS[name](digits_mlp_onnx, Options(level="lossless")):
            candidate.apply(digits_mlp_onnx, TRAIN)
    assert to_bytes(digits_mlp_onnx) == before


@pytest.mark.parametrize("method", ["dynamic", "static", "float16"])
def test_quantising_twice_gives_the_same_bytes(
    method: MethodName, digits_mlp_onnx: onnx.ModelProto
) -> None:
    candidate = list_candidates(digits_mlp_onnx, Options(method))[0]
    once, again = (to_bytes(candidate.apply(digits_mlp_onnx, TRAIN)) for _ in range(2))
    assert once == again


def test_cross_fitting_scores_each_row_once_on_a_clone_that_never_saw_it() -> None:
    rows = digits_rows(0, 300)
    clones = Clones(lambda: LogisticRegression(max_iter=2000), numeric_schema(64), 12, 0)
    trials = cross_fits(clones, rows).make(HERE)
    scored = np.concatenate([trial.score.feeds["X"] for trial in trials])
    assert sorted(map(bytes, scored)) == sorted(map(bytes, rows.feeds["X"]))
    for trial in trials:
        learned = {bytes(row) for row in trial.learn.feeds["X"]}
        assert learned.isdisjoint(map(bytes, trial.score.feeds["X"]))
        expected = LogisticRegression(max_iter=2000).fit(trial.learn.feeds["X"], trial.learn.target)
        assert (label(trial.plain, trial.score) == expected.predict(trial.score.feeds["X"])).all()


def test_a_graph_without_operators_of_ai_onnx_has_its_candidates_too() -> None:
    """As onnxmltools writes XGBoost's classifiers: one operator of ai.onnx.ml, one import."""
    model = onnx.ModelProto(opset_import=[onnx.helper.make_opsetid("ai.onnx.ml", 1)])
    model.graph.node.add(op_type="TreeEnsembleClassifier", domain="ai.onnx.ml")
    model.graph.output.add(name="label")
    names = [candidate.name for candidate in list_candidates(model, Options())]
    assert names[:4] == ["dynamic", "static", "float16", "forest/lossless"]
    assert all(name.startswith("forest/faithful-") for name in names[4:])


def test_no_method_is_none() -> None:
    assert list_candidates(onnx.ModelProto(), Options("none")) == []


@pytest.mark.parametrize(
    ("opset", "ml_opset", "ir_version", "release"),
    [
        *(
            (12, 1, 7, "1.3"),
            (12, 3, 7, "1.11"),
            (12, 5, 7, "1.18"),  # TreeEnsemble of version 5 has a kernel from 1.21 on
            (21, 3, 10, "1.18"),
            (22, 1, 10, "1.21"),
        ),
        *(
            (12, 1, 11, "1.23"),
            (12, 1, 12, "1.24"),
            (24, 1, 7, "1.24"),
            (26, 1, 7, "1.25"),
            (27, 1, 7, "1.32"),
        ),
        *(
            (12, 1, 14, "1.32"),
            (29, 1, 7, "unknown"),
            (12, 1, 15, "unknown"),
            (12, 6, 7, "unknown"),
        ),
    ],
)
def test_the_oldest_runtime_follows_from_opsets_and_ir_version(
    opset: int, ml_opset: int, ir_version: int, release: str
) -> None:
    opsets = [onnx.helper.make_opsetid("", opset), onnx.helper.make_opsetid("ai.onnx.ml", ml_opset)]
    assert min_onnxruntime(onnx.ModelProto(ir_version=ir_version, opset_import=opsets)) == release


@pytest.mark.parametrize("estimator", ["RandomForestClassifier", "LogisticRegression"])
def test_the_stage_records_the_verdict_of_every_candidate(workspace: Path, estimator: str) -> None:
    write_params(
        workspace, default_params(train__estimator=estimator, train__params={}, train__scale=True)
    )
    for stage in (prepare, train, convert, quantize):
        stage.main()
    record = read_json(workspace / "outputs" / "quantization.json")
    methods = {entry["method"] for entry in record["candidates"]}
    assert methods >= {"dynamic", "static", "float16"}
    assert all(entry["outcome"] and entry["reason"] for entry in record["candidates"])
    assert record["modified"] == (estimator == "RandomForestClassifier")
    plain = (workspace / "outputs" / "model.onnx").read_bytes()
    quantized = (workspace / "outputs" / "model_quantized.onnx").read_bytes()
    assert (quantized == plain) is not record["modified"]
    models = {
        candidate_name(path): path.read_bytes()
        for path in (workspace / "outputs" / "candidates").iterdir()
    }
    assert set(models) == {
        "none",
        *(entry["name"] for entry in record["candidates"] if "score_drop" in entry),
    }
    assert (models["none"], models[record["candidate"]]) == (plain, quantized)
