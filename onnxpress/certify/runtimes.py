"""Names of runtimes, and the list that ``onnxpress certify`` goes through."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from enum import StrEnum

from onnxpress.certify.releases import newest_of_each_minor
from onnxpress.errors import UserError


class Kind(StrEnum):
    """The runtimes that models can be replayed in."""

    ONNXRUNTIME = "onnxruntime"
    """onnxruntime's wheel on this machine's processor."""
    AARCH64 = "onnxruntime-aarch64"
    """The wheel for 64-bit ARM, in QEMU."""
    NODE = "onnxruntime-node"
    WEB = "onnxruntime-web"
    """Its WebAssembly in headless Chromium."""
    REFERENCE = "onnx"
    """The reference evaluator of the ONNX project."""
    OPENVINO = "openvino"
    TRACT = "tract"
    """A runtime in Rust."""


@dataclass(frozen=True)
class Runtime:
    """A runtime in one version."""

    kind: Kind
    version: str

    def __str__(self) -> str:
        """Return it as params.yaml names it: ``onnxruntime==1.20.1``."""
        return f"{self.kind}=={self.version}"


def runtime_of(text: str) -> Runtime:
    """Return the runtime that ``onnxruntime==1.20.1`` and the like name.

    Raises:
        UserError: it names none.
    """
    name, _, version = text.partition("==")
    if name not in {*Kind} or not re.fullmatch(r"[0-9]+(\.[0-9]+)+", version):
        raise UserError(
            f"a runtime should be one of {', '.join(Kind)} with its version, "
            f"such as onnxruntime==1.20.1, got {text!r}"
        )
    return Runtime(Kind(name), version)


OTHERS = (
    Runtime(Kind.REFERENCE, "1.23.2"),
    Runtime(Kind.OPENVINO, "2026.4.1"),
    Runtime(Kind.TRACT, "0.23.9"),
    Runtime(Kind.NODE, "1.30.0"),
    Runtime(Kind.WEB, "1.30.0"),
    Runtime(Kind.AARCH64, "1.27.0"),  # newer ones crash at import in QEMU 7.2
)


def usual_runtimes() -> list[Runtime]:
    """Return what is tried unless something else is asked for.

    The last release of each minor of onnxruntime that has a wheel for this Python, and the others.
    """
    releases = newest_of_each_minor(sys.version_info[:2])
    return [*(Runtime(Kind.ONNXRUNTIME, release) for release in releases), *OTHERS]
