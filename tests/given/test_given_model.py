from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onnxpress.errors import UserError
from onnxpress.estimators.loading import load_original
from onnxpress.estimators.stored.dumping import dump
from onnxpress.runtime.checked import checked_onnx
from stages import convert, prepare, train
from tests.conftest import default_params, digits_rows, write_params


class Payload:
    """Leaves a mark when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"__import__('pathlib').Path({str(self.mark)!r}).touch()",)


def refused(path: Path) -> str:
    with pytest.raises(UserError) as error:
        load_original(path)
    return str(error.value)


@pytest.mark.parametrize(
    "compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)]
)
@pytest.mark.parametrize(
    "hide",
    [lambda bad: bad, lambda bad: {"a": np.array([bad, None], object)}],
    ids=["plain", "in an array"],
)
def test_a_payload_is_named_and_leaves_no_mark(tmp_path: Path, compress: Any, hide: Any) -> None:
    mark, path = tmp_path / "mark", tmp_path / "bad.joblib"
    joblib.dump(hide(Payload(mark)), path, compress=compress)
    assert "builtins.exec" in refused(path)
    assert not mark.exists()
    joblib.load(path)  # the payload works where nobody looks
    assert mark.exists()


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (b"cos\nsystem\n(S'touch mark'\ntR.", "os.system"),
        (b"(S'touch mark'\nios\nsystem\n.", "os.system"),
        (b"(cos\nsystem\nS'touch mark'\no.", "os.system"),
        (
            b"\x80\x04\x8c\x07sklearn\x8c\x09os.system\x93\x8c\x0atouch mark\x85R.",
            "sklearn.os.system",
        ),
        (b'c__builtin__\neval\n(S\'open("mark", "w")\'\ntR.', "builtins.eval"),
        (b"cnumpy\nload\n(S'mark'\ntR.", "numpy.load"),
    ],
    ids=["REDUCE", "INST", "OBJ", "dotted name", "Python 2", "numpy.load"],
)
def test_no_opcode_calls_a_refused_global(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: bytes, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.pkl").write_bytes(code)
    assert name in refused(Path("bad.pkl"))
    assert not Path("mark").exists()


def test_a_class_is_given_no_state(tmp_path: Path) -> None:
    path = tmp_path / "bad.pkl"
    path.write_bytes(b"csklearn.tree._classes\nDecisionTreeClassifier\n(N}S'poisoned'\nI1\nstb.")
    assert "state for something that is not an object" in refused(path)
    from sklearn.tree import DecisionTreeClassifier

    assert not hasattr(DecisionTreeClassifier, "poisoned")


def stack_global(module: str, name: str) -> bytes:
    """A pickle that holds a name, whatever it consists of."""
    texts = b"".join(
        b"X" + len(part.encode()).to_bytes(4, "little") + part.encode() for part in (module, name)
    )
    return b"\x80\x04" + texts + b"\x93."


def test_a_refused_file_says_what_it_names_and_what_can_be_done(tmp_path: Path) -> None:
    path = tmp_path / "bad.pkl"
    path.write_bytes(stack_global("my.models", "Forest"))
    assert refused(path) == (
        f"{path} names my.models.Forest, which no fitted estimator of scikit-learn holds, "
        "so nothing of it was made; "
        "if it is a class that you trust, add it to `trust`: [my.models.Forest]"
    )
    path.write_bytes(b"cos\nsystem\n(S'touch mark'\ntR.")
    assert refused(path) == (
        f"{path} calls os.system, which no fitted estimator of scikit-learn does, "
        "so nothing of it was made; take that out of the model, and dump it again with joblib"
    )
    path.write_bytes(b"(" + b"".join(f"cm\nC{at:02}\n".encode() for at in range(30)) + b"l.")
    assert "m.C09 and 20 more, which no fitted estimator" in refused(path)


@pytest.mark.parametrize(
    ("module", "name", "cure"),
    [
        (
            "lightgbm.sklearn",
            "LGBMClassifier",
            "in LightGBM's own format, model.booster_.save_model('model.txt')",
        ),
        (
            "xgboost.sklearn",
            "XGBClassifier",
            "in XGBoost's own format, model.save_model('model.ubj')",
        ),
        (
            "scipy.stats._distn_infrastructure",
            "rv_continuous_frozen",
            "dump the best_estimator_ alone",
        ),
        ("joblib.memory", "Memory", "set memory=None in its pipelines"),
        ("__main__", "Forest", "into a module of its own before the fit"),
        ("__main__", "doubled", "into a module of its own before the fit"),
        ("my.models", "doubled", "only classes can be trusted (`trust`), no functions"),
        ("my.models", "_Forest", "to `trust`: [my.models._Forest]"),
    ],
)
def test_what_can_be_done_about_a_name_follows_from_it(
    tmp_path: Path, module: str, name: str, cure: str
) -> None:
    path = tmp_path / "bad.pkl"
    path.write_bytes(stack_global(module, name))
    assert f"{path} names {module}.{name}, " in refused(path)
    assert cure in refused(path)


@pytest.mark.parametrize(
    ("suffix", "content", "expected"),
    [
        (
            ".joblib",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n",
            "Git LFS; run `git lfs pull`",
        ),
        (
            ".skops",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n",
            "Git LFS; run `git lfs pull`",
        ),
        (".pkl", b"<!DOCTYPE html><html></html>", "is text (of a web page, perhaps), no model"),
        (".joblib", b"PK\x03\x04\x14\x00", "is a zip file; name it .skops"),
        (".skops", b"\x80\x04]\x94.", "is a pickle; name it .pkl or .joblib"),
        (".onnx", b"\x80\x04]\x94.", "is a pickle; name it .pkl or .joblib"),
        (
            ".onnx",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n",
            "Git LFS; run `git lfs pull`",
        ),
        (".onnx", b"<!DOCTYPE html><html></html>", "is text (of a web page, perhaps), no model"),
    ],
)
def test_a_file_of_another_kind_is_called_what_it_is(
    tmp_path: Path, suffix: str, content: bytes, expected: str
) -> None:
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    if suffix == ".onnx":
        with pytest.raises(UserError) as caught:
            checked_onnx(content, str(path))
        assert expected in str(caught.value)
    else:
        assert expected in refused(path)


@pytest.mark.parametrize(
    "hostile", ["a\nb", "\x1b[31mred", "\u202eltr", "x" * 100_000, "\x00", "a\r\n  done"]
)
def test_names_of_a_file_cannot_change_the_line_that_shows_them(
    tmp_path: Path, hostile: str
) -> None:
    path = tmp_path / "bad.pkl"
    path.write_bytes(stack_global(hostile, hostile))
    said = refused(path)
    assert said.isprintable()
    assert len(said) < 1000


def test_a_damaged_file_is_one_line_whatever_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "bad.joblib"
    for content in (
        b"",
        b"hello",
        b"\x80\x05]\x94(K\x01",
        b"x\x9c",
        b"ZF0x10",
        b"\x1f\x8b\x08\x00\n",
    ):
        path.write_bytes(content)
        assert refused(path).startswith(f"{path} is not a whole joblib file (")
        assert refused(path).isprintable()
        assert refused(path).endswith("); dump the model again")
    assert "cannot read" in refused(tmp_path / "none.joblib")
    assert "cannot read" in refused(tmp_path)


@pytest.mark.parametrize(
    "model",
    [RandomForestClassifier(3), GradientBoostingClassifier(n_estimators=2), KNeighborsClassifier()],
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_models_of_scikit_learn_load_as_they_were(
    tmp_path: Path, model: Any, protocol: int
) -> None:
    rows = digits_rows(0, 200)
    model.fit(rows.feeds["X"], rows.target)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(model, protocol))
    joblib.dump(model, tmp_path / "a.joblib", protocol=protocol)
    for name in ("a.pkl", "a.joblib"):
        loaded = load_original(tmp_path / name)
        assert np.array_equal(
            loaded.predict_proba(rows.feeds["X"]), model.predict_proba(rows.feeds["X"])
        )


@pytest.mark.parametrize(
    "scoring",
    ["r2", "neg_root_mean_squared_error", "neg_mean_absolute_error", "neg_mean_squared_error"],
)
def test_a_search_over_selected_columns_loads_as_it_was(tmp_path: Path, scoring: str) -> None:
    rows = pd.DataFrame({"a": np.arange(20.0), "b": np.arange(20.0) % 3, "c": ["x", "y"] * 10})
    columns = ColumnTransformer(
        [("n", StandardScaler(), make_column_selector(dtype_include=np.number))]
    )
    model = GridSearchCV(
        make_pipeline(columns, Ridge()), {"ridge__alpha": [0.1, 1.0]}, cv=2, scoring=scoring
    ).fit(rows, rows["a"])
    joblib.dump(model, tmp_path / "a.joblib")
    skops.io.dump(model, tmp_path / "a.skops")
    for name in ("a.joblib", "a.skops"):
        assert np.array_equal(load_original(tmp_path / name).predict(rows), model.predict(rows))


def test_another_scikit_learn_is_named_with_both_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.base.__version__", "1.2.3")
        joblib.dump(KNeighborsClassifier(), tmp_path / "old.joblib")
    assert "written by scikit-learn 1.2.3, needs 1.9" in refused(tmp_path / "old.joblib")


def test_a_given_model_is_dumped_anew_and_converts(workspace: Path) -> None:
    rows = digits_rows(0, 500)
    (workspace / "models").mkdir()
    joblib.dump(
        RandomForestClassifier(3, random_state=0).fit(rows.feeds["X"], rows.target),
        "models/a.joblib",
        compress=3,
    )
    write_params(
        workspace, default_params(data__source="digits", train__model_path="models/a.joblib")
    )
    for stage in (prepare, train, convert):
        stage.main()
    assert Path("outputs/model.joblib").read_bytes() == dump(load_original(Path("models/a.joblib")))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "needs calibration rows"),
        ({"data__calibration_size": 0.2}, "takes 64 features, the table has 4"),
        ({"data__source": "diabetes", "data__calibration_size": 0.2}, "should hold a regressor"),
        ({"train__model_path": "a.joblib"}, "should lie under models/"),
        ({"train__model_path": "models/b.joblib"}, "does not exist"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_in_one_line(
    workspace: Path, changes: dict[str, Any], expected: str
) -> None:
    rows = digits_rows(0, 200)
    (workspace / "models").mkdir()
    joblib.dump(RandomForestClassifier(2).fit(rows.feeds["X"], rows.target), "models/a.joblib")
    write_params(workspace, default_params(**{"train__model_path": "models/a.joblib", **changes}))
    prepare.main()
    with pytest.raises(UserError, match=expected):
        train.main()
