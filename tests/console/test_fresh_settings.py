"""The online store that the settings ask for, and the follower that a scorer starts with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from console import serve
from console.settings import SettingsError, load_workspace
from serving import follower_process


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_online_store_is_sqlite_unless_redis_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("pushwise.toml").write_text('redis_url = "redis://cache:7000/3"\n')
    assert load_workspace(tmp_path).redis_url is None
    monkeypatch.setenv("PUSHWISE_ONLINE_STORE", "redis")
    assert load_workspace(tmp_path).redis_url == "redis://cache:7000/3"
    monkeypatch.setenv("PUSHWISE_REDIS_URL", "redis://elsewhere")
    assert load_workspace(tmp_path).redis_url == "redis://elsewhere"


def test_another_online_store_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSHWISE_ONLINE_STORE", "postgres")
    with pytest.raises(SettingsError, match=r"online_store .*'sqlite' or 'redis'"):
        load_workspace(tmp_path)


@pytest.mark.parametrize(("wanted", "told"), [(True, True), (False, False)])
def test_without_the_features_extra_nothing_follows_and_the_log_says_so(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wanted: bool,
    told: bool,
) -> None:
    monkeypatch.setattr(follower_process, "find_spec", lambda _: None)
    monkeypatch.setattr(follower_process.FollowerProcess, "start", lambda _: pytest.fail("started"))
    with serve._following(load_workspace(tmp_path), wanted=wanted) as start:
        start()
    assert ("no fresh features" in capsys.readouterr().out) is told
