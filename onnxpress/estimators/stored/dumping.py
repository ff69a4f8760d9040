"""An estimator as bytes that are the same each time.

Those of joblib, without what differs between two equal estimators.

``dump(loads(dump(x))) == dump(x)``, in any process. joblib's own bytes also depend on which equal
texts are one object, on the order of sets, on what lies between the fields of records, and on
what a random state was made of before it got its state.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Collection
from functools import partial
from types import MethodType
from typing import Any, ClassVar

import numpy as np
from joblib.numpy_pickle import NumpyPickler
from joblib.numpy_pickle_utils import Pickler
from numpy.random import BitGenerator, RandomState, _pickle
from sklearn.base import BaseEstimator

from onnxpress.estimators.stored.errors import Damaged

PROTOCOL = 4
COUNTERS = slice(7, 11)
"""In the state of a KD tree or ball tree: how often it was asked, and what that took."""

NEIGHBORS = {"sklearn.neighbors._kd_tree", "sklearn.neighbors._ball_tree"}
FOUND_OUT = {"_has_canonical_format", "_has_sorted_indices", "_stop_words_id"}
"""What a sparse matrix knows of itself once it was asked.

Where in memory a vectoriser's stop words were.
"""

_RANDOM_STATE, _BIT_GENERATOR = (
    getattr(_pickle, f"__{name}_ctor") for name in ("randomstate", "bit_generator")
)


def dump(estimator: Any) -> bytes:
    """Write the bytes of an uncompressed joblib file.

    How many threads an estimator computes with is not part of it.

    Raises:
        Damaged: its parts are nested too deeply, or one of them cannot be pickled.
    """
    file = io.BytesIO()
    try:
        _Pickler(file, PROTOCOL).dump(estimator)
    except RecursionError as error:
        raise Damaged("its parts are nested too deeply") from error
    except (
        pickle.PicklingError,
        TypeError,
        AttributeError,
    ) as error:  # of a lambda, a lock, an open file
        raise Damaged(f"a part of it cannot be pickled ({error})") from error
    return file.getvalue()


class _Pickler(NumpyPickler):  # type: ignore[misc] # joblib has no types
    dispatch: ClassVar[dict[type, Callable[..., None]]] = NumpyPickler.dispatch.copy()

    def __init__(self, file: io.BytesIO, protocol: int) -> None:
        super().__init__(file, protocol)
        self._values: dict[tuple[type, Any], Any] = {}

    def save(self, obj: Any) -> None:
        """Write an object.

        Equal texts, bytes and types of numbers are one object, so the second refers to the first.
        """
        # the class of long is another than that of long long
        kind = np.dtype if isinstance(obj, np.dtype) else type(obj)
        if kind in (str, bytes, np.dtype):
            obj = self._values.setdefault((kind, obj), obj)
        elif kind is np.ndarray or kind is np.memmap:
            obj = _settled(np.asarray(obj))
            if obj.dtype.hasobject:  # joblib would begin another pickle, with texts of its own
                Pickler.save(self, obj)
                return
        super().save(obj)

    def reducer_override(self, obj: Any) -> Any:
        """How an object is taken apart, where the usual way depends on more than the object."""
        if isinstance(obj, RandomState):
            state = obj.get_state(legacy=False)
            return _RANDOM_STATE, (state["bit_generator"],), state
        if isinstance(obj, BitGenerator):
            return _BIT_GENERATOR, (obj.state["bit_generator"],), obj.state
        if type(obj) is partial:  # has an empty dict of attributes once somebody has looked for one
            attributes = vars(obj) or None
            return partial, (obj.func,), (obj.func, obj.args, obj.keywords, attributes)
        if type(obj).__module__ in NEIGHBORS and not isinstance(obj, type):
            maker, arguments, state = obj.__reduce__()
            settled = list(state)
            settled[COUNTERS] = [0] * len(settled[COUNTERS])
            return maker, arguments, tuple(settled)
        return NotImplemented

    def save_reduce(
        self, func: Any, args: Any, state: Any = None, *rest: Any, obj: Any = None, **more: Any
    ) -> None:
        """Write an object that was taken apart, the attributes of it in alphabetical order."""
        if type(state) is dict and all(type(key) is str for key in state):
            state = {
                key: state[key] for key in sorted(state) if not _is_left_out(obj, key, state[key])
            }
            if isinstance(obj, BaseEstimator) and "n_jobs" in state:
                state["n_jobs"] = None
        super().save_reduce(func, args, state, *rest, obj=obj, **more)

    def save_set(self, obj: set[Any]) -> None:
        """Write a set in an order of its own."""
        self.write(pickle.EMPTY_SET)
        self.memoize(obj)
        self.write(pickle.MARK)
        for item in _in_order(obj):
            self.save(item)
        self.write(pickle.ADDITEMS)

    def save_frozenset(self, obj: frozenset[Any]) -> None:
        """Write a frozenset in an order of its own."""
        self.write(pickle.MARK)
        for item in _in_order(obj):
            self.save(item)
        self.write(pickle.FROZENSET)
        self.memoize(obj)

    dispatch[set], dispatch[frozenset] = save_set, save_frozenset


def _is_left_out(obj: Any, name: str, value: Any) -> bool:
    """Whether an attribute is found out again, or a method that the class has anyway.

    An early stopped fit leaves one.
    """
    if isinstance(value, MethodType):
        return value.__self__ is obj and getattr(type(obj), name, None) is value.__func__
    return name in FOUND_OUT


def _in_order(items: Collection[Any]) -> list[Any]:
    """The items of a set, which do not all compare with each other."""
    return sorted(items, key=lambda item: (type(item).__name__, repr(item)))


def _settled(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array in native byte order, with zeros between the fields of records."""
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype.names is None:
        return array
    clean = np.zeros(array.shape, array.dtype)  # zeros_like leaves what lies between fields
    for name in array.dtype.names:
        clean[name] = array[name]
    return clean
