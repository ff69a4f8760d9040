"""Try every kind of graph in every release of onnxruntime, and write what came of it."""

from __future__ import annotations

from onnxpress.certify.comparing import Outcome, finding
from onnxpress.certify.environments import NotToBeHad, installed
from onnxpress.certify.evidence import EVIDENCE
from onnxpress.certify.features import features
from onnxpress.certify.releases import RELEASES
from onnxpress.certify.replaying import replay
from onnxpress.commands.certify.known_graphs import known_graphs, rows
from onnxpress.errors import UserError
from onnxpress.pipeline.console import progress, say
from onnxpress.pipeline.files import write_json
from onnxpress.runtimes import Kind, Runtime


def refresh() -> None:
    """Write the table that min_onnxruntime is read from.

    The right answers are those of the newest release. Releases that cannot be had here are left
    out and named.

    Raises:
        UserError: the newest release cannot be had.
    """
    graphs = dict(known_graphs())
    models = {name: graph.SerializeToString(deterministic=True) for name, graph in graphs.items()}
    feeds = {"X": rows()}
    newest = Runtime(Kind.ONNXRUNTIME, RELEASES[-1])
    try:
        known = replay(installed(newest), models, feeds)
    except NotToBeHad as reason:
        raise UserError(f"{newest} should be had, to know the right answers: {reason}") from reason
    right = {name: answer.outputs for name, answer in known.items() if not answer.error}
    wrong_in: dict[str, list[str]] = {name: [] for name in right}
    tried = []
    for release in progress(RELEASES, len(RELEASES), "trying releases"):
        try:
            environment = installed(Runtime(Kind.ONNXRUNTIME, release))
        except NotToBeHad as reason:
            say(f"onnxruntime {release} is left out: {reason}")
            continue
        tried.append(release)
        answers = replay(environment, {name: models[name] for name in right}, feeds)
        for name, answer in answers.items():
            if finding(right[name], answer).outcome is not Outcome.EQUAL:
                wrong_in[name].append(release)
    kinds = {
        name: {"features": sorted(features(graphs[name])), "not_right_in": releases}
        for name, releases in wrong_in.items()
    }
    write_json(EVIDENCE, {"releases": tried, "kinds": kinds})
    say(f"written: {EVIDENCE.name}, {len(kinds)} kinds of graphs in {len(tried)} releases")
