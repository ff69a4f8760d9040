"""Which onnxruntime a release of Triton Inference Server has, so which releases run a model.

From ``build.py`` at the tags v2.34.0 to v2.71.0 of github.com/triton-inference-server/server: the
version that NVIDIA builds into the image ``nvcr.io/nvidia/tritonserver:<release>-py3``.
"""

from __future__ import annotations

from collections.abc import Collection

ONNXRUNTIMES = {
    "23.05": "1.15.0",
    "23.06": "1.15.0",
    "23.07": "1.15.1",
    "23.08": "1.15.1",
    "23.09": "1.16.0",
    "23.10": "1.16.0",
    "23.11": "1.16.3",
    "23.12": "1.16.3",
    "24.01": "1.16.3",
    "24.02": "1.16.3",
    "24.03": "1.17.2",
    "24.04": "1.17.3",
    "24.05": "1.18.0",
    "24.06": "1.18.0",
    "24.07": "1.18.1",
    "24.08": "1.19.0",
    "24.09": "1.19.2",
    "24.10": "1.19.2",
    "24.11": "1.19.2",
    "24.12": "1.20.1",
    "25.01": "1.20.1",
    "25.02": "1.20.1",
    "25.03": "1.21.0",
    "25.04": "1.21.0",
    "25.05": "1.22.0",
    "25.06": "1.22.0",
    "25.07": "1.22.0",
    "25.08": "1.23.0",
    "25.09": "1.23.0",
    "25.10": "1.23.1",
    "25.11": "1.23.2",
    "25.12": "1.23.2",
    "26.01": "1.23.2",
    "26.02": "1.24.1",
    "26.03": "1.24.2",
    "26.04": "1.24.4",
    "26.05": "1.24.4",
    "26.06": "1.24.4",
    "26.07": "1.27.0",
}
"""By release, oldest first."""
KSERVE_DEFAULT = "23.05"
"""The release of KServe's stock runtime ``kserve-tritonserver`` (config/runtimes of kserve/kserve,
since June 2023). It is older than most models need, so a manifest names its own release."""


def releases_for(oldest: str, bad: Collection[str]) -> list[str]:
    """Return the releases whose onnxruntime computes a model rightly, oldest first.

    ``oldest`` is the first onnxruntime, ``major.minor``, that loads it; "unknown" leaves the newest
    release. ``bad`` are versions, ``major.minor.patch``, that load it and give wrong results.
    """
    right = [release for release, version in ONNXRUNTIMES.items() if version not in bad]
    if oldest == "unknown":
        return right[-1:]
    return [release for release in right if _numbers(ONNXRUNTIMES[release]) >= _numbers(oldest)]


def spans(releases: Collection[str]) -> str:
    """Return releases in words: ``23.05 to 25.02, 25.08``."""
    runs: list[list[str]] = [[]]
    for release in ONNXRUNTIMES:
        if release in releases:
            runs[-1].append(release)
        elif runs[-1]:
            runs.append([])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs if run)


def _numbers(version: str) -> tuple[int, ...]:
    """Return ``1.21.0`` as (1, 21, 0), for 1.9 is older than 1.21."""
    return tuple(map(int, version.split(".")))
