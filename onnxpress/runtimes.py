"""Names of runtimes that models can be replayed in, such as ``onnxruntime==1.20.1``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

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
        """Return the name and the version: ``onnxruntime==1.20.1``."""
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
