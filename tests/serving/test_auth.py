"""API keys: hashed, scoped, expiring; every route asks for one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI

from serving.auth import ApiKeyError, Keys, NewKey, check_scopes
from serving.log import Log
from serving.settings import Settings, SettingsError

if TYPE_CHECKING:
    from tests.serving.conftest import Scored

NOW = datetime(2026, 5, 1, tzinfo=UTC)
BODY = {"push_id": "spring", "members": [{"member_id": "a"}]}


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


def test_a_revoked_key_is_refused_at_once(scored: Scored) -> None:
    key = scored.key("decide")
    assert status_and_type(scored, key) == (200, "")
    scored.keys.revoke(key.split("_")[2], NOW)
    assert status_and_type(scored, key) == (401, "expired_key")


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
