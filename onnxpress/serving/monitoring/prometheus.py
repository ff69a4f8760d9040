"""``prometheus.yml``: where the metrics of the model's servers are.

On KServe, the annotations ``prometheus.kserve.io/port`` and ``path`` of a pod come from the
runtime ``kserve-tritonserver`` (github.com/kserve/kserve, config/runtimes), and the label
``serving.kserve.io/inferenceservice`` from its controller. The annotations ``prometheus.io/*`` are
not used: KServe points them to the port of Knative's proxy, which has no metrics of Triton.
"""

from __future__ import annotations

from typing import Any

from onnxpress.serving.monitoring.watched import Timing, Watched

METRICS_PORT = 8002
"""Of Triton, unless ``--metrics-port`` says another."""
RULES = "rules.yml"
POD = "__meta_kubernetes_pod"
"""How the labels begin that Prometheus's discovery of pods gives."""


def scraping(watched: Watched, timing: Timing) -> dict[str, Any]:
    """Return the configuration as plain values."""
    return {
        "global": {"scrape_interval": timing.scrape, "evaluation_interval": timing.scrape},
        "rule_files": [RULES],
        "scrape_configs": [{"job_name": watched.job, **_servers(watched)}],
    }


def _servers(watched: Watched) -> dict[str, Any]:
    if not watched.on_kserve:
        return {"static_configs": [{"targets": [f"127.0.0.1:{METRICS_PORT}"]}]}
    service = f"{POD}_label_serving_kserve_io_inferenceservice"
    port = f"{POD}_annotation_prometheus_kserve_io_port"
    path = f"{POD}_annotation_prometheus_kserve_io_path"
    return {
        "kubernetes_sd_configs": [{"role": "pod"}],
        "relabel_configs": [
            {"source_labels": [service], "regex": watched.name, "action": "keep"},
            {"source_labels": [f"{POD}_phase"], "regex": "Running", "action": "keep"},
            {  # every port of a pod is discovered: all become this one, and one target is left
                "source_labels": ["__address__", port],
                "regex": r"(.+?)(?::\d+)?;(\d+)",
                "replacement": "$1:$2",
                "target_label": "__address__",
            },
            {"source_labels": [path], "regex": "(.+)", "target_label": "__metrics_path__"},
            {"source_labels": [f"{POD}_name"], "target_label": "pod"},
            {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        ],
    }
