from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import psutil
import pytest
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import ClassifierChain

from onnxpress import held
from onnxpress.conversion.rehearsal import rehearse
from onnxpress.errors import UserError
from onnxpress.estimators.building import ColumnSteps, build
from onnxpress.estimators.fitting import fit
from onnxpress.estimators.loading import load_original
from onnxpress.estimators.parts import set_threads
from onnxpress.given import sandbox as given
from onnxpress.pipeline.files import read_json
from onnxpress.pipeline.inputs import read_schema
from onnxpress.pipeline.running import run_stage
from onnxpress.pipeline.trained_model import load_trained
from onnxpress.tables.rows import Rows
from onnxpress.tables.schema import Column, Schema
from stages import convert, evaluate, prepare, quantize, train
from tests.conftest import ROOT, default_params, digits_rows, numeric_schema, write_params

MIXED = Schema(
    "classification",
    "target",
    (Column("size", "number", missing=True), Column("colour", "category", missing=False)),
)


def built(
    estimator: str,
    params: dict[str, Any] | None = None,
    schema: Schema | None = None,
    *,
    scale: bool = False,
) -> Any:
    """The estimator of that name, seeded with 7."""
    steps = ColumnSteps(scale=scale)
    return build(estimator, params or {}, schema or numeric_schema(4), 7, steps)


def test_an_estimator_that_draws_random_numbers_gets_the_seed() -> None:
    assert built("RandomForestClassifier").random_state == 7


def test_a_random_state_in_params_wins_over_the_seed() -> None:
    assert built("RandomForestClassifier", {"random_state": 1}).random_state == 1


def test_any_class_can_be_named_by_its_import_path() -> None:
    assert isinstance(built("sklearn.ensemble.RandomForestClassifier"), RandomForestClassifier)


def test_mixed_columns_are_imputed_and_encoded_inside_the_pipeline() -> None:
    rows = Rows(
        {
            "size": np.array([[1], [2], [np.nan], [4]], np.float32),
            "colour": np.array([["red"], ["blue"], ["red"], ["blue"]]),
        },
        np.array([0, 1, 0, 1]),
    )
    model = built("DecisionTreeClassifier", schema=MIXED)
    assert fit(model, rows) == []
    assert model.n_features_in_ == 2
    assert model[-1].n_features_in_ == 3


def test_scale_standardises_numbers_only() -> None:
    steps = built("LogisticRegression", schema=MIXED, scale=True)[0].transformers
    assert [name for name, *_ in steps] == ["numbers", "categories"]
    assert type(steps[0][1][-1]).__name__ == "StandardScaler"


@pytest.mark.parametrize(
    ("estimator", "params", "expected"),
    [
        ("RandomForestClasifier", {}, "did you mean 'RandomForestClassifier'?"),
        ("Forest", {}, "not a scikit-learn classifier or regressor"),
        ("sklearn.ensemble.Nothing", {}, "cannot be imported"),
        ("os.path.join", {}, "should be a scikit-learn estimator class"),
        ("RandomForestClassifier", {"n_estimator": 3}, "did you mean 'n_estimators'?"),
        (
            "RandomForestRegressor",
            {},
            "should be a classifier for this target, got RandomForestRegressor",
        ),
    ],
)
def test_a_wrong_estimator_is_named_with_what_to_do(
    estimator: str, params: dict[str, Any], expected: str
) -> None:
    with pytest.raises(UserError) as error:
        built(estimator, params)
    assert expected in str(error.value)


def test_an_argument_of_a_wrong_value_is_named() -> None:
    with pytest.raises(UserError, match="RandomForestClassifier cannot be fitted"):
        fit(built("RandomForestClassifier", {"n_estimators": -3}), digits_rows(0, 50))


def test_an_estimator_that_onnx_cannot_express_is_refused_before_the_fit(workspace: Path) -> None:
    write_params(workspace, default_params(train__estimator="LabelPropagation", train__params={}))
    prepare.main()
    with pytest.raises(
        UserError,
        match="cannot become ONNX, so it was not fitted: skl2onnx cannot convert LabelPropagation",
    ):
        train.main()
    assert not (workspace / "outputs" / "model.joblib").exists()


def test_the_rehearsal_leaves_the_estimator_unfitted() -> None:
    model = built("RandomForestClassifier", {"n_estimators": 50})
    rehearse(model, digits_rows(), numeric_schema(64))
    assert not hasattr(model, "estimators_")
    assert model.n_estimators == 50


