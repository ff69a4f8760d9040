"""Attributes of operators, most of them of ai.onnx.ml.

The lengths and indices that kernels take on trust.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import onnx

from onnxpress.onnx_file.attributes import Attributes
from onnxpress.onnx_file.errors import BadModel
from onnxpress.onnx_file.known_operators import STANDARD
from onnxpress.onnx_file.trees import check_ensemble, check_labelled_trees

MATRIX = 2
"""Dimensions."""
ML_DOMAIN = "ai.onnx.ml"


def check_operators(model: onnx.ModelProto) -> None:
    """Refuse operators whose attributes do not fit together.

    Raises:
        BadModel: naming the operator and the attribute.
    """
    widths = _input_widths(model)
    for node in _nodes(model):
        check = CHECKS.get(("" if node.domain in STANDARD else node.domain, node.op_type))
        if check is None:
            continue
        try:
            check(Attributes(node, widths.get(node.input[0]) if node.input else None))
        except BadModel as error:
            raise BadModel(f"the node {(node.name or node.op_type)[:60]!r}: {error}") from error


def _input_widths(model: onnx.ModelProto) -> dict[str, int]:
    """The number of columns of each input that says it.

    What a subgraph or function calls the same is another tensor.
    """
    inner = any(
        item.HasField("g") or item.graphs for node in model.graph.node for item in node.attribute
    )
    if inner or model.functions:
        return {}
    shapes = {value.name: value.type.tensor_type.shape.dim for value in model.graph.input}
    return {
        name: dims[1].dim_value
        for name, dims in shapes.items()
        if len(dims) == MATRIX and dims[1].dim_value > 0
    }


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """All nodes, those of functions and subgraphs too."""
    waiting: list[Any] = [model.graph, *model.functions]
    while waiting:
        for node in waiting.pop().node:
            yield node
            for item in node.attribute:
                waiting.extend([item.g] if item.HasField("g") else [])
                waiting.extend(item.graphs)


def _linear_classifier(found: Attributes) -> None:
    """Coefficients: classes or 1 of two by features, row by row. Intercepts: as many, or none."""
    coefficients, intercepts = found.count("coefficients"), found.count("intercepts")
    labels = _one_kind_of_labels(found, "classlabels_ints", "classlabels_strings")
    rows = intercepts or labels
    if not coefficients or not rows or coefficients % rows:
        raise BadModel(f"{coefficients} coefficients are not those of {rows} classes")
    _columns(found, coefficients // rows)
    if labels and rows != labels and (rows, labels) != (1, 2):
        raise BadModel(f"there are {rows} intercepts for {labels} classes")
    if not labels and rows > 1:
        raise BadModel(f"there are {rows} intercepts and no classes")


def _linear_regressor(found: Attributes) -> None:
    """Coefficients: targets by features. Intercepts: one per target, or none."""
    coefficients, intercepts, targets = (
        found.count("coefficients"),
        found.count("intercepts"),
        found.number("targets", 1),
    )
    if targets < 1 or not coefficients or coefficients % targets:
        raise BadModel(f"{coefficients} coefficients are not those of {targets} targets")
    _columns(found, coefficients // targets)
    if intercepts not in {0, targets}:
        raise BadModel(f"there are {intercepts} intercepts for {targets} targets")


def _svm_classifier(found: Attributes) -> None:
    """Support vectors: vectors by features. Coefficients: classes - 1 by vectors. Rho.

    A number per pair of classes.
    """
    labels = _one_kind_of_labels(found, "classlabels_ints", "classlabels_strings")
    per_class, coefficients = found.ints("vectors_per_class"), found.count("coefficients")
    _kernel(found)
    if labels < 1:
        raise BadModel("it has no classes")
    pairs, vectors = labels * (labels - 1) // 2, int(per_class.sum())
    if (per_class < 0).any() or (per_class > MANY).any():
        raise BadModel("vectors_per_class should be numbers of vectors")
    if vectors == 0:  # linear: a row of coefficients per class
        if not coefficients or coefficients % labels or not found.count("rho"):
            raise BadModel(
                f"{coefficients} coefficients and {found.count('rho')} rho "
                f"are not those of {labels} classes"
            )
        _columns(found, coefficients // labels)
        return
    if len(per_class) != labels:
        raise BadModel(f"vectors_per_class has {len(per_class)} numbers for {labels} classes")
    _vectors(found, vectors)
    if coefficients != (labels - 1) * vectors:
        raise BadModel(
            f"it should have {(labels - 1) * vectors} coefficients, and has {coefficients}"
        )
    wrong = {
        name: found.count(name)
        for name in ("rho", "prob_a", "prob_b")
        if found.count(name) != pairs
    }
    if (
        wrong.pop("rho", None) is not None
        or (wrong and set(wrong.values()) != {0})
        or len(wrong) == 1
    ):
        raise BadModel(
            f"rho, prob_a and prob_b should have {pairs} numbers, one per pair of classes"
        )


def _svm_regressor(found: Attributes) -> None:
    """Support vectors: vectors by features.

    A coefficient per vector, one rho. Without vectors a coefficient per feature.
    """
    vectors, coefficients, rho = (
        found.number("n_supports", 0),
        found.count("coefficients"),
        found.count("rho"),
    )
    _kernel(found)
    if vectors < 0 or rho != 1 or not coefficients:
        raise BadModel(
            f"it has {vectors} support vectors, {coefficients} coefficients and {rho} rho"
        )
    if vectors:
        _vectors(found, vectors)
        if coefficients != vectors:
            raise BadModel(f"it should have {vectors} coefficients, and has {coefficients}")
    else:
        _columns(found, coefficients)


def _columns(found: Attributes, expected: int) -> None:
    if found.width not in {None, expected}:
        raise BadModel(f"it takes {expected} columns, and is given {found.width}")


MANY = 2**31


def _vectors(found: Attributes, vectors: int) -> None:
    values = found.count("support_vectors")
    if not values or values % vectors:
        raise BadModel(f"{values} numbers are not those of {vectors} support vectors")
    _columns(found, values // vectors)


def _kernel(found: Attributes) -> None:
    if found.count("kernel_params") not in {0, 3}:
        raise BadModel(f"kernel_params should be 3 numbers, and are {found.count('kernel_params')}")


def _scaler(found: Attributes) -> None:
    """A number per column, or one for all, of both."""
    counts = {found.count("offset"), found.count("scale")} - {0, 1}
    if len(counts) > 1:
        raise BadModel(f"offset has {found.count('offset')} numbers, scale {found.count('scale')}")


def _label_encoder(found: Attributes) -> None:
    """As many keys as values."""
    kinds = "int64s", "strings", "floats", "tensor"
    keys, values = (
        sum(found.size(f"{side}_{kind}") for kind in kinds) for side in ("keys", "values")
    )
    if found.has("classes_strings"):
        return
    if keys != values:
        raise BadModel(f"it has {keys} keys and {values} values")


def _category_mapper(found: Attributes) -> None:
    """As many numbers as texts."""
    numbers, texts = found.count("cats_int64s"), found.count("cats_strings")
    if numbers != texts:
        raise BadModel(f"it has {numbers} numbers and {texts} texts")


def _one_hot(found: Attributes) -> None:
    _one_kind_of_labels(found, "cats_int64s", "cats_strings")


def _feature_vectorizer(found: Attributes) -> None:
    """Widths of the inputs, one each."""
    widths = found.ints("inputdimensions")
    if len(widths) != found.inputs or (widths < 0).any() or (widths > MANY).any():
        raise BadModel(f"inputdimensions should be {found.inputs} numbers of columns")


def _zip_map(found: Attributes) -> None:
    if not _one_kind_of_labels(found, "classlabels_int64s", "classlabels_strings"):
        raise BadModel("it has no classes")


def _one_kind_of_labels(found: Attributes, ints: str, strings: str) -> int:
    """The number of labels, which are numbers or texts."""
    counts = found.count(ints), found.count(strings)
    if all(counts):
        raise BadModel(f"it has both {ints} and {strings}")
    return max(counts)


def _blocks(found: Attributes) -> None:
    """onnxruntime 1.31 divides by the square of the size, which becomes 0 when it overflows."""
    if not 1 <= found.number("blocksize", 1) <= LARGEST_BLOCK:
        raise BadModel(f"blocksize should be between 1 and {LARGEST_BLOCK}")


LARGEST_BLOCK = 2**15


CHECKS: dict[tuple[str, str], Callable[[Attributes], None]] = {
    (ML_DOMAIN, "LinearClassifier"): _linear_classifier,
    (ML_DOMAIN, "LinearRegressor"): _linear_regressor,
    (ML_DOMAIN, "SVMClassifier"): _svm_classifier,
    (ML_DOMAIN, "SVMRegressor"): _svm_regressor,
    (ML_DOMAIN, "Scaler"): _scaler,
    (ML_DOMAIN, "LabelEncoder"): _label_encoder,
    (ML_DOMAIN, "CategoryMapper"): _category_mapper,
    (ML_DOMAIN, "OneHotEncoder"): _one_hot,
    (ML_DOMAIN, "FeatureVectorizer"): _feature_vectorizer,
    (ML_DOMAIN, "ZipMap"): _zip_map,
    (ML_DOMAIN, "TreeEnsembleClassifier"): check_labelled_trees,
    (ML_DOMAIN, "TreeEnsembleRegressor"): check_labelled_trees,
    (ML_DOMAIN, "TreeEnsemble"): check_ensemble,
    ("", "DepthToSpace"): _blocks,
    ("", "SpaceToDepth"): _blocks,
}
