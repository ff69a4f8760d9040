"""What two processes must have in common for their results to be equal, bit for bit."""

from __future__ import annotations

import platform
import re
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from importlib.metadata import (
    PackageNotFoundError,
    packages_distributions,
    requires,
    version,
)
from pathlib import Path

PACKAGE = Path(__file__).parents[1]

LIBRARIES = (
    "catboost",
    "distributed",
    "joblib",
    "lightgbm",
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "skl2onnx",
    "torch",
    "xgboost",
    "xgboost-cpu",
)
"""The packages that compute, or that carry what is computed."""

NOT_INSTALLED = "not installed"
PROGRAMS = ("__main__", "__mp_main__")
"""What was started, here and where a worker was: multiprocessing keeps it by the second name."""
INSTALLED = ("stdlib", "platstdlib", "purelib", "platlib")
"""The folders of an environment, as sysconfig calls them."""


@cache
def identity() -> dict[str, str]:
    """Return the versions of all that decides about results in this process, by name.

    ``code`` is a digest of the modules of onnxpress: two checkouts can have the same version.
    ``processor`` is the kind for which BLAS has chosen its kernels, since sums differ between them.
    """
    return {
        "python": platform.python_version(),
        "onnxpress": _version("onnxpress"),
        "code": _code(),
        "processor": f"{platform.machine()} {_kernels()}".strip(),
        **{name: _version(name) for name in LIBRARIES},
    }


def threads() -> dict[str, int]:
    """Return how many threads BLAS and OpenMP use in this process, by name; sums depend on it."""
    from threadpoolctl import threadpool_info

    _load_pools()
    return {each["user_api"]: each["num_threads"] for each in threadpool_info()}


@contextmanager
def computing_with(threads: Mapping[str, int]) -> Iterator[None]:
    """Have BLAS and OpenMP use so many threads in the block."""
    from threadpoolctl import threadpool_limits

    _load_pools()
    with threadpool_limits(limits=dict(threads)):
        yield


def loaded_code() -> dict[str, str]:
    """Return what this process has loaded that may decide about results, by name.

    Digests of the user's own modules, such as an estimator's, whose code no version tells; and the
    versions of installed packages that need one of the :data:`LIBRARIES`, since they compute, too.
    """
    tops = {name.partition(".")[0] for name in list(sys.modules)}
    found = {name: version(name) for top in tops for name in _computing().get(top, ())}
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", "")
        if name not in PROGRAMS and place and (digest := _digest_of_own(name, place)):
            found[f"module {name}"] = digest
    return found


@cache
def _computing() -> dict[str, list[str]]:
    """The packages that need one of :data:`LIBRARIES`, by the module that one imports."""
    found = {}
    for module, packages in packages_distributions().items():
        needing = [name for name in set(packages) if _needs(name) & set(LIBRARIES)]
        if needing:
            found[module] = needing
    return found


def _needs(package: str) -> set[str]:
    """The names of what a package needs, its extras apart."""
    needs = [each for each in requires(package) or () if "extra ==" not in each]
    return {re.split(r"[^\w.-]", each, maxsplit=1)[0].lower() for each in needs}


@cache
def _digest_of_own(_name: str, place: str) -> str:
    """The digest of a module as it was when it was first asked for; empty if it is not own code."""
    path = Path(place).resolve()
    installed = [Path(sysconfig.get_path(name)) for name in INSTALLED]
    if any(path.is_relative_to(folder.resolve()) for folder in (*installed, PACKAGE)):
        return ""
    return sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else ""


def differences(here: dict[str, str], there: dict[str, str]) -> str:
    """Say what differs, with both values; empty if nothing does."""
    names = [name for name in here if here[name] != there.get(name, NOT_INSTALLED)]
    return ", ".join(
        f"{name} {there.get(name, NOT_INSTALLED)} there and {here[name]} here" for name in names
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return NOT_INSTALLED


def _code() -> str:
    digest = sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode())
        digest.update(sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _kernels() -> str:
    from threadpoolctl import threadpool_info

    _load_pools()
    return " ".join(sorted({each.get("architecture", "") for each in threadpool_info()})).strip()


def _load_pools() -> None:
    """Load the BLAS of numpy and scipy, and the OpenMP of scikit-learn, which are asked about."""
    import numpy as np  # noqa: F401
    import scipy.linalg  # noqa: F401
    import sklearn.utils  # noqa: F401
