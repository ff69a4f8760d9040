"""Pickles of protocols 0 to 5, and joblib's files, read into nodes.

joblib's arrays, which lie raw between the opcodes, become an :class:`Array` of the bytes where
they are.
"""

from __future__ import annotations

from typing import Any

from onnxpress.estimators.stored.errors import Damaged
from onnxpress.estimators.stored.joblib_arrays import Types, is_wrapper, raw_array, wrapped
from onnxpress.estimators.stored.nodes import Global, Made
from onnxpress.estimators.stored.opcodes import OPCODES
from onnxpress.estimators.stored.pickle_machine import Machine
from onnxpress.estimators.stored.unpacking import LARGEST, unpacked

STOP = ord(".")
OBJECT_ARRAYS = ("numpy._core.multiarray._reconstruct", "numpy._core.numeric._frombuffer")
"""What makes an array of objects, which is a pickle of its own in joblib's files."""


def read(data: bytes | memoryview, largest: int = LARGEST) -> Any:
    """What the first pickle in ``data``, compressed or not, describes.

    ``largest`` bounds its bytes when unpacked.

    Raises:
        Damaged: cut, changed, or made by hand.
    """
    reader = _Reader(unpacked(data, largest), 0, inner=False)
    try:
        return reader.run()
    except Damaged as error:
        error.names = reader.names
        raise


class _Reader(Machine):
    def __init__(self, view: memoryview, at: int, *, inner: bool) -> None:
        """Read from byte ``at`` of ``view``; an ``inner`` pickle holds no arrays of joblib's."""
        super().__init__(view, at)
        self.inner = inner
        self.types = Types()

    def run(self) -> Any:
        """The described object; ``at`` is behind its last byte then."""
        view, size, opcodes = self.view, len(self.view), OPCODES
        while self.at < size:
            code = view[self.at]
            self.at += 1
            if code == STOP:
                return self._last()
            step = opcodes.get(code)
            if step is None:
                raise Damaged(
                    f"byte {self.at - 1} is {code}, "
                    "which is not an opcode that a stored estimator has"
                )
            try:
                step(self)
            except IndexError as error:
                raise Damaged(f"byte {self.at - 1} takes from an empty stack") from error
        raise Damaged("its end is missing")

    def _last(self) -> Any:
        if not self.stack:
            raise Damaged("it holds nothing")
        return self.stack[-1]

    def build(self) -> None:
        """Read it like any other object.

        The array itself follows the state of joblib's wrapper and takes its place.

        Raises:
            Damaged: state for what is not made, or an array that joblib does not write.
        """
        super().build()
        target = self.stack[-1]
        if is_wrapper(target) and not self.inner:
            self.stack[-1] = self._array(target)

    def _array(self, wrapper: Made) -> Any:
        array = wrapped(wrapper, self.types)
        if array.size:
            node, self.at = raw_array(array, self.view, self.at)
            return node
        reader = _Reader(self.view, self.at, inner=True)
        found = reader.run()
        self.at = reader.at
        if not (
            isinstance(found, Made)
            and isinstance(found.maker, Global)
            and found.maker.path in OBJECT_ARRAYS
        ):
            raise Damaged("an array of objects is something else")
        return found
