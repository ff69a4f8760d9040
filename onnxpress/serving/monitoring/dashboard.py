"""``dashboard.json`` for Grafana: what the servers of a model do, in one page of panels.

The form is Grafana's dashboard schema 36. A test reads it with the typed models of Grafana's
Foundation SDK (grafana-foundation-sdk on PyPI) and holds what they keep of it against the file.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from onnxpress.serving.monitoring.drift import drift_panels
from onnxpress.serving.monitoring.panels import Panel, panels
from onnxpress.serving.monitoring.watched import Timing, Watched

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
"""The Prometheus that the reader chooses at the top of the page."""
WIDTH, HEIGHT, COLUMNS = 12, 8, 2


def dashboard(watched: Watched, timing: Timing) -> dict[str, Any]:
    """Return the dashboard as plain values."""
    shown = [*panels(watched, timing), *(drift_panels(watched) if watched.drift else [])]
    drawn = [_drawn(panel, place) for place, panel in enumerate(shown)]
    return {
        "annotations": {},
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,  # the same moment is marked in all panels
        "panels": drawn,
        "refresh": "30s",
        "schemaVersion": 36,
        "style": "dark",
        "tags": ["onnxpress"],
        "templating": {"list": [_choice_of_source()]},
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "title": f"{watched.name} on Triton",
        "uid": f"onnxpress-{sha256(watched.name.encode()).hexdigest()[:20]}",  # at most 40 letters
    }


def _choice_of_source() -> dict[str, Any]:
    return {
        "auto": False,
        "auto_count": 30,
        "auto_min": "10s",
        "hide": 0,
        "id": "00000000-0000-0000-0000-000000000000",
        "includeAll": False,
        "label": "Prometheus",
        "multi": False,
        "name": "datasource",
        "query": "prometheus",
        "skipUrlSync": False,
        "type": "datasource",
    }


def _drawn(panel: Panel, place: int) -> dict[str, Any]:
    """Return a panel as Grafana has it, at its place on the page."""
    row, column = divmod(place, COLUMNS)
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    line = {"mode": "off" if panel.limit is None else "line"}
    defaults = {
        "custom": {"fillOpacity": 10, "thresholdsStyle": line},
        "min": 0,
        "thresholds": {"mode": "absolute", "steps": steps},
        "unit": panel.unit,
    }
    return {
        "datasource": SOURCE,
        "description": panel.description,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "gridPos": {"h": HEIGHT, "w": WIDTH, "x": column * WIDTH, "y": row * HEIGHT},
        "id": place + 1,
        "options": {
            "legend": {
                "calcs": [],
                "displayMode": "list",
                "placement": "bottom",
                "showLegend": True,
            },
            "tooltip": {"mode": "multi", "sort": "none"},
        },
        "repeatDirection": "h",
        "targets": [
            {"expr": expression, "legendFormat": legend, "refId": letter}
            for letter, (expression, legend) in zip("ABCDEFGH", panel.queries, strict=False)
        ],
        "title": panel.title,
        "transformations": [],
        "transparent": False,
        "type": "timeseries",
    }
