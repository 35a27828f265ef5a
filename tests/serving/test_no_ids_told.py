"""What a scorer tells beside its answers names no member, and nothing it reads is unpickled."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from serving.telemetry import PROCESSORS
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from tests.serving.conftest import Scored

MEMBER = "m-distinctive-93b1e7"
PACKAGES = (
    "features", "models", "decisions", "experiments", "training", "serving", "dashboard", "console",
)  # fmt: skip
_RUNS_CODE = re.compile(
    r"^\s*(import|from) (pickle|cPickle|cloudpickle|dill|joblib|shelve|marshal)\b|allow_pickle=True"
    r"|np\.load\((?!.*allow_pickle=False)(?=.*\)$)|torch\.load|yaml\.load\(|\b(eval|exec)\(",
    re.MULTILINE,
)


@pytest.fixture
def told() -> Iterator[io.StringIO]:
    """What is written to stderr, line by line."""
    written = io.StringIO()
    structlog.configure(
        processors=PROCESSORS, logger_factory=structlog.PrintLoggerFactory(written),
        cache_logger_on_first_use=False,
    )  # fmt: skip
    yield written
    structlog.reset_defaults()


def calls(scored: Scored, headers: dict[str, str]) -> list[int]:
    """Every kind of call about the member, good and bad; their statuses."""
    event = {"event_id": "e1", "member_id": MEMBER, "type": "view"}
    asked: list[tuple[str, str, Any]] = [
        ("POST", "/v1/decisions", {"push_id": "spring", "members": [{"member_id": MEMBER}]}),
        ("POST", "/v1/decisions", {"push_id": MEMBER, "members": [{"member_id": MEMBER}]}),
        ("POST", "/v1/decisions", {"push_id": "spring", MEMBER: 1, "members": MEMBER}),
        ("GET", f"/v1/decide?push_id=spring&member_id={MEMBER}", None),
        ("GET", f"/v1/decide?push_id=spring&member_id={MEMBER}{'x' * 300}", None),
        ("GET", f"/v1/decisions/{MEMBER}", None),
        ("POST", "/v1/events", {"events": [{**event, "occurred_at": "2026-05-01T10:00:00Z"}, {}]}),
        ("POST", "/v1/events", {"events": [{**event, "occurred_at": MEMBER}]}),
        ("GET", f"/v1/members/{MEMBER}/timeline", None),
        ("GET", f"/v1/members/{MEMBER}/export", None),
        ("GET", f"/v1/{MEMBER}", None),
        ("DELETE", f"/v1/members/{MEMBER}", None),
        ("POST", "/v1/erasures", {"member_ids": [MEMBER, 5]}),
    ]
    return [
        scored.client.request(method, path, json=body, headers=headers).status_code
        for method, path, body in asked
    ]


def test_no_call_leaves_a_member_in_logs_or_metrics(scored: Scored, told: io.StringIO) -> None:
    statuses = calls(scored, scored.headers("admin")) + calls(scored, {})
    assert {200, 202, 401, 404, 422} <= set(statuses)
    assert told.getvalue().count('"event": "call"') == len(statuses)
    assert MEMBER not in told.getvalue()
    assert MEMBER not in scored.client.get("/metrics").text


def test_a_fault_of_ours_does_not_either(
    scored: Scored, told: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError(MEMBER)

    monkeypatch.setattr(type(scored.parts.telemetry), "answered", broken)
    monkeypatch.setattr(type(scored.log), "erased", broken)
    headers = scored.headers("admin")
    assert 500 in calls(scored, headers)
    assert "KeyError" in told.getvalue()
    assert MEMBER not in told.getvalue()
    assert MEMBER not in scored.client.get("/metrics").text


def test_nothing_is_read_that_could_run_code() -> None:
    found = {
        f"{path.relative_to(REPOSITORY)}: {met[0].strip()}"
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*.py")
        for met in _RUNS_CODE.finditer(path.read_text(encoding="utf-8"))
    }
    assert found == set()
