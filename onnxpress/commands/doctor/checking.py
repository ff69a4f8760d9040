"""Print a line per check of this machine and of the tracking server, or JSON."""

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
from onnxpress.tracking.model_storage import check_place
from onnxpress.tracking.store import configure, resolve_store


@dataclass(frozen=True)
class Finding:
    """What a check found, or why it failed."""

    check: str
    passed: bool
    found: str


def main(*, in_json: bool = False) -> None:
    """Make the checks of the machine, then those of publish up to the first that fails.

    The place of packaged models is checked where params.yaml names one.

    Raises:
        ServerError: a check has failed.
    """
    with answering(in_json=in_json) as answer:
        findings = [checked(title, check) for title, check in MACHINE.items()]
        findings += [checked(title, check) for title, check in deploying()]
        for title, check in publishing():
            findings.append(checked(title, check))
            if not findings[-1].passed:
                break
        ready = all(finding.passed for finding in findings)
        answer({"checks": [asdict(finding) for finding in findings], "ready": ready})
    if not ready:
        raise ServerError("not ready to publish; the first FAIL above says what to do")


def deploying() -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield the check of the place that packaged models are uploaded to, if there is one."""
    try:
        storage = load_params().package.storage_uri
    except UserError:  # a check of the machine has said so
        return
    if storage is not None:
        yield "model storage", partial(check_place, storage)


def publishing() -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield the checks of publish with their titles; the first finds out which store is named."""
    subjects: list[Subject] = []

    def store() -> str:
        settings = load_params().publish
        found = resolve_store(settings.tracking_uri, repository_root())
        subjects.append(Subject(found, settings.experiment, make=False))
        configure(found)
        return found.public_uri

    yield "address", store
    for title in PUBLISHING:
        yield title, partial(subjects[0].check, title)


def checked(title: str, check: Callable[[], str]) -> Finding:
    """Run a check, and say in a line what it found or why it failed."""
    try:
        found, passed = check(), True
    except UserError as error:
        found, passed = str(error), False
    finding = Finding(title, passed, " ".join(found.split()))
    say(f"{'ok  ' if passed else 'FAIL'}  {title:16} {finding.found}")
    return finding
