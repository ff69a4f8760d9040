"""YAML files that users write, read as DVC reads them; whatever is in one, it is a mapping of plain values or one line."""

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
"""Values and keys of a file, each alias counted as what it stands for: a few lines of aliases can stand for billions."""


def read_yaml(path: Path, expected: str) -> dict[str, Any]:
    """The mapping in a YAML file that users write; ``expected`` says in words what it should hold.

    Raises:
        UserError: the file cannot be read, is not YAML, is too large, holds no mapping, or a secret, or what no file can hold.
    """
    try:
        content = _content(_text(path))
    except OSError as error:
        raise UserError(
            f"cannot read {path} ({error.strerror}); run from the repository's folder or restore it from git"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} should be UTF-8 text, got a byte that is not ({error}); save it as UTF-8"
        ) from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {without_snippet(error)}") from error
    except RecursionError as error:
        raise UserError(
            f"{path} is not valid YAML: its lists or keys are nested too deep; restore it from git"
        ) from error
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:  # such as a 31st of February
        raise UserError(
            f"{path} is not valid YAML: a value is not of its form ({shortened(str(error))})"
        ) from error
    if not isinstance(content, dict):
        came = "an empty file" if content is None else type(content).__name__
        raise UserError(f"{path} should hold {expected}, got {came}; restore it from git")
    refuse_secrets(content, path)
    return content


def _text(path: Path) -> str:
    """The text of a file; what is no file, such as a pipe, might never end."""
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
            f"it holds more than {MOST_VALUES:,} values, aliases counted as what they stand for"
        )
    content = loader.construct_document(node)
    for value in _texts(content):
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise yaml.YAMLError(
                f"{shortened(ascii(value))} has a half of a letter (a lone surrogate), which no file can hold"
            )
    return content


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for; ``known`` are those of nodes counted before, 0 while one is counted."""
    if id(node) in known:
        if not known[id(node)]:
            raise yaml.YAMLError(
                f"an alias stands for what it is part of, in line {node.start_mark.line + 1}"
            )
        return known[id(node)]
    known[id(node)] = 0
    inner = node.value if isinstance(node, yaml.CollectionNode) else []
    children = [child for item in inner for child in (item if isinstance(item, tuple) else (item,))]
    known[id(node)] = total = 1 + sum(_values(child, known) for child in children)
    return total


def _texts(content: Any) -> Iterator[str]:
    """Every text among keys and values."""
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
    """YAML as DVC's parser has it: ``1e-3`` is a number, and a key that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                line = node.start_mark.line + 1
                raise yaml.YAMLError(
                    f"key {shortened(key.value)!r} stands twice, again in line {line} or below; keep one"
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        if len(kinds := {type(key) for key in mapping}) > 1 or not kinds <= {str, int, float, bool}:
            line, came = (
                node.start_mark.line + 1,
                ", ".join(sorted(kind.__name__ for kind in kinds)),
            )
            raise yaml.YAMLError(
                f"the keys in line {line} and below should be all text or all numbers, got {came}"
            )
        return mapping

    def whole_number(self, node: yaml.ScalarNode) -> int:
        """A whole number of 64 bits, which is what libraries take."""
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
