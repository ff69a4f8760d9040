"""Put converters of our own in the place of skl2onnx's, for this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Converter = Callable[[Any, Any, Any], None]
"""Called with skl2onnx's scope, operator and container; writes the operator into the container."""


def replace_converters(
    models: Iterable[type], make: Callable[[Converter], Converter], alias: str = ""
) -> None:
    """Register ``make(converter of skl2onnx)`` for each of ``models``.

    Output shapes and options stay those of skl2onnx. ``alias`` is a name of its own for a model
    that shares a converter with models that keep it.
    """
    from skl2onnx import update_registered_converter
    from skl2onnx._supported_operators import sklearn_operator_name_map
    from skl2onnx.common._registration import get_converter, get_shape_calculator

    made: dict[str, tuple[Converter, Any, Any]] = {}
    for model in models:
        known = sklearn_operator_name_map[model]
        if known not in made:  # models may share a converter, which is wrapped once
            original = get_converter(known)
            shapes, options = get_shape_calculator(known), original.get_allowed_options()
            made[known] = make(original), shapes, options
        convert, shapes, options = made[known]
        update_registered_converter(model, alias or known, shapes, convert, options=options)
