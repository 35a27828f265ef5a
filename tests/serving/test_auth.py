"""API keys: hashed, scoped, expiring; every route asks for one."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from serving import auth
from serving.auth import Access, ApiKeyError, Keys, NewKey, check_scopes
from serving.errors import ExpiredKey, UnknownKey
from serving.log import Log
from serving.rate import Rates
from serving.settings import Settings, SettingsError

if TYPE_CHECKING:
    from tests.serving.conftest import Scored

NOW = datetime(2026, 5, 1, tzinfo=UTC)
BODY = {"push_id": "spring", "members": [{"member_id": "a"}]}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Reads:
    """Counts what is read from the log inside the block."""

    def __init__(self, log: Log) -> None:
        self.count = 0
        with log.reading() as connection:
            self._engine = connection.engine

    def _read(self, *given: object) -> None:
        self.count += str(given[2]).startswith("SELECT")

    def __enter__(self) -> None:
        event.listen(self._engine, "before_cursor_execute", self._read)

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._read)


def status_and_type(scored: Scored, key: str | None) -> tuple[int, str]:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    response = scored.client.post("/v1/decisions", json=BODY, headers=headers)
    if response.status_code == 200:
        return 200, ""
    assert key is None or key.split("_")[-1] not in response.text
    return response.status_code, response.json()["type"].rpartition(":")[2]


def test_a_key_opens_the_routes_of_its_scopes_only(scored: Scored) -> None:
    assert status_and_type(scored, scored.key("decide")) == (200, "")
    assert status_and_type(scored, scored.key("admin")) == (200, "")
    assert status_and_type(scored, scored.key("events:write")) == (403, "wrong_scope")


def test_missing_unknown_and_malformed_keys_are_refused(scored: Scored) -> None:
    key = scored.key("decide")
    assert status_and_type(scored, None) == (401, "missing_key")
    assert status_and_type(scored, key[:-1] + ("0" if key[-1] != "0" else "1")) == (
        401,
        "unknown_key",
    )
    assert status_and_type(scored, key.replace("pw_live", "pw_test")) == (401, "unknown_key")
    assert status_and_type(scored, "nonsense") == (401, "unknown_key")


def test_a_refused_call_says_how_to_authenticate(scored: Scored) -> None:
    response = scored.client.post("/v1/decisions", json=BODY)
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["detail"] == "the call carries no API key"


def test_an_expired_key_is_refused_with_the_day_it_ended(scored: Scored) -> None:
    key = scored.key("decide", expires_at=datetime(2026, 1, 31, tzinfo=UTC))
    response = scored.client.post(
        "/v1/decisions", json=BODY, headers={"Authorization": f"Bearer {key}"}
    )
    assert response.status_code == 401
    assert response.json()["detail"] == "the API key expired on 2026-01-31"
    assert response.json()["fix"] == ["make a new key with `pushwise keys create`"]


def test_a_revoked_key_is_refused_within_a_second(log: Log) -> None:
    clock = Clock()
    access, keys = Access(log, "live", clock=clock), Keys(log)
    key = keys.create(NewKey("live", ("decide",)), NOW)
    access.check(f"Bearer {key}", "decide", NOW)
    keys.revoke(key.split("_")[2], NOW)
    clock.now += 1.0
    with pytest.raises(ExpiredKey, match="revoked on 2026-05-01"):
        access.check(f"Bearer {key}", "decide", NOW)


def test_keys_are_read_once_a_second_and_for_new_ones(log: Log) -> None:
    clock, reads = Clock(), Reads(log)
    access, keys = Access(log, "live", clock=clock), Keys(log)
    first = f"Bearer {keys.create(NewKey('live', ('decide',)), NOW)}"
    with reads:
        for _ in range(100):
            access.check(first, "decide", NOW)
            clock.now += 0.001
    assert reads.count == 1
    second = f"Bearer {keys.create(NewKey('live', ('decide',)), NOW)}"
    assert access.remembers(first)
    assert not access.remembers(second)
    access.check(second, "decide", NOW)


def test_guessed_ids_cost_no_more_than_twenty_reads_a_second(log: Log) -> None:
    reads, access = Reads(log), Access(log, "live", clock=Clock())
    with reads:
        for number in range(200):
            with pytest.raises(UnknownKey):
                access.check(f"Bearer pw_live_{number:012x}_{'0' * 64}", "decide", NOW)
    assert reads.count <= 21


def test_a_rotated_key_opens_until_the_overlap_is_over(log: Log) -> None:
    keys = Keys(log)
    old = keys.create(NewKey("live", ("decide", "erase"), "engine", rate=5.0), NOW)
    new = keys.rotate(old.split("_")[2], NOW, timedelta(hours=24))
    first, second = keys.all()
    assert (first.expires_at, second.expires_at) == (NOW + timedelta(hours=24), None)
    assert (second.scopes, second.label, second.rate) == (first.scopes, "engine", 5.0)
    access = Access(log, "live", clock=Clock())
    for key in (old, new):
        access.check(f"Bearer {key}", "erase", NOW + timedelta(hours=23))
    with pytest.raises(ExpiredKey):
        access.check(f"Bearer {old}", "erase", NOW + timedelta(hours=24))
    access.check(f"Bearer {new}", "erase", NOW + timedelta(hours=24))


def test_a_third_active_key_of_one_line_is_refused(log: Log) -> None:
    keys = Keys(log)
    ids = [keys.create(NewKey("live", ("decide",)), NOW).split("_")[2]]
    ids.append(keys.rotate(ids[0], NOW, timedelta(hours=24)).split("_")[2])
    for one in ids:
        with pytest.raises(ApiKeyError, match=f"{ids[0]} and {ids[1]} are both active"):
            keys.rotate(one, NOW, timedelta(hours=24))
    later = NOW + timedelta(hours=25)
    keys.rotate(ids[1], later, timedelta(0))
    with pytest.raises(ApiKeyError, match="opens nothing any more"):
        keys.rotate(ids[0], later, timedelta(0))
    with pytest.raises(ApiKeyError, match="no key 'nobody'"):
        keys.rotate("nobody", later, timedelta(0))


def test_a_rotated_key_lives_as_long_as_the_first_did(log: Log) -> None:
    keys = Keys(log)
    wanted = NewKey("live", ("decide",), expires_at=NOW + timedelta(days=90))
    first = keys.create(wanted, NOW).split("_")[2]
    keys.rotate(first, NOW + timedelta(days=80), timedelta(days=30))
    assert [key.expires_at for key in keys.all()] == [
        NOW + timedelta(days=90), NOW + timedelta(days=170)
    ]  # fmt: skip


def test_calls_beyond_a_keys_rate_are_told_when_to_come_again(scored: Scored) -> None:
    key = scored.keys.create(NewKey("live", ("decide",), rate=0.25, burst=2), NOW)
    headers = {"Authorization": f"Bearer {key}"}
    answers = [scored.client.post("/v1/decisions", json=BODY, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["type"] == "urn:pushwise:problem:rate_limited"
    assert answers[2].headers["retry-after"] == "4"


@given(
    rate=st.floats(0.1, 500),
    burst=st.integers(1, 50),
    pauses=st.lists(st.floats(0, 2), max_size=60),
)
def test_no_span_of_time_sees_more_calls_than_burst_and_rate_allow(
    rate: float, burst: int, pauses: list[float]
) -> None:
    clock = Clock()
    rates, allowed = Rates(clock), []
    for pause in pauses:
        clock.now += pause
        if not rates.wait("key", rate, burst):
            allowed.append(clock.now)
    for place, first in enumerate(allowed):
        for count, last in enumerate(allowed[place:], start=1):
            assert count <= burst + (last - first) * rate + 1e-6


def test_a_key_without_a_rate_takes_no_burst() -> None:
    with pytest.raises(ApiKeyError, match="goes with --rate"):
        NewKey("live", ("decide",), burst=3)
    with pytest.raises(ApiKeyError, match="wanted above 0"):
        NewKey("live", ("decide",), rate=0.0)


def test_a_key_of_another_environment_is_unknown(scored: Scored) -> None:
    assert status_and_type(scored, scored.key("decide", env="test")) == (401, "unknown_key")


def test_the_secret_is_nowhere_in_the_log(tmp_path: Path) -> None:
    with Log(tmp_path / "log.db") as log:
        key = Keys(log).create(NewKey("live", ("decide",)), NOW)
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    _, _, key_id, secret = key.split("_")
    assert key_id.encode() in stored
    assert secret.encode() not in stored


def test_active_keys_are_those_neither_revoked_nor_expired(log: Log) -> None:
    keys = Keys(log)
    for expires_at in (None, NOW + timedelta(days=1), NOW - timedelta(days=1)):
        keys.create(NewKey("live", ("decide",), expires_at=expires_at), NOW)
    assert len(keys.active("live", NOW)) == 2
    keys.revoke(keys.active("live", NOW)[0].key_id, NOW)
    assert len(keys.active("live", NOW)) == 1
    assert keys.active("test", NOW) == []


def test_impossible_keys_are_refused(log: Log) -> None:
    with pytest.raises(ApiKeyError, match="no scope 'everything'; scopes: decide"):
        NewKey("live", ("everything",))
    with pytest.raises(ApiKeyError, match="without scopes opens nothing"):
        NewKey("live", ())
    with pytest.raises(ApiKeyError, match="such as live"):
        NewKey("Live_1", ("decide",))
    with pytest.raises(ApiKeyError, match="no key 'nobody'"):
        Keys(log).revoke("nobody", NOW)


def test_an_app_with_a_route_without_scope_does_not_start() -> None:
    app = FastAPI(docs_url=None, redoc_url=None)
    app.get("/livez")(lambda: True)
    check_scopes(app)
    app.get("/v1/secrets")(lambda: True)
    with pytest.raises(RuntimeError, match="route /v1/secrets declares no scope"):
        check_scopes(app)


def test_every_route_but_the_open_ones_wants_a_key(scored: Scored) -> None:
    paths = scored.client.get("/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for method in methods:
            response = scored.client.request(method, path.replace("{decision_id}", "d"), json={})
            wanted = path in {"/livez", "/readyz", "/metrics"}
            assert (response.status_code != 401) == wanted, path


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "scorer.example", "::"])
def test_no_key_is_needed_on_loopback_only(host: str, log: Log, tmp_path: Path) -> None:
    from features.workspace import Workspace

    Settings(Workspace(tmp_path), "127.0.0.1", insecure_dev=True)
    Settings(Workspace(tmp_path), "::1", insecure_dev=True)
    with pytest.raises(SettingsError, match="loopback"):
        Settings(Workspace(tmp_path), host, insecure_dev=True)


def test_a_log_that_hangs_keeps_no_call_whose_key_was_known(
    scored: Scored, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = scored.headers("decide")
    call = {"push_id": "spring", "member_id": "a"}
    assert scored.client.get("/v1/decide", params=call, headers=headers).status_code == 200
    hangs, going = threading.Event(), threading.Event()

    def hang(self: Keys) -> Any:
        going.set()
        assert hangs.wait(30)
        return {}

    monkeypatch.setattr(Keys, "hashed", hang)
    monkeypatch.setattr(auth, "REMEMBERED_SECONDS", 0.0)
    try:
        for _ in range(3):
            found = scored.client.get("/v1/decide", params=call, headers=headers)
            assert found.status_code == 200
        assert going.is_set(), "somebody asks again for the keys"
    finally:
        hangs.set()
