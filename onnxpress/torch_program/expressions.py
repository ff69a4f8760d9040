"""Texts in a program that torch would evaluate: sizes, and how inputs and outputs are nested."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from onnxpress.torch_program.fields import BadProgram, Check, listed, matching, one_of, record

SYMBOL = r"[a-z]{1,3}\d{1,6}"
"""Sizes that are not fixed, such as ``s77``."""

NAME = r"[A-Za-z_][A-Za-z0-9_]{0,199}"
"""Torch writes Python with these names."""

FUNCTIONS = {
    "Symbol",
    "Integer",
    *("Add", "Mul", "FloorDiv", "CeilDiv", "Mod", "PythonMod", "Max", "Min"),
    *("Equality", "Unequality", "GreaterThan", "StrictGreaterThan"),
    *("LessThan", "StrictLessThan", "And", "Or", "Not"),
}
"""What a size may be computed by: names of sympy and torch, all of which compute at once."""

LONGEST = 2000

CONTAINERS = ("builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict")


def expression(value: Any) -> str:
    """Take a size as sympy writes it, such as ``Add(Symbol('s0', integer=True), Integer(1))``.

    Torch evaluates the text. Only calls of known functions with whole numbers are taken.
    """
    if type(value) is not str or len(value) > LONGEST:
        raise BadProgram("has a size that is no short text")
    try:
        tree = ast.parse(value, mode="eval").body
        known = _is_known(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        known = False
    if not known:
        raise BadProgram(f"computes a size by {value[:60]!r}, which is not known here")
    return value


def _is_known(tree: ast.expr) -> bool:
    """Whether a part of an expression computes nothing but sizes."""
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        return _is_number(tree.operand)
    if not (isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name)):
        return False
    if tree.func.id == "Symbol":
        return _is_symbol(tree)
    if tree.func.id == "Integer":
        return len(tree.args) == 1 and not tree.keywords and _is_signed(tree.args[0])
    return tree.func.id in FUNCTIONS and not tree.keywords and all(map(_is_known, tree.args))


def _is_symbol(call: ast.Call) -> bool:
    """Whether it is as in ``Symbol('s0', positive=True, integer=True)``."""
    names = [each.value if isinstance(each, ast.Constant) else None for each in call.args]
    plain = all(
        isinstance(each.value, ast.Constant) and type(each.value.value) is bool
        for each in call.keywords
    )
    name = names[0] if len(names) == 1 else None
    return plain and isinstance(name, str) and re.fullmatch(SYMBOL, name) is not None


def _is_signed(tree: ast.expr) -> bool:
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        return _is_number(tree.operand)
    return _is_number(tree)


def _is_number(tree: ast.expr) -> bool:
    value = tree.value if isinstance(tree, ast.Constant) else None
    return type(value) is int and value.bit_length() < 64


def nesting(value: Any) -> str:
    """Take how inputs or outputs are nested: tuples, lists and mappings of tensors.

    The text is JSON. Torch imports what it names as a context, and makes its types.
    """
    try:
        version, tree = json.loads(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadProgram("is damaged: how its inputs are nested is no JSON") from error
    if version != 1:
        raise BadProgram(f"nests its inputs in the form {version!r:.20}, and 1 is known here")
    return json.dumps([1, _nested(tree)])


def _nested(tree: Any) -> dict[str, Any]:
    kind = tree.get("type") if isinstance(tree, dict) else None
    if kind is not None and kind not in CONTAINERS:
        raise BadProgram(
            f"takes or gives a {str(kind)[:60]}; expected tensors, or tuples, lists and mappings "
            "of them"
        )
    check: Check = record(type=one_of(kind), context=_context(kind), children_spec=listed(_nested))
    found: dict[str, Any] = check(tree)
    return found


def _context(kind: str | None) -> Check:
    """Return the check of what a container has beside its children: the keys of a mapping."""
    if kind is None:
        return one_of(None)
    if kind in CONTAINERS[:2]:
        return one_of("null")

    def keys(value: Any) -> str:
        try:
            return json.dumps(listed(matching(NAME))(json.loads(value)))
        except (TypeError, ValueError) as error:
            raise BadProgram("is damaged: the names of its inputs are no JSON") from error

    return keys
