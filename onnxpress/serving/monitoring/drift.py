"""What of ``rules.yml`` and of the dashboard is about drift, where the drift component is served.

The component's metrics are in :mod:`onnxpress.drift.exporter`.
"""

from __future__ import annotations

from typing import Any

from onnxpress.serving.monitoring.panels import Panel
from onnxpress.serving.monitoring.watched import Timing, Watched

LIMIT = 0.2
"""As in onnxpress.drift.profiling: from here on a shift is called significant."""
INDEX, CHANCE, ROWS = "onnxpress_drift_psi", "onnxpress_drift_psi_chance", "onnxpress_drift_rows"


def drift_group(watched: Watched, timing: Timing) -> dict[str, Any]:
    """Return the group of rules: an alert for each feature and output of each server."""
    index, chance = (f"{metric}{{{watched.labels}}}" for metric in (INDEX, CHANCE))
    summary = (
        f"the {{{{ $labels.kind }}}} {{{{ $labels.name }}}} of {watched.name} has drifted from the "
        'training rows: PSI {{ printf "%.2f" $value }}'
    )
    alert = {
        "alert": "InferenceDrift",
        "expr": f"{index} > {LIMIT} and {index} > {chance}",
        "for": timing.trouble,
        "labels": {"severity": "warning"},
        "annotations": {"summary": summary},
    }
    return {"name": f"{watched.job}-drift", "rules": [alert]}


def drift_panels(watched: Watched) -> list[Panel]:
    """Return two panels: the largest indices, and how many rows they are computed from."""
    index = f"max by (kind, name) ({INDEX}{{{watched.labels}}})"
    return [
        Panel(
            "Drift",
            "Population stability index against the training rows: the ten largest. InferenceDrift "
            "fires for one above the limit and above what chance gives.",
            "short",
            [(f"topk(10, {index})", "{{kind}} {{name}}")],
            LIMIT,
        ),
        Panel(
            "Rows counted for drift",
            "In the window of each server.",
            "short",
            [(f"{ROWS}{{{watched.labels}}}", "{{instance}}")],
        ),
    ]
