"""The cache of runtimes, and what is said of installers that fail."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from onnxpress.certify.environments import INSTALL_SECONDS, NotToBeHad, installed, last_words
from onnxpress.runtimes import runtime_of

ABSENT = runtime_of("onnxruntime==1.20.999")


def test_the_last_words_are_whole_and_begin_with_no_mark() -> None:
    text = "error: " + "no " * 60 + "solution\n  cause: " + "Because " * 40 + "of it."
    found = last_words(text)
    assert set(found.split()) == {"Because", "of", "it."}
    assert last_words(": Because") == "Because"
    assert last_words(" \n") == "it says nothing"


def test_no_file_that_is_named_by_the_time_is_in_the_last_words() -> None:
    text = "npm error code ETARGET\nnpm error A complete log of this run can be found in: /x.log\n"
    assert last_words(text) == "npm error code ETARGET"


def test_a_cache_that_cannot_be_written_is_a_reason_not_to_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(NotToBeHad, match="runtimes cannot be written: Not a directory; XDG_CACHE"):
        installed(ABSENT)


def test_what_a_killed_installation_left_is_removed_by_a_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    cache = tmp_path / "onnxpress" / "runtimes"
    for name in ("old", "new"):
        (cache / f".unfinished-{name}" / "numpy").mkdir(parents=True)
    long_ago = time.time() - 2 * INSTALL_SECONDS - 60
    os.utime(cache / ".unfinished-old", (long_ago, long_ago))
    with pytest.raises(NotToBeHad, match="does not install"):
        installed(ABSENT)
    assert [folder.name for folder in cache.iterdir()] == [".unfinished-new"]
