"""The champion of the registered model: whether a candidate of today can be compared with it."""

from __future__ import annotations

from onnxpress.commands.migrate.found import Found
from onnxpress.commands.promote.rule import EARLIER, GAINS, Measured
from onnxpress.errors import UserError
from onnxpress.pipeline.outputs import PARAMS
from onnxpress.pipeline.params import Promote, Publish, parse_params
from onnxpress.pipeline.repository import repository_root
from onnxpress.pipeline.yaml_file import read_yaml


def look_at_champion() -> Found:
    """Say if `make promote` could not compare with the champion, for want of what it recorded.

    Champions need no change: a registered model brings the code that it runs with.
    """
    try:
        settings = parse_params(read_yaml(PARAMS, "the sections of the parameters")).publish
    except UserError:
        return Found()  # said of the params already
    if settings.registered_model is None:
        return Found()
    try:
        line = _objection(settings, settings.registered_model)
    except UserError as error:
        line = f"was not looked at ({error})"
    return Found(left=[f"{settings.registered_model}: its champion {line}"] if line else [])


def _objection(settings: Publish, name: str) -> str | None:
    """Why no candidate could be compared with the champion; None if one can, or there is none."""
    from onnxpress.tracking.failures import server_errors
    from onnxpress.tracking.preflight import opened
    from onnxpress.tracking.store import resolve_store

    store = resolve_store(settings.tracking_uri, repository_root())
    kept = "run `onnxpress migrate` again when it answers"
    with server_errors(store, kept), opened(store, settings.experiment) as experiment:
        from onnxpress.commands.promote.champion import CHAMPION, behind

        champion = behind(experiment.client, name, CHAMPION)
    lacks = lacking(settings.promote, champion.measured) if champion else None
    if champion is None or lacks is None:
        return None
    return (
        f"(version {champion.version}) has no {lacks}, so `make promote` cannot compare by "
        f"{settings.promote.by}; publish that model again, or move the alias {CHAMPION} by hand"
    )


def lacking(rule: Promote, champion: Measured) -> str | None:
    """Return what a champion has not recorded and the rule compares by, None if it has all."""
    pattern, _ = GAINS[rule.by]
    names = EARLIER if champion.score_name is None else (champion.score_name,)
    metrics = sorted({pattern.format(score=name) for name in names})
    if not any(metric in champion.metrics for metric in metrics):
        return f"metric {' or '.join(metrics)}"
    if rule.by == "score" and not champion.test_data:
        return "digest of test rows"
    if rule.by == "latency" and not champion.machine:
        return "machine that its latency was measured on"
    return None
