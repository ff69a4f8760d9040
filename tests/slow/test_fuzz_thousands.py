"""A larger sample of the fuzzer's cases, of another seed than the committed run.

``make soak`` runs 100,000.
"""

from __future__ import annotations

from bench.fuzz.run import fuzz


def test_no_case_of_some_thousands_does_what_it_must_not() -> None:
    outcomes = list(fuzz(2000, 20_26))
    assert len(outcomes) >= 2000
    assert [outcome for outcome in outcomes if outcome.finding] == []
