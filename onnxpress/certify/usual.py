"""The runtimes that ``onnxpress certify`` tries unless it is asked for others."""

from __future__ import annotations

import sys

from onnxpress.certify.releases import newest_of_each_minor
from onnxpress.runtimes import Kind, Runtime

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
