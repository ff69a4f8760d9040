"""The files of the folder ``monitoring/``, as bytes."""

from __future__ import annotations

import json
from typing import Any

import yaml

from onnxpress.serving.monitoring.dashboard import dashboard
from onnxpress.serving.monitoring.drift import drift_group
from onnxpress.serving.monitoring.prometheus import RULES, scraping
from onnxpress.serving.monitoring.rules import rules
from onnxpress.serving.monitoring.watched import Timing, Watched

SCRAPING, DASHBOARD = "prometheus.yml", "dashboard.json"


def monitoring_files(watched: Watched, timing: Timing | None = None) -> dict[str, bytes]:
    """Return the files by name; the same arguments give the same bytes."""
    timing = timing or Timing()
    drift = [drift_group(watched, timing)] if watched.drift else []
    return {
        SCRAPING: _yaml(scraping(watched, timing)),
        RULES: _yaml({"groups": [*rules(watched, timing)["groups"], *drift]}),
        DASHBOARD: f"{json.dumps(dashboard(watched, timing), indent=2, sort_keys=True)}\n".encode(),
    }


def _yaml(values: dict[str, Any]) -> bytes:
    """Return YAML with sorted keys, and an expression on one line."""
    return yaml.safe_dump(values, sort_keys=True, width=1000, allow_unicode=True).encode()
