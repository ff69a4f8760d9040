"""The files that a fitted estimator may come in, and what has to hold of each."""

from __future__ import annotations

import io
import pickle
import warnings
from typing import Any

import joblib
from skops import io as skops

from onnxpress.estimators import stored
from tests.support.stored_cases import answers, same
from tests.support.stored_comparison import differences

UNSUPPORTED = ("not supported", "Can't pickle", "not JSON serializable", "recursion")
"""What skops says of an object that it cannot write.

The class it names then holds no state that JSON or numpy has.
"""


def files(estimator: Any) -> dict[str, bytes]:
    """An estimator in every form, by the name of the form.

    Without skops where that cannot write it.
    """
    found = {f"pickle {protocol}": pickle.dumps(estimator, protocol) for protocol in (2, 4, 5)}
    for name, compress in {"joblib": 0, "joblib zlib": 3, "joblib xz": ("xz", 1)}.items():
        file = io.BytesIO()
        joblib.dump(estimator, file, compress=compress)
        found[name] = file.getvalue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found["skops"] = skops.dumps(estimator)
        except Exception as error:  # it raises what it raises for what it cannot write
            if not any(text in str(error) for text in UNSUPPORTED):
                raise
    return found


def faults(estimator: Any, rows: Any) -> list[str]:
    """What does not hold of each file.

    It loads with nothing trusted, answers as its package's own load, dumps twice alike. Forms whose
    first dumps are the same bytes have the second in common.
    """
    found, dumped = [], set[bytes]()
    for form, data in files(estimator).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = _loaded_by_its_package(form, data)
        try:
            loaded = stored.loads(data, kind="skops" if form == "skops" else "pickle")
            once = stored.dump(loaded)
            again = loaded if once in dumped else stored.loads(once)
        except Exception as error:  # so that one line tells of each
            found.append(f"{form}: {type(error).__name__}: {error}")
            continue
        if form == "skops":
            found += [f"{form}: {difference}" for difference in differences(loaded, theirs)]
        fresh = once not in dumped
        dumped.add(once)
        if fresh and stored.dump(again) != once:  # before it answers, which may fill its caches
            found.append(f"{form}: other bytes on the second dump")
        expected = answers(theirs, rows)
        alike = same(answers(loaded, rows), expected)
        if fresh:
            alike = alike and same(answers(again, rows), expected)
        if not alike:
            found.append(f"{form}: other answers")
    return found


def _loaded_by_its_package(form: str, data: bytes) -> Any:
    if form == "skops":
        return skops.loads(data, trusted=skops.get_untrusted_types(data=data))
    return pickle.loads(data) if form.startswith("pickle") else joblib.load(io.BytesIO(data))  # noqa: S301 # its own
