"""Runtimes that a candidate has to answer equally in too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from onnxpress.certify.certifying import outputs_of
from onnxpress.certify.comparing import Finding, Outcome, finding
from onnxpress.certify.environments import Environment, NotToBeHad, installed
from onnxpress.certify.replaying import replay
from onnxpress.errors import UserError
from onnxpress.runtimes import Runtime
from onnxpress.tables.rows import Feeds

MODEL = "the model"


@dataclass(frozen=True)
class Elsewhere:
    """Installed runtimes, and the rows that are replayed there."""

    environments: Sequence[Environment] = ()
    feeds: Feeds = field(default_factory=dict)

    def results(self, model: bytes) -> dict[str, str]:
        """Return what becomes of a model in each runtime, in words."""
        expected = outputs_of(MODEL, model, self.feeds) if self.environments else ()
        found = {}
        for environment in self.environments:
            answer = replay(environment, {MODEL: model}, self.feeds)[MODEL]
            found[str(environment.runtime)] = _words(finding(expected, answer))
        return found

    def failures(self, model: bytes) -> dict[str, str]:
        """Return the runtimes in which a model does not answer equally, and what it does there."""
        results = self.results(model)
        return {name: words for name, words in results.items() if words != Outcome.EQUAL}


NOWHERE = Elsewhere()


def elsewhere(runtimes: Sequence[Runtime], feeds: Feeds, key: str) -> Elsewhere:
    """Install runtimes; ``key`` is where they are named.

    Raises:
        UserError: one cannot be had on this machine.
    """
    environments = []
    for runtime in runtimes:
        try:
            environments.append(installed(runtime))
        except NotToBeHad as reason:
            cure = "install what it needs, or take it out"
            raise UserError(f"{key} names {runtime}, and {reason}; {cure}") from reason
    return Elsewhere(tuple(environments), feeds)


def _words(found: Finding) -> str:
    if found.reason:
        return f"{found.outcome}: {found.reason}"
    if found.outcome is Outcome.EQUAL:
        return str(found.outcome)
    largest = "of another shape" if found.largest is None else f"up to {found.largest:.2g} apart"
    return f"{found.outcome}: {found.agreeing} of {found.rows} rows agree, numbers are {largest}"
