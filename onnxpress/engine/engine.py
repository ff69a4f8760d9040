"""What an engine is, and the one that runs everything in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Generic, NoReturn, Protocol, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")
Out_co = TypeVar("Out_co", covariant=True)


class Task(Protocol[Out_co]):
    """A call that was submitted."""

    def result(self) -> Out_co:
        """Wait for what the call returns, or raise what it raises."""

    def cancel(self) -> object:
        """Give the call up, if it has not begun."""


class Engine(Protocol):
    """Runs calls, each on one thread of one process."""

    @property
    def workers(self) -> int:
        """How many calls run at once; so many are worth submitting before a result is asked for."""

    def share(self, value: Any) -> Any:
        """Return what stands for ``value`` as an argument of :meth:`submit`.

        It goes to a worker once, however many calls take it. A call must not change it.
        """

    def submit(self, function: Callable[..., Out], *arguments: Any) -> Task[Out]:
        """Begin ``function(*arguments)`` as soon as there is a worker for it."""


class Here:
    """This process: a call runs when its result is asked for, so one given up costs nothing."""

    workers = 1

    def share(self, value: Any) -> Any:
        """Return the value itself."""
        return value

    def submit(self, function: Callable[..., Out], *arguments: Any) -> Task[Out]:
        """Note the call."""
        return _Later(function, arguments)


class _Later:
    """A call in this process."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._function, self._arguments = function, arguments

    @cached_property
    def _result(self) -> Any:
        return self._function(*self._arguments)

    def result(self) -> Any:
        return self._result

    def cancel(self) -> None:
        pass


HERE = Here()


def in_order(
    engine: Engine, function: Callable[..., Out], items: Iterable[In], *shared: Any
) -> Generator[Out, None, None]:
    """Yield ``function(item, *shared)`` of each item, in the order of the items.

    No more items are taken than keep the workers busy: one that waits for each that runs.
    :data:`HERE` takes an item when the result before it is used.

    Raises:
        Exception: what the function or the items raise, after the results before it.
    """

    def submitted() -> Iterator[Task[Out]]:
        try:
            for item in items:
                yield engine.submit(function, item, *shared)
        except Exception as error:
            yield HERE.submit(_raise, error)

    waiting: deque[Task[Out]] = deque()
    most = 1 if engine is HERE else 2 * engine.workers
    try:
        for task in submitted():
            waiting.append(task)
            if len(waiting) >= most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for task in waiting:
            task.cancel()


def _raise(error: Exception) -> NoReturn:
    raise error


class Ahead(Generic[In, Out]):
    """Results that are asked for in the order of the items, those of some items never.

    Calls that may be asked for are begun before, one for each worker: the more are begun, the more
    may be in vain.
    """

    def __init__(
        self, engine: Engine, function: Callable[..., Out], items: Sequence[In], *shared: Any
    ) -> None:
        """Begin nothing yet; ``function(item, *shared)`` is what may be asked for."""
        self._engine, self._function, self._shared = engine, function, shared
        self._items, self._begun = deque(items), dict[In, Task[Out]]()

    def result(self, item: In, is_needless: Callable[[In], object]) -> Out:
        """Wait for the result of an item, which is behind those that were asked for before.

        ``is_needless`` tells of those behind it whether they will not be needed, as far as known.
        """
        while self._items[0] is not item:
            self._items.popleft()
        others = [each for each in self._items if each is not item and not is_needless(each)]
        for each in self._begun.keys() - {item, *others}:
            self._begun.pop(each).cancel()
        for each in [item, *others][: self._engine.workers]:
            if each not in self._begun:
                self._begun[each] = self._engine.submit(self._function, each, *self._shared)
        return self._begun.pop(item).result()

    def close(self) -> None:
        """Give up what was begun and not asked for."""
        for task in self._begun.values():
            task.cancel()
        self._begun.clear()
