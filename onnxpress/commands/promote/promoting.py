"""Compare the candidate with the champion; move the alias champion, or say why not."""

from __future__ import annotations

from onnxpress.errors import GateFailed, UserError
from onnxpress.pipeline.console import answering, say
from onnxpress.pipeline.params import Publish, load_params
from onnxpress.pipeline.repository import repository_root
from onnxpress.tracking.failures import server_errors
from onnxpress.tracking.preflight import opened
from onnxpress.tracking.store import resolve_store

KEPT = "no alias was moved; run `onnxpress promote` again"


def main(*, in_json: bool = False) -> None:
    """Move the alias champion to the candidate, if the rule in params.yaml allows it.

    Raises:
        UserError: no registered model is named, or it has no candidate.
        GateFailed: the rule objects.
        ServerError: the registry does not answer.
    """
    settings = load_params().publish
    model = registered_model(settings)
    store = resolve_store(settings.tracking_uri, repository_root())
    with answering(in_json=in_json) as answer:
        with server_errors(store, KEPT), opened(store, settings.experiment) as experiment:
            # This imports mlflow, 1.5 s: a wrong address is found before.
            from onnxpress.commands.promote.champion import promoted

            verdict = promoted(experiment.client, model, settings.promote)
        answer(verdict.as_json())
        if verdict.objection:
            raise GateFailed(str(verdict))
        say(str(verdict))


def registered_model(settings: Publish) -> str:
    """Return the name of the registered model.

    Raises:
        UserError: none is named.
    """
    if settings.registered_model is None:
        raise UserError(
            "params.yaml: publish.register should name a registered model, got null; "
            "set it and run `dvc repro`"
        )
    return settings.registered_model
