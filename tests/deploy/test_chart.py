"""The Helm chart, rendered by Helm's own library and held to Kubernetes' schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY

helm = pytest.importorskip("helm_python", reason="requirements/checks.txt is not installed")
kubernetes = pytest.importorskip("kubernetes_validate", reason="requirements/checks.txt")

CHART = REPOSITORY / "deploy/helm/pushwise"
SEVERAL = {"database": {"secret": "log"}}
FULL = {
    "database": {"secret": "log"},
    "redis": {"secret": "store"},
    "follower": {"enabled": True},
    "dashboard": {"enabled": True},
    "nightly": {"insights": {"enabled": True}, "monitor": {"enabled": True}},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "networkPolicy": {"callers": [{"namespaceSelector": {"matchLabels": {"team": "crm"}}}]},
    "image": {"digest": "sha256:" + "0" * 64, "pullSecrets": ["registry"]},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "nodeSelector": {"disk": "ssd"},
}
ALONE = {"autoscaling": {"enabled": False}, "replicas": 1}
WAYS = {"several": SEVERAL, "full": FULL, "alone": ALONE}


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values, name="demo", namespace="prod")
    return [
        found
        for name, text in sorted(files.items())
        if name.endswith(".yaml")
        for found in yaml.safe_load_all(text)
        if found
    ]


def of_kind(kind: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in rendered(values) if one["kind"] == kind]


def pods(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in rendered(values):
        if one["kind"] in {"Deployment", "Job"}:
            yield one["spec"]["template"]["spec"]
        if one["kind"] == "CronJob":
            yield one["spec"]["jobTemplate"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("values", WAYS.values(), ids=WAYS)
def test_helm_finds_nothing_to_warn_of(values: dict[str, Any]) -> None:
    report = helm.lint(CHART, values, strict=True)
    assert report["errors"] == []
    assert [one for one in report["messages"] if one["severity"] > 1] == []


@pytest.mark.parametrize("version", ["1.27", "1.37"])
@pytest.mark.parametrize("values", WAYS.values(), ids=WAYS)
def test_kubernetes_knows_every_field(values: dict[str, Any], version: str) -> None:
    # A ServiceMonitor is the operator's: not in Kubernetes' own schemas.
    known = [one for one in rendered(values) if one["kind"] != "ServiceMonitor"]
    assert {"Deployment", "Service"} <= {one["kind"] for one in known}
    assert [refusal(one, version) for one in known] == [""] * len(known)
    misspelt = {**known[0], "spek": {}}
    assert "spek" in refusal(misspelt, version)


def refusal(resource: dict[str, Any], version: str) -> str:
    """What Kubernetes' schema has against it; empty for nothing."""
    try:
        kubernetes.validate(resource, version, strict=True)
    except kubernetes.ValidationError as error:
        return str(error)
    return ""


def test_a_service_monitor_is_there_where_it_is_asked_for() -> None:
    assert of_kind("ServiceMonitor", SEVERAL) == []
    [monitor] = of_kind("ServiceMonitor", FULL)
    service = next(
        one for one in of_kind("Service", FULL) if one["metadata"]["name"] == "demo-pushwise"
    )
    [endpoint] = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    assert wanted <= service["metadata"]["labels"].items()


@pytest.mark.parametrize("values", WAYS.values(), ids=WAYS)
def test_every_pod_is_unprivileged_and_reads_only(values: dict[str, Any]) -> None:
    for pod in pods(values):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("values", WAYS.values(), ids=WAYS)
def test_secrets_are_named_and_never_given(values: dict[str, Any]) -> None:
    assert of_kind("Secret", values) == []
    for pod in pods(values):
        for container in pod["containers"]:
            for setting in container["env"]:
                if setting["name"].endswith("_URL"):
                    assert "value" not in setting
                    assert setting["valueFrom"]["secretKeyRef"]["name"]


def test_the_log_is_migrated_before_an_upgrade_and_only_in_a_database() -> None:
    [job] = of_kind("Job", SEVERAL)
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["log", "migrate"]
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == "default"
    assert of_kind("Job", ALONE) == []


def test_probes_ask_for_readiness_to_get_calls_and_for_life_to_be_restarted() -> None:
    [scorer] = of_kind("Deployment", SEVERAL)
    [container] = scorer["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    grace = scorer["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    drain = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert grace > drain + 10, "calls under way get ten seconds"


def test_several_scorers_on_one_sqlite_file_are_refused() -> None:
    with pytest.raises(helm.HelmError, match=r"need database\.secret"):
        rendered({})


def test_a_follower_without_a_store_to_share_is_refused() -> None:
    with pytest.raises(helm.HelmError, match=r"needs redis\.secret"):
        rendered({**SEVERAL, "follower": {"enabled": True}})


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with (
        helm.Chart.load(CHART) as chart,
        pytest.raises(helm.HelmError, match="replica"),
    ):
        chart.validate_schema({"replica": 3})


def test_services_and_budgets_select_the_scorers_and_nothing_else() -> None:
    deployed = {one["metadata"]["name"]: one for one in of_kind("Deployment", FULL)}
    assert set(deployed) == {f"demo-pushwise{end}" for end in ("", "-follower", "-dashboard")}
    services = {one["metadata"]["name"]: one for one in of_kind("Service", FULL)}
    [budget] = of_kind("PodDisruptionBudget", FULL)
    pages = services.pop("demo-pushwise-dashboard")
    for one, name in (
        (services.pop("demo-pushwise"), "demo-pushwise"),
        (budget, "demo-pushwise"),
        (pages, "demo-pushwise-dashboard"),
    ):
        selector = one["spec"]["selector"]
        wanted = selector.get("matchLabels", selector).items()
        selected = {
            found for found, of in deployed.items()
            if wanted <= of["spec"]["template"]["metadata"]["labels"].items()
        }  # fmt: skip
        assert selected == {name}
    assert services == {}


def test_pages_without_the_scorers_log_are_refused() -> None:
    with pytest.raises(helm.HelmError, match=r"needs database\.secret"):
        rendered({**ALONE, "dashboard": {"enabled": True}})


def test_what_runs_at_night_is_asked_for_one_by_one() -> None:
    assert of_kind("CronJob", SEVERAL) == []
    [job] = of_kind("CronJob", {**SEVERAL, "nightly": {"monitor": {"enabled": True}}})
    assert job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["args"] == [
        "monitor",
        "--exit-zero",
    ]
