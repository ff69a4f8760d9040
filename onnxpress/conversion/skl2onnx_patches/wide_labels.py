"""Whole labels beyond 2^24 keep their last digits.

Symptom: skl2onnx casts the labels of some classifiers to float32 (GaussianNB) or int32 on their
    way: labels such as 4000000001 come out as others, for every row.
Versions: skl2onnx 1.20
Test: tests/conversion/test_skl2onnx_patches.py::test_wide_labels_keep_their_digits
Delete when: the test passes without it.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import numpy as np

from onnxpress.conversion.container_writer import ContainerWriter
from onnxpress.conversion.registering import Converter, replace_converters

MOST_EXACT = 2**24
"""float32 holds all whole numbers up to here."""


@cache
def register() -> None:
    """Wrap the converters, for this process; calling it again changes nothing."""
    from sklearn import linear_model, naive_bayes
    from sklearn.neural_network import MLPClassifier

    models: list[type] = [MLPClassifier]
    models += [
        getattr(linear_model, name) for name in ("Perceptron", "PassiveAggressiveClassifier")
    ]
    for kind in ("Gaussian", "Bernoulli", "Complement", "Multinomial", "Categorical"):
        models.append(getattr(naive_bayes, f"{kind}NB"))
    replace_converters(models, _by_places)


def _by_places(original: Converter) -> Converter:
    """Have ``original`` give the places of such labels, and look these up behind it."""

    def convert(scope: Any, operator: Any, container: Any) -> None:
        classes = operator.raw_operator.classes_
        whole = classes.dtype.kind in "iu"
        if not whole or max(abs(int(classes[0])), abs(int(classes[-1]))) <= MOST_EXACT:
            original(scope, operator, container)
            return
        substitute = copy.copy(operator.raw_operator)
        substitute.classes_ = np.arange(len(classes))
        label, *others = operator.outputs
        inner = scope.declare_local_operator(operator.type, substitute)
        for variable in operator.inputs:
            inner.inputs.append(variable)
        writer = ContainerWriter(scope, container)
        places = scope.declare_local_variable("places", type(label.type)(label.type.shape))
        inner.outputs.append(places)
        for output in others:
            found = scope.declare_local_variable("found", output.type)
            inner.outputs.append(found)
            writer.add("Identity", found.full_name, output=output.full_name)
        table = writer.constant(classes.astype(np.int64))
        writer.add("Gather", table, places.full_name, output=label.full_name, axis=0)

    return convert
