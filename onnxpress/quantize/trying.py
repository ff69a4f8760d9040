"""Trying candidates by an engine: here one after another, on a cluster some of them ahead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace

from onnxpress.engine.engine import HERE, Ahead, Engine
from onnxpress.quantize.attempts import Attempts
from onnxpress.quantize.candidates import Candidate
from onnxpress.quantize.ladders import Against, Try
from onnxpress.quantize.trials import made
from onnxpress.quantize.verdicts import Outcome, Verdict

DOUBTED = (Outcome.FAILED, Outcome.NOT_APPLICABLE)
"""Outcomes that may be the worker's fault: it has too little memory, or a full disk."""

SCORED = (Outcome.WITHIN_BUDGET, Outcome.OVER_BUDGET, Outcome.NOT_POSITIVE)


@contextmanager
def trying(attempts: Attempts, candidates: Sequence[Candidate], engine: Engine) -> Iterator[Try]:
    """Yield what gives verdicts on ``candidates``, each asked for behind those before it.

    The verdicts are those of this process, whatever the engine: what fails on a worker is tried
    here again.

    Raises:
        ServerError: the engine fails.
    """
    if engine is HERE or not candidates:
        yield lambda candidate, _: attempts.verdict(candidate)
        return
    scorer = replace(attempts.scorer, trials=made(attempts.scorer.trials, engine))
    sent = replace(attempts, scorer=scorer)

    def verdict_of(candidate: Candidate, reason_against: Against) -> Verdict:
        found = ahead.result(candidate, reason_against)
        if found.outcome in DOUBTED:
            return sent.verdict(candidate)
        if found.outcome in SCORED:
            scorer.use_trials()
        return replace(found, candidate=candidate)

    with closing(Ahead(engine, _verdict, candidates, engine.share(sent))) as ahead:
        yield verdict_of


def _verdict(candidate: Candidate, attempts: Attempts) -> Verdict:
    return attempts.verdict(candidate)
