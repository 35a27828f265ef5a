"""Alerts, dashboard and runbook speak of metrics that exist, and of each other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.telemetry import Telemetry
from tests.conftest import REPOSITORY

PROMETHEUS = REPOSITORY / "deploy/prometheus"
RUNBOOK = REPOSITORY / "docs/runbook"
METRICS = {one.name: one.kind for one in Telemetry().described}
promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no promtool (Debian's package prometheus)"
)


def rules() -> list[dict[str, Any]]:
    found = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in found["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((REPOSITORY / "deploy/grafana/pushwise.json").read_text())
    return read


def expressions() -> Iterator[str]:
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def names_in(text: str) -> set[str]:
    return set(re.findall(r"\bpushwise_[a-z_]+\b", text))


def of_the_process() -> set[str]:
    text = Telemetry().exposition().decode()
    return set(re.findall(r"^((?:process|python)_\w+)", text, re.MULTILINE))


def shown(name: str) -> bool:
    """Whether the exposition has it: histograms show three series."""
    bare = re.sub(r"_(bucket|sum|count)$", "", name)
    return name in METRICS or METRICS.get(bare) == "histogram"


SPEAKING = (
    "deploy/prometheus/alerts.yml", "deploy/prometheus/alerts_test.yml",
    "deploy/grafana/pushwise.json", "docs/operations.md",
    *(str(page.relative_to(REPOSITORY)) for page in sorted(RUNBOOK.glob("*.md"))),
)  # fmt: skip


@pytest.mark.parametrize("file", SPEAKING)
def test_every_metric_spoken_of_exists(file: str) -> None:
    found = names_in((REPOSITORY / file).read_text(encoding="utf-8"))
    assert {name for name in found if not shown(name)} == set()


def test_every_metric_of_the_process_that_is_watched_exists() -> None:
    watched = " ".join([*(rule["expr"] for rule in rules()), *expressions()])
    assert set(re.findall(r"\b(?:process|python)_\w+", watched)) <= of_the_process()


def test_every_metric_is_on_the_dashboard() -> None:
    looked_at = names_in(" ".join(expressions()))
    bare = {re.sub(r"_(bucket|sum|count)$", "", name) for name in looked_at} | looked_at
    assert set(METRICS) - bare == set()


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    alerts = {rule["alert"] for rule in rules()}
    assert alerts == {page.stem for page in RUNBOOK.glob("*.md")} - {"README"}
    index = (RUNBOOK / "README.md").read_text(encoding="utf-8")
    for rule in rules():
        assert rule["annotations"]["runbook"] == f"docs/runbook/{rule['alert']}.md"
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert f"({rule['alert']}.md)" in index


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_a_page_answers_what_somebody_asks_at_night(rule: dict[str, Any]) -> None:
    page = (RUNBOOK / f"{rule['alert']}.md").read_text(encoding="utf-8")
    for part in ("What users feel", "How to look", "How to mend", "When to wake somebody"):
        assert f"**{part}" in page
    severity = "wakes somebody" if rule["labels"]["severity"] == "page" else "a ticket"
    assert f"Severity: {severity}, after {rule['for']}." in page
    for linked in re.findall(r"\]\(([^)]+\.md)\)", page):
        assert (RUNBOOK / linked).is_file()


def test_every_alert_is_tested_to_fire_and_to_stay_quiet() -> None:
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]
    asked = [case for test in tests for case in test["alert_rule_test"]]
    alerts = {rule["alert"] for rule in rules()}
    assert {case["alertname"] for case in asked if case.get("exp_alerts")} == alerts
    assert {case["alertname"] for case in asked if not case.get("exp_alerts")} == alerts


@promtool
@pytest.mark.slow
def test_the_alerts_fire_when_they_should() -> None:
    ran(["promtool", "test", "rules", "alerts_test.yml"], PROMETHEUS)


@promtool
def test_prometheus_takes_its_configuration() -> None:
    ran(["promtool", "check", "config", "prometheus.yml"], PROMETHEUS)


@promtool
def test_prometheus_understands_what_the_dashboard_asks(tmp_path: Path) -> None:
    asked = [one.replace("$__rate_interval", "5m").replace("$job", "x") for one in expressions()]
    groups = [{"name": "d", "rules": [{"record": f"r{n}", "expr": e} for n, e in enumerate(asked)]}]
    (tmp_path / "asked.yml").write_text(yaml.safe_dump({"groups": groups}))
    ran(["promtool", "check", "rules", "asked.yml"], tmp_path)


def test_the_dashboard_has_no_two_panels_in_one_place() -> None:
    taken: set[tuple[int, int]] = set()
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def ran(command: list[str], where: Path) -> None:
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