def test_a_rehearsal_warns_of_all_but_being_stopped_early() -> None:
    network = built("MLPClassifier", {"max_iter": 200, "hidden_layer_sizes": [5]})
    assert rehearse(network, digits_rows(), numeric_schema(64)) == []
    forest = built("RandomForestClassifier", {"n_estimators": 2, "oob_score": True})
    (line,) = rehearse(forest, digits_rows(), numeric_schema(64))
    assert line.startswith("Some inputs do not have OOB scores")


def test_thread_counts_are_no_part_of_the_model_however_deep() -> None:
    rows = digits_rows(0, 200)
    inner = RandomForestClassifier(3, n_jobs=2, random_state=0)
    model = VotingClassifier(
        [("forest", inner), ("line", LogisticRegression(max_iter=500))], n_jobs=2
    )
    set_threads(model.fit(rows.feeds["X"], rows.target), None)
    assert model.n_jobs is None
    assert model.estimators_[0].n_jobs is None


def test_the_same_model_is_dumped_whatever_number_of_threads_fitted_it(workspace: Path) -> None:
    dumps = []
    for threads in (1, 2):
        write_params(
            workspace, default_params(train__params={"n_estimators": 5, "n_jobs": threads})
        )
        prepare.main()
        train.main()
        dumps.append((workspace / "outputs" / "model.joblib").read_bytes())
    assert dumps[0] == dumps[1]


def test_the_dumped_model_predicts_as_the_fitted_one(workspace: Path) -> None:
    prepare.main()
    train.main()
    model = joblib.load(workspace / "outputs" / "model.joblib")
    assert isinstance(model, RandomForestClassifier)
    assert len(model.estimators_) == 100


def test_an_estimator_that_needs_another_inside_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="SelfTrainingClassifier needs an estimator inside"):
        built("SelfTrainingClassifier", {})
    with pytest.raises(UserError, match="FixedThresholdClassifier needs an estimator inside"):
        built("FixedThresholdClassifier", {"threshold": 0.2})
    with pytest.raises(UserError, match=r"do not fit FixedThresholdClassifier .* 'threshold'\?"):
        built("FixedThresholdClassifier", {"treshold": 0.2})


@pytest.mark.parametrize(
    ("estimator", "weights", "words"),
    [
        (
            LogisticRegression,
            {False: 1, True: 9},
            "quote them in `class_weight`; the classes are 'no'",
        ),
        (LogisticRegression, {"no": 1, "oui": 9}, "`class_weight` has 'oui', and the classes are"),
        (HistGradientBoostingClassifier, {"no": 1, "yes": 9}, "0 for 'no', 1 for 'yes'"),
    ],
)
def test_weights_of_other_classes_are_refused_with_what_to_do(
    estimator: Any, weights: dict[Any, float], words: str
) -> None:
    rows = digits_rows(0, 60)
    rows = Rows(rows.feeds, np.where(rows.target > 4, "yes", "no"))
    with pytest.raises(UserError, match=words):
        fit(estimator(class_weight=weights), rows)


def test_weights_by_the_numbers_of_classes_fit_histograms() -> None:
    rows = digits_rows(0, 60)
    rows = Rows(rows.feeds, np.where(rows.target > 4, "yes", "no"))
    fit(HistGradientBoostingClassifier(class_weight={0: 1, 1: 9}, max_iter=2), rows)


def test_whatever_an_estimator_raises_in_fit_is_one_line() -> None:
    rows = digits_rows(0, 50)
    chain = ClassifierChain(
        LogisticRegression()
    )  # asks for the second dimension of a one-dimensional target: IndexError
    with pytest.raises(UserError, match="ClassifierChain cannot be fitted to these rows"):
        fit(chain, rows)


def test_a_rehearsal_that_cannot_be_fitted_is_a_warning_and_the_fit_decides() -> None:
    hard = built("LogisticRegression", {"C": -1.0})
    (line,) = rehearse(hard, digits_rows(), numeric_schema(64))
    assert line.startswith(
        "it could not be fitted to 300 rows, so whether it becomes ONNX is known after the fit only"
    )


OWN_CLASS = """
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

class Forest(RandomForestClassifier):
    pass

class Scaled(Pipeline):
    def __init__(self, C=1.0):
        self.C = C
        super().__init__([("scale", StandardScaler()), ("model", LogisticRegression(C=C))])
"""


@pytest.mark.parametrize(
    ("name", "arguments"), [("Scaled", {"C": 0.5}), ("Forest", {"n_estimators": 5})]
)
def test_a_class_of_the_users_own_goes_through_the_chain(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, name: str, arguments: dict[str, Any]
) -> None:
    package = workspace / "own_models"
    package.mkdir()
    (package / "kinds.py").write_text(OWN_CLASS, encoding="utf-8")
    monkeypatch.syspath_prepend(workspace)  # python -m has the current folder there
    changes = {
        "train__estimator": f"own_models.kinds.{name}",
        "train__params": arguments,
        "evaluate__probe_rows": 100,
    }
    write_params(workspace, default_params(**changes, quantize__level="lossless"))
    for stage in (prepare, train, convert, quantize, evaluate):
        stage.main()
    model = load_original(workspace / "outputs" / "model.joblib", [f"own_models.kinds.{name}"])
    assert type(model).__name__ == name
    assert {key: getattr(model, key) for key in arguments} == arguments
    assert read_json(workspace / "outputs" / "metrics.json")["onnx_agreement"] == 1


