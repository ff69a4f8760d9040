"""libsvm reads its model from eight arrays, and believes each to be as long as the others say."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.owner_checks.attributes import (
    array,
    get,
    has,
    is_array,
    number,
    within,
)

KERNELS = {"linear", "poly", "rbf", "sigmoid", "precomputed"}


def libsvm(instance: Any) -> None:
    """SVC, NuSVC, SVR, NuSVR and OneClassSVM.

    With c classes (2 for regression) and s support vectors: coefficients (c - 1, s), c(c - 1)/2
    intercepts and as many parameters of probabilities, or none; and the support vectors of each
    class together are s.
    """
    if not has(instance, "support_vectors_"):
        return
    kernel = get(instance, "kernel")
    if not isinstance(kernel, str) or kernel not in KERNELS:
        raise Damaged("kernel should be one of libsvm's by name")
    classifies = any(kind.__name__ == "BaseSVC" for kind in type(instance).__mro__)
    classes = (
        len(array(instance, "classes_", _any_kind(get(instance, "classes_")), None))
        if classifies
        else 2
    )
    if classes < 2:
        raise Damaged("it should have two classes or more")
    n_features = number(instance, "n_features_in_", 1)
    fitted = get(instance, "shape_fit_")
    if type(fitted) is not tuple or len(fitted) != 2 or fitted[1] != n_features:
        raise Damaged("shape_fit_ should be the rows and columns that it was fitted to")
    support = array(instance, "support_", "i4", None)
    if get(instance, "_sparse") is True:
        _sparse_vectors(instance, classes, len(support), n_features)
    else:
        _dense_vectors(
            instance, classes, len(support), 0 if kernel == "precomputed" else n_features
        )
    _counts(instance, classes, len(support), classifies=classifies)
    if kernel == "precomputed":
        _columns(instance, support, fitted[0], n_features)
    number(instance, "degree", 0)
    for name in ("_gamma", "coef0"):
        if not isinstance(get(instance, name), int | float | np.number):
            raise Damaged(f"{name} should be a number")


def _dense_vectors(instance: Any, classes: int, count: int, width: int) -> None:
    """Support vectors and their coefficients.

    Of a precomputed kernel, whose ``width`` is 0, there are no vectors.
    """
    if get(instance, "_sparse") is not False:
        raise Damaged("_sparse should be true or false")
    vectors = array(instance, "support_vectors_", "f8", None, None)
    nothing = vectors.size == 0 and (width == 0 or count == 0)
    if vectors.shape != (count, width) and not nothing:
        raise Damaged(
            f"support_vectors_ should have the shape {(count, width)}, got {vectors.shape}"
        )
    array(instance, "_dual_coef_", "f8", classes - 1, count)


def _counts(instance: Any, classes: int, count: int, *, classifies: bool) -> None:
    """What is one for each class, or for each pair of classes."""
    pairs = classes * (classes - 1) // 2
    counts = array(instance, "_n_support", "i4", classes)
    if counts.min() < 0 or (counts.astype(np.int64).sum() if classifies else counts[0]) != count:
        raise Damaged("_n_support should be the number of support vectors of each class")
    array(instance, "_intercept_", "f8", pairs)
    lengths = [len(array(instance, name, "f8", None)) for name in ("_probA", "_probB")]
    if not set(lengths) <= {0, pairs} or (classifies and lengths[0] != lengths[1]):
        raise Damaged(f"_probA and _probB should have {pairs} numbers or none")


def _any_kind(found: Any) -> str:
    return (
        str(found.dtype.str)
        if isinstance(found, np.ndarray) and found.dtype.kind in "biufUSO"
        else "f8"
    )


def _columns(instance: Any, support: Any, rows: Any, columns: int) -> None:
    """With a precomputed kernel, each support vector is a column of the rows."""
    if rows != columns or get(instance, "_sparse") is True:
        raise Damaged("shape_fit_ of a precomputed kernel should be square, and dense")
    within(support, "support_", columns)


def _sparse_vectors(instance: Any, classes: int, count: int, n_features: int) -> None:
    """Of a model of sparse rows.

    The support vectors are one matrix of rows, the coefficients another without gaps.
    """
    vectors, coefficients = get(instance, "support_vectors_"), get(instance, "_dual_coef_")
    if _row_format(vectors, "support_vectors_") != (count, n_features) and count:
        raise Damaged(
            "support_vectors_ should have a row for each of support_ and a column for each feature"
        )
    shape = _row_format(coefficients, "_dual_coef_")
    if len(coefficients.data) != (classes - 1) * count or (count and shape != (classes - 1, count)):
        raise Damaged(
            "_dual_coef_ should have a number for each support vector and pair of classes"
        )
    is_array(vectors.data, "support_vectors_", "f8", len(vectors.indices))
    if len(vectors.indptr) != count + 1:
        raise Damaged("support_vectors_ should be as many as support_")


def _row_format(found: Any, name: str) -> tuple[int, ...]:
    from scipy import sparse

    if type(found) not in (sparse.csr_matrix, sparse.csr_array):
        raise Damaged(f"{name} should be a sparse matrix of rows")
    is_array(found.data, name, "f8", None)
    is_array(found.indices, name, "i4 i8", len(found.data))
    is_array(found.indptr, name, "i4 i8", None)
    return tuple(found.shape)


CHECKS = {"sklearn.svm._base.BaseLibSVM": libsvm}
