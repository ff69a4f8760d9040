"""The version of scikit-learn in a stored model's bytes, also where a file is hostile."""

from __future__ import annotations

import pickle
import time
import zlib
from pathlib import Path

import joblib
import pytest
from sklearn import __version__
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier
from skops import io as skops

from onnxpress.estimators.written_by import written_by
from tests.support.skops_files import zip_file

HOSTILE = {
    "digits": b"_sklearn_version" + b"1" * 20_000_000,
    "digits and points": b"_sklearn_version" + b"1." * 10_000_000,
    "keys": b"_sklearn_version" * 1_000_000,
    "keys and digits": (b"_sklearn_version" + b"9" * 300) * 60_000,
}
LONGEST = 3.0
"""Seconds; an idle machine takes a tenth of one."""


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3)])
def test_the_version_is_found_in_every_kind_of_file(tmp_path: Path, compress: object) -> None:
    model = DecisionTreeClassifier().fit([[0], [1]], [0, 1])
    joblib.dump(model, tmp_path / "a.joblib", compress=compress)
    assert written_by(tmp_path / "a.joblib") == __version__
    for protocol in (0, 2, 5):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(model, protocol))
        assert written_by(tmp_path / "a.pkl") == __version__
    skops.dump(model, tmp_path / "a.skops")
    assert written_by(tmp_path / "a.skops") == __version__


@pytest.mark.parametrize("version", ["0.24.2", "1.2", "1.10.dev0", "1.8rc1", "1.7.0.post1"])
def test_other_versions_are_named_as_they_are_written(tmp_path: Path, version: str) -> None:
    stored = pickle.dumps(
        {**LinearRegression().fit([[0], [1]], [0, 1]).__getstate__(), "_sklearn_version": version}
    )
    (tmp_path / "a.pkl").write_bytes(stored)
    assert written_by(tmp_path / "a.pkl") == version


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_the_search_ends_soon(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pkl").write_bytes(content)
    (tmp_path / "a.joblib").write_bytes(zlib.compress(content))
    (tmp_path / "a.skops").write_bytes(zip_file({"schema.json": content}))
    for name in ("a.pkl", "a.joblib", "a.skops"):
        started = time.process_time()
        assert written_by(tmp_path / name) in (None, "1.1.1.1.1.1")
        assert time.process_time() - started < LONGEST


@pytest.mark.parametrize("content", [b"", b"PK", b"hello", b"\x80\x04"])
def test_a_damaged_file_has_no_version(tmp_path: Path, content: bytes) -> None:
    for name in ("a.pkl", "a.joblib", "a.skops", "missing.pkl"):
        if name != "missing.pkl":
            (tmp_path / name).write_bytes(content)
        assert written_by(tmp_path / name) is None
