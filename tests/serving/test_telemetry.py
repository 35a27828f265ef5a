"""The metrics: what they are called, what they may say, and that Prometheus reads them."""

from __future__ import annotations

import re
import subprocess
from datetime import timedelta
from shutil import which
from typing import TYPE_CHECKING

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection

from serving import tables
from serving.auth import NewKey
from serving.fresh_source import NoFresh, StoreState
from serving.ledger import Claim, reserve
from serving.moments import iso
from serving.probes import StoreGauges
from serving.telemetry import Telemetry
from serving.telemetry_page import page
from tests.conftest import REPOSITORY
from tests.serving.conftest import AS_OF, FakeRelease

if TYPE_CHECKING:
    from tests.serving.conftest import Scored

UNITS = ("_seconds", "_bytes", "_ratio", "_total")
# What is counted in things: members of a batch, calls that wait. 0 or 1 for a state.
THINGS = ("_members", "_writes", "_jobs", "_length", "_state", "_readable", "_ready")


@pytest.fixture
def full() -> Telemetry:
    """Telemetry that was told everything once."""
    telemetry = Telemetry()
    telemetry.request("/v1/decisions", "POST", 200, 0.01)
    telemetry.answered(None)
    telemetry.degraded("suppression_unreadable")
    telemetry.refused("overload")
    telemetry.replayed()
    telemetry.missed_deadline()
    telemetry.queued(3)
    telemetry.waited(0.002)
    telemetry.batched(40)
    telemetry.breaker("online_store", "half_open")
    telemetry.fresh_behind(1.5)
    telemetry.rows("events", 1, 2, 3)
    telemetry.committed(4, 0.003)
    telemetry.log_written(1.0)
    telemetry.suppressions_read(2.0)
    telemetry.serving(FakeRelease().versions)
    telemetry.loaded_in(3.0)
    telemetry.refused_release()
    telemetry.ready(True)
    telemetry.standing({("spring", "money"): 0.5}, {"running": 1})
    telemetry.erasures(2, 1_000.0)
    telemetry.monitored(1_000.0, {"pacing": 2}, [("pacing", "spring money")])
    return telemetry


def families(telemetry: Telemetry) -> dict[str, Metric]:
    parsed = text_string_to_metric_families(telemetry.exposition().decode())
    return {family.name: family for family in parsed}


def test_whatever_can_be_told_somebody_tells() -> None:
    code = "".join(
        path.read_text(encoding="utf-8") for path in (REPOSITORY / "serving").rglob("*.py")
        if path.name != "telemetry.py"
    )  # fmt: skip
    told = {name for name in vars(Telemetry) if not name.startswith("_")}
    assert {name for name in told if not re.search(rf"(telemetry|seen)\.{name}\b", code)} == set()


def test_prometheus_reads_every_metric_that_is_described(full: Telemetry) -> None:
    found = families(full)
    for one in full.described:
        family = found[one.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (one.kind, one.means)
        assert family.samples, one.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert labels == set(one.labels)
    ours = {name for name in found if name.startswith("pushwise_") and "_created" not in name}
    assert ours == {one.name.removesuffix("_total") for one in full.described}


def test_names_follow_the_conventions(full: Telemetry) -> None:
    for one in full.described:
        assert re.fullmatch(r"pushwise_[a-z_]+", one.name)
        assert one.name.endswith("_total") == (one.kind == "counter")
        assert one.name.endswith((*UNITS, *THINGS)), one.name
        assert one.means.endswith(".")


def test_no_label_is_named_after_a_person_or_a_call(full: Telemetry) -> None:
    labels = {label for one in full.described for label in one.labels}
    assert not labels & {"member", "member_id", "decision_id", "request_id", "key", "path"}


@pytest.mark.skipif(which("promtool") is None, reason="no promtool (Debian's prometheus)")
def test_promtool_finds_nothing_to_object_to(full: Telemetry) -> None:
    text = full.exposition().decode()
    # What prometheus_client adds of its own, and promtool of this age does not know as a unit.
    ours = "".join(
        line for line in text.splitlines(keepends=True)
        if "pushwise_" in line and "_created" not in line
    )  # fmt: skip
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=ours, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_process_is_shown(full: Telemetry) -> None:
    found = families(full)
    assert found["process_resident_memory_bytes"].samples[0].value > 1e6
    assert "python_gc_collections" in found


def test_a_breaker_is_in_one_state(full: Telemetry) -> None:
    full.breaker("online_store", "open")
    states = families(full)["pushwise_breaker_state"].samples
    assert {one.labels["state"]: one.value for one in states} == {
        "closed": 0, "half_open": 0, "open": 1,
    }  # fmt: skip


def test_the_state_of_the_online_store_is_shown_once_there_is_one() -> None:
    class Store(NoFresh):
        found: StoreState | None = None

        def state(self) -> StoreState | None:
            return self.found

    store, telemetry = Store(), Telemetry()
    gauges = StoreGauges(store, telemetry)
    gauges.refresh()
    assert families(telemetry)["pushwise_breaker_state"].samples == []
    store.found = StoreState("open", 12.5)
    gauges.refresh()
    text = telemetry.exposition().decode()
    assert 'pushwise_breaker_state{breaker="online_store",state="open"} 1.0' in text
    assert "pushwise_fresh_features_behind_seconds 12.5" in text


def test_limits_of_pushes_and_audiences_are_shown_as_the_log_has_them(scored: Scored) -> None:
    def work(connection: Connection) -> None:
        later = iso(AS_OF + timedelta(days=9))
        for push in ("spring", "long-gone"):
            claim = Claim(push, {"money": 30, "contacts": 1}, {}, later)
            reserve(connection, push, [claim], {"money": 120}, iso(AS_OF))

    scored.log.write(work)
    text = scored.client.get("/metrics").text
    assert 'pushwise_push_limit_used_ratio{limit="money",push_id="spring"} 0.25' in text
    assert 'limit="contacts"' not in text, "a push without that limit has no share of it"
    assert "long-gone" not in text, "only pushes of the release in use"
    assert 'pushwise_audience_jobs{state="queued"} 0.0' in text


def test_erasures_are_shown_until_they_are_done(scored: Scored) -> None:
    asked = {"erasure_id": "er_1", "state": "recorded", "members": 1, "asked_at": iso(AS_OF),
             "updated_at": iso(AS_OF)}  # fmt: skip
    scored.log.write(lambda connection: connection.execute(tables.erasures.insert(), [asked]))
    text = scored.client.get("/metrics").text
    assert "pushwise_erasures_pending_jobs 1.0" in text
    since = [line for line in text.splitlines() if line.startswith("pushwise_erasures_pending_si")]
    assert float(since[0].split()[1]) == AS_OF.timestamp()


def test_who_asks_more_than_may_be_is_counted(scored: Scored) -> None:
    headers = {"Authorization": "Bearer " + scored.keys.create(
        NewKey("live", ("decide",), "greedy", None, rate=0.001, burst=1), AS_OF
    )}  # fmt: skip
    answers = [scored.client.get("/v1/decisions/x", headers=headers) for _ in range(3)]
    assert [one.status_code for one in answers] == [404, 429, 429]
    metrics = scored.client.get("/metrics").text
    assert 'pushwise_refused_calls_total{why="rate_limit"} 2.0' in metrics


def test_the_reference_is_what_the_code_says() -> None:
    written = REPOSITORY / "docs/reference/metrics.md"
    assert written.read_text() == page(), "run `make docs`"