# Given models, in the held process


GIVEN = {
    "train__model_path": "models/a.joblib",
    "train__max_seconds": 2,
    "data__source": "digits",
    "data__calibration_size": 0.2,
}


@pytest.fixture
def given_forest(workspace: Path) -> Path:
    """A project whose given model is a forest of digits, its tables made."""
    rows = digits_rows(0, 300)
    (workspace / "models").mkdir()
    joblib.dump(
        RandomForestClassifier(3, random_state=0).fit(rows.feeds["X"], rows.target),
        workspace / "models" / "a.joblib",
    )
    write_params(workspace, default_params(**GIVEN))
    prepare.main()
    return workspace


@pytest.mark.parametrize(
    ("task", "line"),
    [
        (
            "crash",
            (
                "the process that opened models/a.joblib crashed with SIGSEGV; "
                "the file is damaged or hostile"
            ),
        ),
        (
            "hang",
            (
                "models/a.joblib was not done within 2 s: "
                "if it is meant to take that long, raise train.max_seconds in params.yaml"
            ),
        ),
        (
            "grow",
            (
                "models/a.joblib needs more than 8192 MB of memory: "
                "if it is meant to be that large, raise train.max_memory_mb in params.yaml"
            ),
        ),
        (
            "leave",
            (
                "the process that opened models/a.joblib ended without an answer; "
                "the file is damaged or hostile"
            ),
        ),
        (
            "exit_well",
            "models/a.joblib cannot be tried (SystemExit: 0); the file is damaged or hostile",
        ),
        ("talk", "the process that opened models/a.joblib gave an answer that is none of ours"),
        (
            "dump_a_call",
            (
                "the process that opened models/a.joblib dumped something that is not a model "
                "(os.system)"
            ),
        ),
    ],
)
def test_every_end_of_the_process_that_opens_a_given_model_is_one_line(
    given_forest: Path, monkeypatch: pytest.MonkeyPatch, task: str, line: str
) -> None:
    monkeypatch.setattr(given, "TRIED", f"tests.support.held_tasks:{task}")
    monkeypatch.setattr(given, "HEAVY", ())
    with pytest.raises(UserError) as error:
        train.main()
    assert str(error.value).startswith(line)
    assert not (given_forest / "outputs" / "model.joblib").exists()
    assert not (given_forest / "mark").exists()


