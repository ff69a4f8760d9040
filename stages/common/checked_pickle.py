"""Pickles and joblib files, loaded so that nothing runs but what is admitted (:mod:`stages.common.admitted`).

joblib's reader is pickle's own, written in Python, with arrays in between. Three rules are added: a global that is not
admitted becomes a stand-in which does nothing, so that the rest of the file can be read and every such name told; only an
admitted global is called, never an object that the pickle has made; and only made objects are given state, so that no
class or function is changed for the rest of the process.
"""

from __future__ import annotations

import pickle
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Self

import numpy as np
from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler
from joblib.numpy_pickle_utils import _validate_fileobject_and_memmap

from stages.common.admitted import RefusedGlobals, admit


def load_checked(path: Path, trusted: Collection[str]) -> Any:
    """The object in a pickle or joblib file, compressed or not.

    Raises:
        RefusedGlobals: it names something that is not admitted; nothing of that has been imported or called.
        OSError: the file cannot be read.
        Exception: whatever a damaged file leads to.
    """
    with path.open("rb") as raw, _validate_fileobject_and_memmap(raw, str(path), None) as (file, _):
        if isinstance(file, str):
            raise pickle.UnpicklingError("a file of joblib 0.9 or older")
        reader = _CheckedUnpickler(str(path), file, trusted)
        try:
            loaded = reader.load()
        except Exception as error:
            if reader.refused:  # stand-ins do not fit everywhere; what they lead to is no news
                raise RefusedGlobals(reader.refused) from error
            raise
    if reader.refused:
        raise RefusedGlobals(reader.refused)
    return loaded


class _StandIn:
    """In place of a refused global or of what calling it would make: takes anything, does nothing."""

    def __new__(cls, *_arguments: Any, **_keywords: Any) -> Self:
        return object.__new__(cls)

    def __init__(self, *_arguments: Any, **_keywords: Any) -> None:
        """Take anything."""

    def __setitem__(self, _key: Any, _value: Any) -> None:
        """Forget it."""

    def __setstate__(self, _state: Any) -> None:
        """Forget it."""

    def append(self, _item: Any) -> None:
        """Forget it."""

    extend = add = append


class _CheckedUnpickler(NumpyUnpickler):  # type: ignore[misc] # joblib has no types
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = NumpyUnpickler.dispatch.copy()

    def __init__(self, filename: str, file: BinaryIO, trusted: Collection[str], outer: _CheckedUnpickler | None = None) -> None:
        super().__init__(filename, file, ensure_native_byte_order=True)
        self.trusted = trusted
        self.refused: set[str] = outer.refused if outer else set()
        self.found: list[Any] = outer.found if outer else [_StandIn]

    def find_class(self, module: str, name: str) -> Any:
        """The global if it is admitted, otherwise a stand-in."""
        if self.proto < 3:  # as pickle does: such files may come from Python 2
            module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        found = admit(module, name, self.trusted)
        if found is None:
            self.refused.add(f"{module}.{name}")
            return _StandIn
        self.found.append(found)
        return found

    def load_build(self) -> None:
        """State for an object; for an array of joblib's, the array."""
        target, state = self.stack[-2:]
        if self._is_global(target):
            raise pickle.UnpicklingError("state for a class or function")
        if isinstance(target, NumpyArrayWrapper):
            _check_array(state)
            if state["dtype"].hasobject:  # a pickle within the pickle
                self.stack[-2:] = [_CheckedUnpickler(self.filename, self.file_handle, self.trusted, self).load()]
                return
        super().load_build()

    def _instantiate(self, made_of: Any, mark: Any) -> None:
        self._require_global(made_of)
        super()._instantiate(made_of, mark)

    def load_reduce(self) -> None:
        self._require_global(self.stack[-2])
        super().load_reduce()

    def load_newobj(self) -> None:
        self._require_global(self.stack[-2])
        super().load_newobj()

    def load_newobj_ex(self) -> None:
        self._require_global(self.stack[-3])
        super().load_newobj_ex()

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex

    def _is_global(self, item: Any) -> bool:
        return any(item is found for found in self.found)

    def _require_global(self, item: Any) -> None:
        if not self._is_global(item):
            raise pickle.UnpicklingError(f"a call of an object of type {type(item).__name__}, which is no admitted global")


def _check_array(state: dict[str, Any]) -> None:
    """Raise UnpicklingError unless joblib would have written this of an array: its attributes decide what is called."""
    kinds: dict[str, Any] = {
        "subclass": type,
        "shape": tuple,
        "order": str,
        "dtype": np.dtype,
        "allow_mmap": bool,
        "numpy_array_alignment_bytes": int | None,
    }
    if not (state.keys() <= kinds.keys() and all(isinstance(value, kinds[key]) for key, value in state.items())):
        raise pickle.UnpicklingError("an array with attributes that joblib does not write")
