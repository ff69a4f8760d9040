"""LinearSVC's converter accepts the option zipmap.

Symptom: skl2onnx gives every classifier in a pipeline the option zipmap, which the converter of
    LinearSVC alone does not know: a pipeline that ends with it does not convert.
Versions: skl2onnx 1.20
Test: tests/conversion/test_skl2onnx_patches.py::test_a_linear_svc_may_end_a_pipeline
Delete when: get_converter("SklearnLinearSVC").get_allowed_options() has "zipmap".
"""

from __future__ import annotations

from functools import cache
from typing import Any

OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
}


@cache
def register() -> None:
    """Add the option, for this process; calling it again changes nothing."""
    from skl2onnx.common._registration import get_converter, register_converter

    original = get_converter("SklearnLinearSVC")

    def convert(scope: Any, operator: Any, container: Any) -> None:
        # a function, as skl2onnx registers no other callable; what it has registered is none
        original(scope, operator, container)

    options = {**original.get_allowed_options(), **OPTIONS}
    register_converter("SklearnLinearSVC", convert, overwrite=True, options=options)
