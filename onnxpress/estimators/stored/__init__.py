"""Stored estimators: pickle, joblib and skops files, read without calling anything that they name.

A file is *read* into an inert description (:mod:`nodes`), the description is *judged* by the
names in it, and only then is it *built*, by constructors of ours. The file chooses among them and
gives them data; it never chooses what is called.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from onnxpress.estimators.stored.errors import Damaged, OtherVersion, Refused

__all__ = ["Damaged", "OtherVersion", "Refused", "dump", "judge", "load", "loads"]

Kind = Literal["pickle", "skops"]


def load(path: Path, trusted: Collection[str] = ()) -> Any:
    """The object in a ``.skops`` file, or in any other, a pickle or joblib's, compressed or not.

    ``trusted`` names classes, ``package.module.Class``, beyond those of the grammar.

    Raises:
        OSError: the file cannot be read.
        Refused, Damaged, OtherVersion: as :func:`loads`.
    """
    return loads(path.read_bytes(), trusted, kind="skops" if path.suffix == ".skops" else "pickle")


def loads(data: bytes | memoryview, trusted: Collection[str] = (), *, kind: Kind = "pickle") -> Any:
    """The object in the bytes of such a file.

    Raises:
        Refused: it names what no fitted estimator holds; nothing of it was made.
        Damaged: it is cut, changed or made by hand.
        OtherVersion: another scikit-learn wrote it.
    """
    from onnxpress.estimators.stored import grammar

    return grammar.build(_judged(data, trusted, kind), trusted)


def judge(
    data: bytes | memoryview, trusted: Collection[str] = (), *, kind: Kind = "pickle"
) -> None:
    """Look at what the bytes of such a file name, and make nothing of it.

    Raises:
        Refused, Damaged, OtherVersion: as :func:`loads`.
    """
    _judged(data, trusted, kind)


def dump(estimator: Any) -> bytes:
    """Bytes of a joblib file, the same each time: those of ``loads(dump(x))`` are those of ``x``.

    Raises:
        Damaged: its parts are nested too deeply, or one of them cannot be pickled.
    """
    from onnxpress.estimators.stored.dumping import dump

    return dump(estimator)


def _judged(data: bytes | memoryview, trusted: Collection[str], kind: Kind) -> Any:
    """Read the description in a file, if all that it names is in the grammar or trusted.

    A bad name is reported before other damage.
    """
    from onnxpress.estimators.stored import grammar

    try:
        root = _read(data, kind)
    except Damaged as error:
        grammar.judge_names(error.names, trusted)
        raise
    grammar.judge(root, trusted)
    return root


def _read(data: bytes | memoryview, kind: Kind) -> Any:
    if kind == "skops":
        from onnxpress.estimators.stored.skops_reader import read_skops

        return read_skops(data)
    from onnxpress.estimators.stored.pickle_reader import read

    return read(data)
