"""Compare the versions behind the aliases candidate and champion; move champion, or say why not (exit code 3)."""

from __future__ import annotations

from stages.common.console import say
from stages.common.errors import GateFailed, UserError, run_stage
from stages.common.params import load_params
from stages.promote.rule import objection
from stages.publish.failures import server_errors
from stages.publish.preflight import opened
from stages.publish.provenance import repository_root
from stages.publish.store import resolve_store


def main() -> None:
    """Two aliases and the rule in params in; the alias champion moved, or an objection."""
    settings = load_params().publish
    if settings.registered_model is None:
        raise UserError("params.yaml: publish.register should name a registered model, got null; set it and run `dvc repro`")
    store = resolve_store(settings.tracking_uri, repository_root())
    with server_errors(store), opened(store, settings.experiment) as experiment:
        from stages.promote.champion import crown, standing  # mlflow costs 1.5 s: a wrong address is told before

        candidate, champion = standing(experiment.client, settings.registered_model)
        if champion and champion.version == candidate.version:
            say(f"{candidate} is the champion already")
            return
        if champion and (reason := objection(settings.promote, candidate.measured, champion.measured)):
            raise GateFailed(f"{champion} stays the champion: {candidate} {reason}")
        crown(experiment.client, candidate)
    say(f"{candidate} is the champion now" + (f", instead of {champion}" if champion else "; there was none"))


if __name__ == "__main__":
    run_stage("promote", main)