def test_lines_of_a_given_model_cannot_command_the_terminal(
    given_forest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(given, "TRIED", "tests.support.held_tasks:command_the_terminal")
    monkeypatch.setattr(given, "HEAVY", ())
    capsys.readouterr()
    with pytest.raises(SystemExit):
        run_stage("train", train.main, enforce_end=False)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("  \\x1b[2Jline\n", "train: \\x1b[2Jreason\n")
    assert given_forest


STAGE = """
from onnxpress.pipeline.running import run_stage
from stages import train; from onnxpress.given import sandbox as given
given.TRIED, given.HEAVY = "tests.support.held_tasks:hang", ()
print("started", flush=True)
run_stage("train", train.main)
"""


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (signal.SIGTERM, 143, "train: terminated"),
        (signal.SIGINT, 130, "train: interrupted"),
        (signal.SIGKILL, -9, ""),
    ],
)
def test_the_stage_and_the_process_that_it_holds_end_together(
    given_forest: Path, number: signal.Signals, code: int, words: str
) -> None:
    write_params(given_forest, default_params(**{**GIVEN, "train__max_seconds": 600}))
    stage = subprocess.Popen(
        [sys.executable, "-c", STAGE],
        cwd=given_forest,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 60
    while not any(at_work(child) for child in below(stage.pid)):
        assert time.monotonic() < end
        time.sleep(0.05)
    family = below(stage.pid)
    stage.send_signal(number)
    _, errors = stage.communicate(timeout=30)
    assert (stage.returncode, errors.startswith(words)) == (code, True)
    assert psutil.wait_procs(family, timeout=10)[1] == []


def at_work(process: psutil.Process) -> bool:
    """Whether it has computed for half a second."""
    with suppress(psutil.NoSuchProcess):
        return bool(process.cpu_times().user > 0.5)
    return False


def below(pid: int) -> list[psutil.Process]:
    """The processes that a process has started, and those that they have."""
    return list(psutil.Process(pid).children(recursive=True))


def test_a_given_model_written_to_while_it_is_tried_is_refused(
    given_forest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = held.Keeper.answer

    def meanwhile(self: held.Keeper, order: held.Order, file: int) -> held.Answer:
        path = given_forest / "models" / "a.joblib"
        path.rename(path.with_suffix(".old"))
        path.write_bytes(path.with_suffix(".old").read_bytes())
        return answer(self, order, file)

    monkeypatch.setattr(held.Keeper, "answer", meanwhile)
    with pytest.raises(
        UserError, match=r"models/a.joblib was exchanged or written to while it was tried"
    ):
        train.main()


def test_train_writes_the_digest_that_sha256sum_knows(given_forest: Path) -> None:
    train.main()
    done = subprocess.run(
        ["sha256sum", "-c", "outputs/model.sha256"],
        cwd=given_forest,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "outputs/model.joblib: OK\n")
    assert load_trained(read_schema(), ()).n_features_in_ == 64
    joblib.dump(
        RandomForestClassifier(2).fit(digits_rows(0, 50).feeds["X"], digits_rows(0, 50).target),
        "outputs/model.joblib",
    )
    with pytest.raises(
        UserError,
        match="is not what train has written .exchanged or damaged.; run `dvc repro --force train`",
    ):
        load_trained(read_schema(), ())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the locks are Linux's")
def test_a_system_without_locks_is_warned_of_in_one_line(
    given_forest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(held.Keeper, "locks", ["seccomp"])
    train.main()
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "lock" in line]
    assert line == (
        "  warning: no lock of this system forbids what models/a.joblib might do "
        "(read your files); only the check of its contents does"
    )
    assert given_forest


def test_an_own_class_that_holds_untrusted_parts_is_refused_by_train(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = workspace / "own_parts"
    package.mkdir()
    (package / "kinds.py").write_text(OWN_PART, encoding="utf-8")
    monkeypatch.syspath_prepend(workspace)
    write_params(
        workspace,
        default_params(
            train__estimator="own_parts.kinds.Forest", train__params={"n_estimators": 2}
        ),
    )
    prepare.main()
    with pytest.raises(
        UserError,
        match=r"Forest holds own_parts.kinds.Note, .*"
        r"add it to train.trust in params.yaml: \[own_parts.kinds.Note\]",
    ):
        train.main()
    assert not (workspace / "outputs" / "model.joblib").exists()


def test_a_class_that_the_user_trusts_is_known_in_the_process_that_opens_the_file(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "trusted_kinds.py").write_text(OWN_CLASS, encoding="utf-8")
    (workspace / "models").mkdir()
    monkeypatch.syspath_prepend(workspace)
    forest = importlib.import_module("trusted_kinds").Forest(3, random_state=0)
    rows = digits_rows(0, 300)
    joblib.dump(forest.fit(rows.feeds["X"], rows.target), "models/a.joblib")
    write_params(workspace, default_params(**{**GIVEN, "train__max_seconds": 60}))
    prepare.main()
    with pytest.raises(UserError, match=r"trusted_kinds.Forest"):
        train.main()
    write_params(
        workspace,
        default_params(
            **{**GIVEN, "train__max_seconds": 60, "train__trust": ["trusted_kinds.Forest"]}
        ),
    )
    train.main()
    model = load_trained(read_schema(), ["trusted_kinds.Forest"])
    assert np.array_equal(model.predict(rows.feeds["X"]), forest.predict(rows.feeds["X"]))


@pytest.mark.parametrize("part", ["lambda: 0", "threading.Lock()", "threading.Thread", "len"])
def test_an_own_class_that_cannot_be_stored_is_refused_by_train(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    name = f"unstored_{zlib.crc32(part.encode())}"
    (workspace / f"{name}.py").write_text(
        "import threading\n" + OWN_PART.replace("Note()", part), encoding="utf-8"
    )
    monkeypatch.syspath_prepend(workspace)
    write_params(
        workspace,
        default_params(train__estimator=f"{name}.Forest", train__params={"n_estimators": 2}),
    )
    prepare.main()
    with pytest.raises(
        UserError,
        match=r"Forest (cannot be stored: a part of it cannot be pickled"
        r"|holds (threading|builtins))",
    ):
        train.main()
    assert not (workspace / "outputs" / "model.joblib").exists()


OWN_PART = """
from sklearn.ensemble import RandomForestClassifier

class Note:
    pass

class Forest(RandomForestClassifier):
    def fit(self, rows, target):
        self.note_ = Note()
        return super().fit(rows, target)
"""
