"""Today's spelling of names and of the helper calls that old protocols write."""

from __future__ import annotations

from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from typing import Any

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.nodes import Global, List, Made, Mapping, Tuple

PYTHON_2_PROTOCOLS = 3
"""Below this protocol pickle maps Python 2's names to today's."""

MOST_ARGUMENTS = 100
BYTES = ("_codecs.encode", "builtins.bytes")
OLD_NUMPY = "numpy.core"
OWN_MODULES = {"stages.common.onnx_estimator": "onnxpress.estimators.onnx_estimator"}
"""Where our own classes lived in the first edition, whose stored models go on being read."""
HELPERS = frozenset(
    (
        *(*BYTES, "copyreg._reconstructor", "copyreg.__newobj__", "copyreg.__newobj_ex__"),
        *("builtins.object", "builtins.dict", "joblib.numpy_pickle.NumpyArrayWrapper"),
    )
)
"""Names that readers understand themselves, so that no description holds them."""


def spelled(module: str, name: str, protocol: int) -> Global:
    """The global of that name, as it is spelled today."""
    if protocol < PYTHON_2_PROTOCOLS:
        moved = IMPORT_MAPPING.get(module, module)
        module, name = NAME_MAPPING.get((module, name), (moved, name))
    if module == OLD_NUMPY or module.startswith(f"{OLD_NUMPY}."):
        module = f"numpy._core{module.removeprefix(OLD_NUMPY)}"
    return Global(OWN_MODULES.get(module, module), name)


def called(maker: Any, arguments: Any, encoded: dict[int, tuple[str, bytes]]) -> Any:
    """What ``maker(*arguments)`` stands for: bytes, an object made by ``__new__``, or a call.

    ``encoded`` keeps the bytes of each text, so that one text that is named often is encoded once.

    Raises:
        Damaged: arguments that are no tuple, or none that the helper takes.
    """
    path = maker.path if isinstance(maker, Global) else ""
    items = items_of(arguments, path)
    if path in BYTES:
        return _bytes(items, encoded)
    if path == "copyreg._reconstructor":
        return _reconstructed(items)
    if path == "copyreg.__newobj__" and items:
        return Made(items[0], "new", items[1:])
    if path == "copyreg.__newobj_ex__" and len(items) == 3:
        return Made(items[0], "new", items_of(items[1]), keywords_of(items[2]))
    return Made(maker, "call", items)


def items_of(arguments: Any, path: str = "") -> list[Any]:
    """The items of a tuple, which are not copied: the arguments of what ``path`` names.

    Raises:
        Damaged: it is something else, or long.
    """
    if not isinstance(arguments, Tuple) or len(arguments.items) > MOST_ARGUMENTS:
        of = f" of {path}" if path else ""
        raise Damaged(f"arguments{of} that are not a tuple of a few")
    return arguments.items


def keywords_of(keywords: Any) -> list[tuple[Any, Any]]:
    """The pairs of a dict of keyword arguments.

    Raises:
        Damaged: it is something else.
    """
    few = isinstance(keywords, Mapping) and len(keywords.pairs) <= MOST_ARGUMENTS
    if not few or not all(type(key) is str for key, _ in keywords.pairs):
        raise Damaged("keyword arguments that are not a dict of a few names")
    return list(keywords.pairs)


def _bytes(items: list[Any], encoded: dict[int, tuple[str, bytes]]) -> bytes:
    """Bytes as protocols 0 to 2 spell them: Latin-1 text and its encoding, or nothing."""
    if not items:
        return b""
    if len(items) != 2 or type(items[0]) is not str or items[1] not in ("latin1", "latin-1"):
        raise Damaged("bytes that are no Latin-1 text")
    text = items[0]
    if id(text) not in encoded:
        try:
            encoded[id(text)] = text, text.encode("latin-1")
        except UnicodeEncodeError as error:
            raise Damaged("bytes that are no Latin-1 text") from error
    return encoded[id(text)][1]


def _reconstructed(arguments: list[Any]) -> Made:
    """Make ``copyreg._reconstructor(cls, base, state)``.

    The base is object, or dict or list with their content.
    """
    if len(arguments) != 3 or not isinstance(arguments[1], Global):
        raise Damaged("an object made of nothing")
    maker, base, content = arguments
    if base.path == "builtins.object" and content is None:
        return Made(maker, "new", [])
    if base.path == "builtins.dict" and isinstance(content, Mapping):
        pairs, content.pairs = content.pairs, []  # one object alone has the content
        return Made(maker, "new", [], pairs=pairs)
    if base.path == "builtins.list" and isinstance(content, List):
        items, content.items = content.items, []
        return Made(maker, "new", [], items=items)
    raise Damaged("an object whose base no class of scikit-learn has")
