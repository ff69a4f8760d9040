"""Print a line per check of this machine and of the tracking server, or JSON; exit code 4 when one fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial

from onnxpress.commands.doctor.machine import CHECKS as MACHINE
from onnxpress.errors import ServerError, UserError
from onnxpress.pipeline.console import answering, say
from onnxpress.pipeline.params import load_params
from onnxpress.pipeline.repository import repository_root
from onnxpress.tracking.checks import CHECKS as PUBLISHING
from onnxpress.tracking.checks import Subject
from onnxpress.tracking.store import configure, resolve_store


@dataclass(frozen=True)
class Finding:
    """What a check found, or why it failed."""

    check: str
    passed: bool
    found: str


def main(*, in_json: bool = False) -> None:
    """Make the checks of the machine, then those of publish up to the first that fails.

    Raises:
        ServerError: a check has failed.
    """
    with answering(in_json=in_json) as answer:
        findings = [told(title, check) for title, check in MACHINE.items()]
        for title, check in publishing():
            findings.append(told(title, check))
            if not findings[-1].passed:
                break
        ready = all(finding.passed for finding in findings)
        answer({"checks": [asdict(finding) for finding in findings], "ready": ready})
    if not ready:
        raise ServerError("not ready to publish; the first FAIL above says what to do")


def publishing() -> Iterator[tuple[str, Callable[[], str]]]:
    """The checks of publish, by title; the first is whether params and environment name a store at all."""
    subjects: list[Subject] = []

    def store() -> str:
        settings = load_params().publish
        subjects.append(
            Subject(
                resolve_store(settings.tracking_uri, repository_root()),
                settings.experiment,
                make=False,
            )
        )
        configure(subjects[0].store)
        return subjects[0].store.public_uri

    yield "address", store
    for title in PUBLISHING:
        yield title, partial(subjects[0].check, title)


def told(title: str, check: Callable[[], str]) -> Finding:
    """Say in a line what a check found, or why it failed."""
    try:
        found, passed = check(), True
    except UserError as error:
        found, passed = str(error), False
    finding = Finding(title, passed, " ".join(found.split()))
    say(f"{'ok  ' if passed else 'FAIL'}  {title:16} {finding.found}")
    return finding
