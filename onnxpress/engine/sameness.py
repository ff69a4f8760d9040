"""What two processes must have in common for their results to be equal, bit for bit."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
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
