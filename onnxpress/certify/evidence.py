"""In which releases of onnxruntime graphs were tried, and what follows for a graph of their kind.

``evidence.json`` is written by ``onnxpress certify --refresh``. For each kind of graph it has the
features (:mod:`onnxpress.certify.features`) and the releases that did not answer as the newest of
that day did.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import onnx

from onnxpress.certify.features import FORMS, features
from onnxpress.certify.releases import version_of

EVIDENCE = Path(__file__).with_name("evidence.json")
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Kind:
    """A kind of graph that was tried in every release."""

    features: frozenset[str]
    not_right: frozenset[str]
    """Releases that refuse it, end the process, or answer otherwise."""


@cache
def evidence() -> tuple[tuple[str, ...], tuple[Kind, ...]]:
    """Return the releases that were tried, the oldest first, and the kinds of graphs."""
    content = json.loads(EVIDENCE.read_text(encoding="utf-8"))
    kinds = [
        Kind(frozenset(kind["features"]), frozenset(kind["not_right_in"]))
        for kind in content["kinds"].values()
    ]
    return tuple(content["releases"]), tuple(kinds)


def right_releases(model: onnx.ModelProto) -> list[str]:
    """Return the releases that compute a graph rightly, as far as was tried, the oldest first.

    1. A feature is right in a release in which any graph with it was right. A version of the format
       or of an operator set has to be so in every later release too: old ones try what is too new
       for them, and promise nothing. A form of trees has to be so in every graph with it.
    2. A feature that was never tried, an operator mostly, is left to the versions. A version that
       was never tried is right nowhere.
    3. Where a graph was wrong, no graph that has all of its features is right.
    """
    wanted = features(model)
    tried = _tried()
    if any(_is_version(feature) for feature in wanted - tried):
        return []
    releases, kinds = evidence()
    found = []
    for release in releases:
        wrong = any(kind.features <= wanted for kind in kinds if release in kind.not_right)
        if not wrong and all(release in _right_in()[feature] for feature in wanted & tried):
            found.append(release)
    return found


@cache
def _right_in() -> dict[str, frozenset[str]]:
    """Return the releases in which each feature is right."""
    releases, kinds = evidence()
    found = {}
    for feature in _tried():
        having = [kind.not_right for kind in kinds if feature in kind.features]
        enough = all if feature in FORMS else any
        right = [release for release in releases if enough(release not in each for each in having)]
        if _is_version(feature):
            wrong = [place for place, release in enumerate(releases) if release not in right]
            right = list(releases[max(wrong, default=-1) + 1 :])
        found[feature] = frozenset(right)
    return found


def untried_operators(model: onnx.ModelProto) -> list[str]:
    """Return the operators of a graph that no tried graph has: they are left to the version."""
    return sorted(each for each in features(model) - _tried() if not _is_version(each))


def min_onnxruntime(model: onnx.ModelProto) -> str:
    """Return the oldest release, as ``major.minor``, in which graphs of this kind were right.

    ``unknown`` for a version that is newer than what was tried.
    """
    right = right_releases(model)
    return ".".join(right[0].split(".")[:2]) if right else UNKNOWN


def max_onnxruntime(model: onnx.ModelProto) -> str:
    """Return the newest release, as ``major.minor.patch``, in which such graphs were right."""
    right = right_releases(model)
    return right[-1] if right else UNKNOWN


def bad_onnxruntime(model: onnx.ModelProto) -> list[str]:
    """Return releases between these two, as ``major.minor.patch``, in which they were not right."""
    right = right_releases(model)
    if not right:
        return []
    first, last = version_of(right[0])[:2], version_of(right[-1])
    return [
        release
        for release in evidence()[0]
        if first <= version_of(release) <= last and release not in right
    ]


@cache
def _tried() -> frozenset[str]:
    return frozenset().union(*(kind.features for kind in evidence()[1]))


def _is_version(feature: str) -> bool:
    """Whether it is a version of the format or of an operator set, such as ``ai.onnx 12``."""
    return feature.rpartition(" ")[2].isdecimal()
