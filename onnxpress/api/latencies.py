"""How long models take, side by side."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from typing import Any

from onnxpress.api.checks import check_number, check_seed, check_whole
from onnxpress.api.model_arguments import GivenModel, as_inputs, given_model
from onnxpress.api.table_arguments import Features, features
from onnxpress.benchmark.latency_statistics import Ratio, Summary, ratio, summarise, values
from onnxpress.benchmark.measure import Plan, measure_batches
from onnxpress.benchmark.timed_calls import batches, in_turns, limited_threads
from onnxpress.errors import UserError
from onnxpress.estimators.layout import original_input
from onnxpress.estimators.parts import set_threads
from onnxpress.runtime.sessions import open_session
from onnxpress.tables.rows import Feeds

Call = Callable[[], object]


@dataclass(frozen=True, repr=False)
class Latencies:
    """What :func:`measure` found."""

    batches: Mapping[int, Mapping[str, Summary]]
    """By rows per call and model: percentiles in ms, and how they spread."""

    speedups: Mapping[int, Mapping[str, Ratio]]
    """By rows per call and model: how many times faster than the first model."""

    threads: int
    """Threads that every model computed with."""

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON's types."""
        return {
            "threads": self.threads,
            "batches": {str(rows): _as_dicts(each) for rows, each in self.batches.items()},
            "speedups": {str(rows): _as_dicts(each) for rows, each in self.speedups.items()},
        }

    def __str__(self) -> str:
        """The medians, a line for each batch size."""
        return "\n".join(map(self._line, self.batches))

    def __repr__(self) -> str:
        """The same in one line: all percentiles would fill a page."""
        return f"Latencies({'; '.join(map(self._line, self.batches))})"

    def _line(self, rows: int) -> str:
        parts = []
        for name, summary in self.batches[rows].items():
            faster = self.speedups[rows].get(name)
            note = "" if faster is None else f" ({faster.median:.2f}x)"
            parts.append(f"{name} {summary.p50_ms:.3g} ms{note}")
        return f"{rows} row{'s' if rows > 1 else ''}: {', '.join(parts)}"


def _as_dicts(found: Mapping[str, Summary] | Mapping[str, Ratio]) -> dict[str, Any]:
    return {name: asdict(each) for name, each in found.items()}


def measure(
    models: Mapping[str, Any],
    X: Any,
    *,
    batch_sizes: Sequence[int] = (1, 32, 1024),
    threads: int = 1,
    seconds: float = 10.0,
    calls: int = 1000,
    trust: Collection[str] = (),
    seed: int = 0,
) -> Latencies:
    """Measure how long models take for the same rows, in rounds that time each of them once.

    Estimators are timed by ``predict``, ONNX models by a call of onnxruntime that returns all their
    outputs. Every model is warmed up first.

    Args:
        models: Fitted estimators, ONNX models, or paths of files of either, by a name of yours. The
            first is what speed-ups are relative to.
        X: Rows, an array, a DataFrame or tensors; they are repeated where a batch needs more.
        batch_sizes: Rows per call.
        threads: Threads of scikit-learn and onnxruntime.
        seconds: Upper bound on the time of all measurements.
        calls: Timed calls of each model for the first batch size; at most 60 for the others.
        trust: Classes that a stored estimator may hold besides scikit-learn's.
        seed: Of the order in which models are timed.

    Raises:
        UserError: a model, ``X`` or a number is not what it should be, or they do not fit together.

    >>> import onnxpress
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> forest = RandomForestClassifier(10).fit(X, y)
    >>> models = {"scikit-learn": forest, "ONNX": onnxpress.convert(forest, X)}
    >>> found = onnxpress.measure(models, X, batch_sizes=[1], seconds=0.2)
    >>> found.speedups[1]["ONNX"].median > 1
    True
    """
    if not isinstance(models, Mapping) or not models:
        raise UserError(f"models should be a mapping from names to models, got {models!r}")
    sizes = _checked_sizes(batch_sizes)
    check_whole("threads", threads, 1)
    check_whole("calls", calls, 1)
    check_number("seconds", seconds, "a number above 0", least=1e-9, most=1e9)
    check_seed(seed)
    table = features(X)
    opened = {
        name: given_model(model, f"models[{name!r}]", trust) for name, model in models.items()
    }
    ready = {name: _prepared(each, table, threads) for name, each in opened.items()}
    feeds = table.feeds()
    with limited_threads(threads), _refusals_named(ready, feeds, sizes):
        timed = measure_batches(
            lambda rows: {
                name: in_turns([make(each) for each in batches(feeds, rows)])
                for name, make in ready.items()
            },
            sizes,
            Plan(calls, seconds),
            seed,
        )
    summaries, speedups = {}, {}
    for rows, found in timed.items():
        first, *others = found
        per_round = {name: values(each) for name, each in found.items()}
        summaries[rows] = {name: summarise(each) for name, each in found.items()}
        speedups[rows] = {name: ratio(per_round[first], per_round[name]) for name in others}
    return Latencies(summaries, speedups, threads)


@contextmanager
def _refusals_named(
    ready: Mapping[str, Callable[[Feeds], Call]], feeds: Feeds, sizes: list[int]
) -> Iterator[None]:
    """Name the model and the batch if a model refuses the rows within the block.

    Calls are only tried one by one after a failure: nothing is wrapped around what is timed.

    Raises:
        UserError: a model refuses a batch.
    """
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception:
        for rows, name in product(sizes, ready):
            try:
                for each in batches(feeds, rows):
                    ready[name](each)()
            except Exception as error:  # each library has its own
                what = f"models[{name!r}] refuses a batch of {rows} row{'s' * (rows > 1)} of X"
                raise UserError(f"{what}: {str(error).splitlines()[0]}") from error
        raise


def _checked_sizes(batch_sizes: Any) -> list[int]:
    """The batch sizes, each a whole number.

    Raises:
        UserError: one is not, or there are none.
    """
    sizes = list(batch_sizes) if isinstance(batch_sizes, Iterable) else []
    if not sizes:
        raise UserError(f"batch_sizes should be whole numbers from 1 on, got {batch_sizes!r}")
    for size in sizes:
        check_whole("each of batch_sizes", size, 1)
    return sizes


def _prepared(model: GivenModel, table: Features, threads: int) -> Callable[[Feeds], Call]:
    """From the rows of a batch to the call to time."""
    schema = table.schema(model.task)
    if model.data:
        session = open_session(model.data, threads)
        inputs = partial(as_inputs, columns=table.columns, name=model.name)
        return lambda feeds: partial(session.run, None, inputs(session, feeds))
    model.check_columns(schema)
    estimator = set_threads(copy.deepcopy(model.estimator), threads)
    return lambda feeds: partial(estimator.predict, original_input(estimator, feeds, schema))
