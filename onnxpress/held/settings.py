"""What a keeper is started with.

Its tasks, where Python finds modules, what may be read, which environment it has.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from onnxpress.held.locks import ALL

ROOT = Path(__file__).resolve().parents[2]
"""Where our own code lies."""

SYSTEM = (
    *("/usr", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/localtime"),
    *("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"),
    *(
        "/proc/self",
        "/proc/cpuinfo",
        "/proc/meminfo",
        "/proc/stat",
        "/sys/devices/system/cpu",
        "/sys/fs/cgroup",
    ),
)
"""What numeric libraries read beside their own files.

How many processors there are, and of which kind.
"""

KEPT = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH")
KEPT_BEGINNINGS = (
    "OMP_",
    "GOMP_",
    "KMP_",
    "OPENBLAS_",
    "GOTO_",
    "MKL_",
    "BLIS_",
    "VECLIB_",
    "NUMEXPR_",
    "MALLOC_",
)
SITES = ("site-packages", "dist-packages")


@dataclass(frozen=True)
class Settings:
    """``tasks`` are pairs of a name and ``package.module:function``.

    ``preload`` are modules, ``locks`` names of locks.
    """

    tasks: tuple[tuple[str, str], ...]
    preload: tuple[str, ...]
    path: tuple[str, ...]
    readable: tuple[str, ...]
    locks: tuple[str, ...]


def settings(
    tasks: Mapping[str, str],
    preload: Collection[str] = (),
    own_modules: Collection[str] = (),
    locks: Collection[str] = ALL,
) -> Settings:
    """Settings for these tasks, which may also import ``own_modules`` of the user's.

    Without those, only our own code and installed packages can be imported and read.
    """
    installed = [entry for entry in sys.path if _installed(entry)]
    ours = {"onnxpress", "stages", *(place.partition(".")[0] for place in tasks.values())}
    path = [str(ROOT), *installed]
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    readable = [
        *SYSTEM,
        *filter(os.path.isabs, libraries),
        *_prefixes(),
        *installed,
        *(str(ROOT / name) for name in sorted(ours)),
    ]
    if own_modules:
        users = [os.path.abspath(entry) for entry in sys.path if not _installed(entry)]  # noqa: PTH100 - links stay
        path = [*users, *path]
        readable += [*_code_in(users), *_places(own_modules)]
    there = (entry for entry in readable if os.path.exists(entry))  # noqa: PTH110 - Path raises where it may not look
    return Settings(
        tuple(sorted(tasks.items())), tuple(preload), _once(path), _once(there), tuple(locks)
    )


def environment() -> dict[str, str]:
    """The keeper's variables: what Python and numeric libraries need of ours, and no secret."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key in KEPT or key.startswith(KEPT_BEGINNINGS)
    }
    return {"LC_ALL": "C.UTF-8", **kept, "PATH": os.defpath, "HOME": "/"}


def _prefixes() -> list[str]:
    """Where Python and its installed packages lie; a virtual environment has two of them."""
    return [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]


def _installed(entry: str) -> bool:
    """Whether a folder of sys.path holds Python or installed packages, not the user's files."""
    return bool(entry) and (
        entry.endswith(SITES) or any(f"{entry}/".startswith(f"{prefix}/") for prefix in _prefixes())
    )


def _code_in(folders: Collection[str]) -> Iterator[str]:
    """The modules and packages in folders that may hold anything else too."""
    for folder in folders:
        for name in _listed(folder):
            path = os.path.join(folder, name)  # noqa: PTH118 - many of them
            package = name.isidentifier() and any(inner.endswith(".py") for inner in _listed(path))
            if package or name.endswith((".py", ".so")):
                yield path


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - many of them
    except OSError:  # no folder, or none of ours
        return []


def _places(modules: Collection[str]) -> Iterator[str]:
    """Where the packages of modules lie.

    Those of an editable installation lie in no folder of sys.path.
    """
    for name in {module.partition(".")[0] for module in modules}:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            continue
        if spec is not None:
            yield from spec.submodule_search_locations or (
                [spec.origin] if spec.has_location and spec.origin else []
            )


def _once(entries: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entries))
