"""Rewrite: every tree node of a model, also in nested graphs, in a new encoding."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import onnx
from onnx import TensorProto, helper

from onnxpress.engine.said import warn_once
from onnxpress.graph.trees.forest import Forest
from onnxpress.graph.trees.graphs import (
    column_counts,
    element_types,
    graphs,
    ml_opset_of,
    replaced,
)
from onnxpress.graph.trees.reader import TREE_OPS, Untreatable, is_tree, read
from onnxpress.graph.writer import ML_DOMAIN, opset_of
from onnxpress.quantize.candidates import NotApplicable
from onnxpress.quantize.forest.lossless.code_columns import with_code_columns
from onnxpress.quantize.forest.lossless.leaves import share_leaves
from onnxpress.quantize.forest.lossless.lowering import lower
from onnxpress.quantize.forest.lossless.mirrored import with_mirrored_columns
from onnxpress.quantize.forest.lossless.passes import merge_equal_children, shares_children
from onnxpress.quantize.forest.lossless.portable import portable
from onnxpress.quantize.forest.lossless.site import Site, SiteWriter

ML_TREE_ENSEMBLE = 5  # version of ai.onnx.ml that brought TreeEnsemble, and withdrew the others
MIN_OPSET = 7  # Gemm and Add broadcast from here on
DEFAULT_OPSET = 12  # for models that import ai.onnx.ml alone


Change = Callable[[Forest], Forest]


def as_it_is(forest: Forest) -> Forest:
    """Change nothing about ``forest``."""
    return forest


def rewrite_trees(
    model: onnx.ModelProto,
    *,
    ml_opset: int,
    change: Change = as_it_is,
    mirrored: bool = False,
) -> onnx.ModelProto:
    """A copy of ``model`` with its tree nodes read and written again for ``ml_opset`` (3 or 5).

    ``change`` is applied to what has been read of each. With ``mirrored``, flags for missing values
    become columns of negated features where that can be done.

    1. Version 5 replaces all tree nodes or none, because it withdrew the older operators.
    2. If one cannot be lowered, or for version 3, each is written in the portable encoding.
    3. A node that cannot be treated stays as it is, and the log says why.

    Inputs, outputs and every other node stay as they are.

    Raises:
        NotApplicable: there is no tree node, none can be treated, or the result is not smaller.
    """
    if not has_trees(model):
        raise NotApplicable("the graph has no tree ensemble")
    reasons: list[str] = []
    if ml_opset >= ML_TREE_ENSEMBLE:
        try:
            return _smaller(_TreeRewrite(model, change, mirrored=mirrored).modern(), model)
        except Untreatable as reason:
            reasons.append(f"not as ai.onnx.ml 5: {reason}")
    rewriter = _TreeRewrite(model, change, mirrored=mirrored)
    result = rewriter.portable()
    reasons += rewriter.reasons
    if result is None:
        raise NotApplicable("; ".join(reasons))
    for line in reasons:
        warn_once(f"forest: {line}")
    return _smaller(result, model)


def has_trees(model: onnx.ModelProto) -> bool:
    """Whether any graph of ``model`` has a tree node."""
    return any(is_tree(node) for graph in graphs(model.graph) for node in graph.node)


class _TreeRewrite:
    """One rewrite of one model; ``reasons`` collects why nodes were left alone."""

    def __init__(self, model: onnx.ModelProto, change: Change, *, mirrored: bool) -> None:
        self.model, self.change, self.mirrored = model, change, mirrored
        self.reasons: list[str] = []
        everything = list(graphs(model.graph))
        nodes = [node for graph in everything for node in graph.node]
        self.read_names = {name for node in nodes for name in node.input}
        self.read_names |= {output.name for graph in everything for output in graph.output}
        taken = self.read_names | {name for node in nodes for name in node.output}
        taken |= {
            value.name for graph in everything for value in (*graph.input, *graph.initializer)
        }
        self.names = (name for name in map("t{}".format, itertools.count()) if name not in taken)
        self.types = element_types(model)
        self.columns = column_counts(model) if mirrored else {}
        self.ml_opset = ml_opset_of(model)
        self.opset = opset_of(model)

    def modern(self) -> onnx.ModelProto:
        """The model with TreeEnsemble (5) nodes.

        Raises:
            Untreatable: a node cannot be written so, or another operator would change its meaning.
        """
        if 0 < self.opset < MIN_OPSET:
            raise Untreatable(f"the model imports ai.onnx {self.opset}, older than {MIN_OPSET}")
        self._refuse_changed_operators()
        result = replaced(self.model, is_tree, self._modern_node)
        for entry in result.opset_import:
            if entry.domain == ML_DOMAIN:
                entry.version = max(entry.version, ML_TREE_ENSEMBLE)
        if not self.opset:
            result.opset_import.append(helper.make_opsetid("", DEFAULT_OPSET))
        return result

    def portable(self) -> onnx.ModelProto | None:
        """The model with its trees in the older operators; None if no node could be treated."""
        if self.ml_opset >= ML_TREE_ENSEMBLE:
            missing = "which has no older tree operators"
            self.reasons.append(f"the model imports ai.onnx.ml {self.ml_opset}, {missing}")
            return None
        result = replaced(self.model, is_tree, self._portable_node)
        trees = sum(is_tree(node) for graph in graphs(self.model.graph) for node in graph.node)
        return None if len(self.reasons) == trees else result

    def _refuse_changed_operators(self) -> None:
        """Raising the version of ai.onnx.ml must not change the model's other operators."""
        for graph in graphs(self.model.graph):
            used = {node.op_type for node in graph.node if node.domain == ML_DOMAIN}
            for op_type in used - TREE_OPS:
                if self._changes(op_type):
                    before = f"{op_type} of ai.onnx.ml {self.ml_opset}"
                    raise Untreatable(f"{before} is another operator in {ML_TREE_ENSEMBLE}")

    def _changes(self, op_type: str) -> bool:
        """Whether an operator of the model has another definition in the new version."""
        newer = max(self.ml_opset, ML_TREE_ENSEMBLE)
        old, new = (
            onnx.defs.get_schema(op_type, version, ML_DOMAIN).since_version
            for version in (self.ml_opset, newer)
        )
        only_extended = (op_type, old) == ("LabelEncoder", 2)  # 4 only adds to 2
        return bool(old != new) and not only_extended

    def _site(self, node: onnx.NodeProto, graph: onnx.GraphProto) -> Site:
        used = [name if name in self.read_names else "" for name in node.output]
        label, scores = "", used[0]
        if node.op_type == "TreeEnsembleClassifier":
            label, scores = [*used, ""][:2]
        if node.input[0] not in self.types:
            raise Untreatable(f"the element type of the input {node.input[0]!r} is unknown")
        x_type = self.types[node.input[0]]
        writer = SiteWriter(graph, self.opset or DEFAULT_OPSET, self.names)
        double_scores = node.op_type == "TreeEnsemble" and x_type == TensorProto.DOUBLE
        columns = self.columns.get(node.input[0], 0)
        return Site(node.input[0], label, scores, x_type, writer, columns, double_scores)

    def _modern_node(self, node: onnx.NodeProto, graph: onnx.GraphProto) -> None:
        site = self._site(node, graph)
        lower(self.change(read(node, site.dtype)), site, mirrored=self.mirrored)

    def _portable_node(self, node: onnx.NodeProto, graph: onnx.GraphProto) -> None:
        try:
            site = self._site(node, graph)
            forest = self.change(read(node, site.dtype))
            forest, x = with_code_columns(forest, site, node.input[0])
            if self.mirrored:
                forest, x = with_mirrored_columns(forest, site, x)
            place = onnx.NodeProto(input=[x], output=node.output, name=node.name)
            if shares_children(forest):
                portable(forest, place, graph, shared=True)
            else:
                portable(merge_equal_children(share_leaves(forest)), place, graph)
        except Untreatable as reason:
            self.reasons.append(f"{node.op_type} {node.name!r} is left as it is: {reason}")
            graph.node.append(node)


def _smaller(result: onnx.ModelProto, model: onnx.ModelProto) -> onnx.ModelProto:
    """``result``, if its packed form is smaller than that of ``model``.

    Raises:
        NotApplicable: it is not.
    """
    after, before = (sum(map(packed_size, graphs(each.graph))) for each in (result, model))
    if after >= before:
        raise NotApplicable(f"rewritten trees take {after} bytes, the present ones {before}")
    return result


def packed_size(graph: onnx.GraphProto) -> int:
    """Bytes of the nodes and initializers of ``graph``, with repeated numbers packed.

    Measured attribute by attribute: to measure a message, protobuf writes it out in memory.
    """
    size = sum(tensor.ByteSize() for tensor in graph.initializer)
    for node in graph.node:
        names = (*node.input, *node.output, node.name, node.op_type, node.domain)
        size += sum(len(name) + 2 for name in names)
        for attribute in node.attribute:
            tags = len(attribute.ints) + len(attribute.floats)
            size += attribute.ByteSize() - tags
    return int(size)
