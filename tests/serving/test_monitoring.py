"""What Prometheus and Grafana are given, as far as no server is needed to tell."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from onnxpress.serving.monitoring.files import monitoring_files
from onnxpress.serving.monitoring.watched import Timing, Watched

HERE, THERE = Watched("iris", 250, on_kserve=False), Watched("iris", 250, on_kserve=True)


def read(watched: Watched, timing: Timing | None = None) -> tuple[Any, Any, Any]:
    files = monitoring_files(watched, timing)
    return (
        yaml.safe_load(files["prometheus.yml"]),
        yaml.safe_load(files["rules.yml"])["groups"][0]["rules"],
        json.loads(files["dashboard.json"]),
    )


def test_without_kserve_the_server_is_on_the_same_machine() -> None:
    (job,) = read(HERE)[0]["scrape_configs"]
    assert job == {
        "job_name": "triton-iris",
        "static_configs": [{"targets": ["127.0.0.1:8002"]}],
    }


def test_on_kserve_the_servers_are_the_pods_of_the_service() -> None:
    (job,) = read(THERE)[0]["scrape_configs"]
    assert job["kubernetes_sd_configs"] == [{"role": "pod"}]
    assert job["relabel_configs"][0] == {
        "action": "keep",
        "regex": "iris",
        "source_labels": ["__meta_kubernetes_pod_label_serving_kserve_io_inferenceservice"],
    }


def test_where_the_servers_are_changes_neither_rules_nor_dashboard() -> None:
    assert read(HERE)[1:] == read(THERE)[1:]


def test_the_limits_are_those_of_the_alerts_and_of_the_panels() -> None:
    _, rules, page = read(HERE)
    above = {rule["alert"]: rule["expr"].partition(" > ")[2] for rule in rules if "alert" in rule}
    assert above["InferenceSlow"] == "250"
    limits = {
        panel["title"]: panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1:]
        for panel in page["panels"]
    }
    assert limits["Time of a request"] == [{"color": "red", "value": 250}]
    assert limits["Share of failures"][0]["value"] == float(above["InferenceFailures"])


def test_a_request_that_its_client_gives_up_is_no_failure() -> None:
    (ratio,) = [rule["expr"] for rule in read(HERE)[1] if "failures" in rule.get("record", "")]
    assert ratio.count("request_failure{") == ratio.count('reason!="CANCELED"') == 2


def test_other_times_change_only_times() -> None:
    other = json.dumps(read(HERE, Timing("11s", "7s", "22s", "33s")))
    for ours, usual in {"11s": "15s", "7s": "5m", "22s": "1m", "33s": "5m"}.items():
        other = other.replace(ours, usual)
    assert other == json.dumps(read(HERE))


def test_every_computed_series_that_a_panel_or_an_alert_names_is_computed() -> None:
    _, rules, page = read(HERE)
    computed = {rule["record"] for rule in rules if "record" in rule}
    queries = [rule["expr"] for rule in rules if "alert" in rule]
    queries += [target["expr"] for panel in page["panels"] for target in panel["targets"]]
    assert set(re.findall(r"model:[\w:]+", " ".join(queries))) == computed


def test_every_alert_is_named_by_the_panel_that_shows_its_cause() -> None:
    _, rules, page = read(HERE)
    words = " ".join(panel["description"] for panel in page["panels"])
    assert [rule["alert"] for rule in rules if rule.get("alert", words) not in words] == []


def test_panels_do_not_overlap() -> None:
    places = [panel["gridPos"] for panel in read(HERE)[2]["panels"]]
    cells = {(place["x"], place["y"]) for place in places}
    assert len(cells) == len(places)
    assert {(place["w"], place["h"]) for place in places} == {(12, 8)}
    assert {x % 12 for x, _ in cells} == {y % 8 for _, y in cells} == {0}


@pytest.mark.parametrize("name", ["a", "x" * 40])
def test_grafana_takes_the_dashboard_of_every_name_as_one_of_its_own(name: str) -> None:
    uid = read(Watched(name, 1, on_kserve=False))[2]["uid"]
    assert re.fullmatch("[a-z0-9-]{1,40}", uid)
    assert uid != read(HERE)[2]["uid"]
