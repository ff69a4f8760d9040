"""Compare the versions behind the aliases candidate and champion; move champion, or say why not (exit code 3); also as JSON."""

from __future__ import annotations

from onnxpress.errors import GateFailed, UserError
from onnxpress.pipeline.console import answering, json_asked, say
from onnxpress.pipeline.params import load_params
from onnxpress.pipeline.place import repository_root
from onnxpress.pipeline.running import run_stage
from onnxpress.tracking.failures import server_errors
from onnxpress.tracking.preflight import opened
from onnxpress.tracking.store import resolve_store


AGAIN = "no alias was moved; run `make promote` again"


def main() -> None:
    """Two aliases and the rule in params in; the alias champion moved, or an objection."""
    asked = json_asked(
        "onnxpress.commands.promote",
        "Make the candidate the champion of its registered model, if it is better.",
    )
    settings = load_params().publish
    if settings.registered_model is None:
        raise UserError(
            "params.yaml: publish.register should name a registered model, got null; set it and run `dvc repro`"
        )
    store = resolve_store(settings.tracking_uri, repository_root())
    with answering(in_json=asked) as answer:
        with server_errors(store, AGAIN), opened(store, settings.experiment) as experiment:
            from onnxpress.commands.promote.champion import (
                promoted,  # mlflow costs 1.5 s: a wrong address is told before
            )

            verdict = promoted(experiment.client, settings.registered_model, settings.promote)
        answer(verdict.as_json())
        if verdict.objection:
            raise GateFailed(str(verdict))
        say(str(verdict))


if __name__ == "__main__":
    run_stage("promote", main)
