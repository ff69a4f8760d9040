"""YAML files that users write, read as DVC reads them.

Whatever is in such a file, the result is a mapping of plain values or one line of error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from onnxpress.errors import UserError
from onnxpress.pipeline.yaml_secrets import refuse_secrets, without_snippet
from onnxpress.text import shortened

LARGEST_BYTES = 2**18
MOST_VALUES = 50_000
"""Values and keys of a file; an alias counts as all the values it refers to.

A few lines of aliases can refer to billions of values.
"""

OF_A_VALUE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What the parser raises for a value such as the 31st of February."""


def read_yaml(path: Path, expected: str) -> dict[str, Any]:
    """Return the mapping in a YAML file; ``expected`` says in words what it should hold.

    Raises:
        UserError: the file cannot be read, is too large, is not YAML, is not a mapping, or holds a
            secret or half a letter.
    """
    try:
        content = _content(_text(path))
    except OSError as error:
        raise UserError(
            f"cannot read {path} ({error.strerror}); "
            "run from the repository's folder or restore it from git"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} should be UTF-8 text, got a byte that is not ({error}); save it as UTF-8"
        ) from error
    except (yaml.YAMLError, RecursionError, *OF_A_VALUE) as error:
        raise UserError(f"{path} is not valid YAML: {_problem(error)}") from error
    if not isinstance(content, dict):
        came = "an empty file" if content is None else type(content).__name__
        raise UserError(f"{path} should hold {expected}, got {came}; restore it from git")
    refuse_secrets(content, path)
    return content


def _problem(error: Exception) -> str:
    """Return what is wrong with the content of a YAML file."""
    if isinstance(error, yaml.YAMLError):
        return without_snippet(error)
    if isinstance(error, RecursionError):
        return "its lists or keys are nested too deep; restore it from git"
    return f"a value is not of its form ({shortened(str(error))})"


def _text(path: Path) -> str:
    """Return the text of a file; reading a pipe or a device might never end, so it is refused."""
    if not path.is_file() and path.exists():
        raise UserError(f"{path} should be a file, got a folder or a device; restore it from git")
    with path.open("rb") as file:
        data = file.read(LARGEST_BYTES + 1)
    if len(data) > LARGEST_BYTES:
        raise UserError(
            f"{path} should be smaller than {LARGEST_BYTES // 1024} KB; restore it from git"
        )
    return data.decode()


def _content(text: str) -> Any:
    loader = _Loader(text)
    node = loader.get_single_node()
    if node is None:
        return None
    if _values(node, {}) > MOST_VALUES:
        raise yaml.YAMLError(
            f"it holds more than {MOST_VALUES:,} values, with those that aliases refer to"
        )
    content = loader.construct_document(node)
    for value in _texts(content):
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            came = f"{shortened(ascii(value))} has a half of a letter (a lone surrogate)"
            raise yaml.YAMLError(f"{came}, which no file can hold")
    return content


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the values of a node, with those that its aliases refer to.

    ``known`` has the counts by the node's id; a node that is being counted has 0, so that an alias
    of a node inside itself is found.
    """
    if id(node) in known:
        if not known[id(node)]:
            line = node.start_mark.line + 1
            raise yaml.YAMLError(f"an alias refers to what it is part of, in line {line}")
        return known[id(node)]
    known[id(node)] = 0
    total = 1
    for item in node.value if isinstance(node, yaml.CollectionNode) else []:
        children = item if isinstance(item, tuple) else (item,)  # a key with its value, or one item
        total += sum(_values(child, known) for child in children)
    known[id(node)] = total
    return total


def _texts(content: Any) -> Iterator[str]:
    """Yield every text among keys and values."""
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, (list, tuple, set)):
            waiting += value


class _Loader(yaml.SafeLoader):
    """YAML as DVC parses it: ``1e-3`` is a number, and a key that occurs twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                line = node.start_mark.line + 1
                again = f"occurs twice, again in line {line} or below"
                raise yaml.YAMLError(f"key {shortened(key.value)!r} {again}; keep one")
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        kinds = {type(key) for key in mapping}
        if len(kinds) > 1 or not kinds <= {str, int, float, bool}:
            came = ", ".join(sorted(kind.__name__ for kind in kinds))
            where = f"the keys in line {node.start_mark.line + 1} and below"
            raise yaml.YAMLError(f"{where} should be all text or all numbers, got {came}")
        return mapping

    def whole_number(self, node: yaml.ScalarNode) -> int:
        """Return a whole number of 64 bits, as libraries take it."""
        number = self.construct_yaml_int(node) if len(node.value) < 80 else 2**63
        if not -(2**63) <= number < 2**63:
            line, length = node.start_mark.line + 1, len(node.value)
            raise yaml.YAMLError(
                f"a number of {length:,} digits in line {line}; whole numbers should be below 2^63"
            )
        return int(number)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.whole_number)
