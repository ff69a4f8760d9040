"""The versions behind the aliases of a registered model, with what was measured of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlflow.exceptions import MlflowException

from onnxpress.commands.promote.rule import Measured, objection
from onnxpress.errors import UserError
from onnxpress.pipeline.params import Promote

CANDIDATE, CHAMPION, BEFORE = "candidate", "champion", "champion-before"
ABSENT = {"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"}


@dataclass(frozen=True)
class Version:
    """A version of a registered model."""

    name: str
    version: str
    measured: Measured
    run_id: str = ""

    def __str__(self) -> str:
        """As a user calls it."""
        return f"{self.name} version {self.version}"


@dataclass(frozen=True)
class Verdict:
    """Which version was the champion, and the objection to the candidate, if there is one."""

    candidate: Version
    before: Version | None
    objection: str | None

    @property
    def champion(self) -> Version:
        """The version that is the champion now."""
        return self.before if self.before and self.objection else self.candidate

    @property
    def moved(self) -> bool:
        """Whether another version has become the champion."""
        return self.before is None or self.champion.version != self.before.version

    def __str__(self) -> str:
        """The verdict as a sentence."""
        if self.objection:
            return f"{self.before} stays the champion: {self.candidate} {self.objection}"
        if not self.moved:
            return f"{self.candidate} is the champion already"
        before = f", instead of {self.before}" if self.before else "; there was none"
        return f"{self.candidate} is the champion now{before}"

    def as_json(self) -> dict[str, Any]:
        """Return the verdict for a script; versions are strings, as in MLflow."""
        return {
            "model": self.candidate.name,
            "candidate": self.candidate.version,
            "champion": self.champion.version,
            "champion_before": self.before and self.before.version,
            "promoted": self.moved,
            "objection": self.objection,
        }


def promoted(client: Any, name: str, rule: Promote) -> Verdict:
    """Make the candidate the champion, unless the rule objects.

    Raises:
        UserError: there is no candidate.
    """
    candidate, champion = versions(client, name)
    reason = None
    if champion and champion.version != candidate.version:
        reason = objection(rule, candidate.measured, champion.measured)
    verdict = Verdict(candidate, champion, reason)
    if verdict.moved:
        crown(client, candidate, champion)
    return verdict


def versions(client: Any, name: str) -> tuple[Version, Version | None]:
    """Return the candidate and the champion of a registered model; None if it has no champion.

    Raises:
        UserError: there is no candidate.
    """
    candidate, champion = behind(client, name, CANDIDATE), behind(client, name, CHAMPION)
    if candidate is None:
        raise UserError(
            f"{name} has no version with the alias {CANDIDATE}; "
            "run `make publish` with this publish.register first"
        )
    return candidate, champion


def behind(client: Any, name: str, alias: str) -> Version | None:
    """Return the version that has the alias, if any."""
    try:
        found = client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code not in ABSENT:
            raise
        return None
    run = client.get_run(found.run_id)
    digests = sorted(entry.dataset.digest for entry in run.inputs.dataset_inputs)
    machine = run.data.tags.get("latency_machine", "")
    params = run.data.params
    measured = Measured(
        run.data.metrics,
        ", ".join(digests),
        machine,
        score=params.get("score"),
        score_class=params.get("score_class"),
    )
    return Version(name, str(found.version), measured, found.run_id)


def champions(client: Any, name: str) -> tuple[Version, Version]:
    """Return the champion of a registered model, and the one before it.

    Raises:
        UserError: there has been one champion at most.
    """
    champion, before = behind(client, name, CHAMPION), behind(client, name, BEFORE)
    if champion is None or before is None or before.version == champion.version:
        raise UserError(
            f"{name} has no champion before the present one; `make promote` keeps it as "
            f"{BEFORE} when another version takes its place"
        )
    return champion, before


def crown(client: Any, version: Version, before: Version | None) -> None:
    """Give a version the alias champion; the one that had it becomes the champion before."""
    if before is not None:
        client.set_registered_model_alias(version.name, BEFORE, before.version)
    client.set_registered_model_alias(version.name, CHAMPION, version.version)
