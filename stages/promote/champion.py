"""The versions behind the aliases of a registered model, with what was measured of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlflow.exceptions import MlflowException

from stages.common.errors import UserError
from stages.promote.rule import Measured

CANDIDATE, CHAMPION = "candidate", "champion"
ABSENT = {"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"}


@dataclass(frozen=True)
class Version:
    """A version of a registered model."""

    name: str
    version: str
    measured: Measured

    def __str__(self) -> str:
        """As a user calls it."""
        return f"{self.name} version {self.version}"


def standing(client: Any, name: str) -> tuple[Version, Version | None]:
    """The candidate and the champion of a registered model; None while there is no champion.

    Raises:
        UserError: there is no candidate.
    """
    candidate, champion = behind(client, name, CANDIDATE), behind(client, name, CHAMPION)
    if candidate is None:
        raise UserError(f"{name} has no version with the alias {CANDIDATE}; run `make publish` with this publish.register first")
    return candidate, champion


def behind(client: Any, name: str, alias: str) -> Version | None:
    """The version that has the alias, if any."""
    try:
        found = client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code not in ABSENT:
            raise
        return None
    run = client.get_run(found.run_id)
    data = sorted(entry.dataset.digest for entry in run.inputs.dataset_inputs)
    return Version(
        name, str(found.version), Measured(run.data.metrics, ", ".join(data), run.data.tags.get("latency_machine", ""))
    )


def crown(client: Any, version: Version) -> None:
    """Give a version the alias champion."""
    client.set_registered_model_alias(version.name, CHAMPION, version.version)
