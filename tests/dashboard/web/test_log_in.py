"""Who gets in, who may change something, and whose forms are taken."""

from __future__ import annotations

from asyncio import gather, run
from datetime import UTC, datetime, timedelta

import pytest
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import select, update
from starlette.responses import Response

from dashboard.web.routing import COOKIE, change
from dashboard.web.sessions import IDLE, LONGEST, Session
from dashboard.web.users import User, UserError
from serving.log import Log
from serving.moments import iso
from serving.tables import sessions
from tests.dashboard.web.conftest import PASSWORD, Opens
from tests.log_databases import ENGINES

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_a_stranger_is_sent_to_the_log_in_and_from_there_back(house: Opens) -> None:
    client = house().client()
    answer = client.get("/jobs/w_1", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/jobs/w_1"
    fields = {"name": "viewer", "password": PASSWORD, "next": "/"}
    assert client.post("/login", data=fields).url.path == "/"


def test_a_wrong_password_and_an_unknown_name_look_the_same(house: Opens) -> None:
    client = house().client()
    wrong = client.post("/login", data={"name": "viewer", "password": "not the password"})
    unknown = client.post("/login", data={"name": "nobody", "password": PASSWORD})
    assert (wrong.status_code, unknown.status_code) == (403, 403)
    assert wrong.text == unknown.text


def test_who_guesses_too_often_waits_however_many_guesses_come_at_once(
    house: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.web.ground.monotonic", lambda: 0.0)  # no try comes back
    app = house().client().app

    async def guesses() -> list[int]:
        async with AsyncClient(transport=ASGITransport(app), base_url="http://dashboard") as client:
            fields = [{"name": "viewer", "password": f"guess {n}"} for n in range(12)]
            answers = await gather(*(client.post("/login", data=one) for one in fields))
        return [one.status_code for one in answers]

    codes = run(guesses())
    assert (codes.count(403), codes.count(429)) == (8, 4)


def test_a_page_that_looks_again_by_itself_keeps_nobody_logged_in(house: Opens) -> None:
    opened = house()
    reader = opened.reader("viewer")
    token = reader.client.cookies[COOKIE]
    left = datetime.now(UTC) - timedelta(minutes=90)

    def seen() -> str:
        with opened.ground.log.reading() as connection:
            return str(connection.execute(select(sessions.c.seen_at)).scalar_one())

    opened.ground.log.write(
        lambda connection: connection.execute(update(sessions).values(seen_at=iso(left))).rowcount
    )
    reader.get("/health/now", partial=True)
    assert seen() == iso(left)
    reader.get("/health")
    assert seen() != iso(left)
    assert opened.ground.sessions.find(token, datetime.now(UTC)) is not None


@pytest.mark.parametrize(
    "there", ["//elsewhere.example/x", "https://elsewhere.example", "/\\elsewhere", "/login"]
)
def test_a_log_in_leads_nowhere_else(house: Opens, there: str) -> None:
    fields = {"name": "viewer", "password": PASSWORD, "next": there}
    answer = house().client().post("/login", data=fields, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_the_cookie_is_hidden_from_scripts_and_other_sites(house: Opens) -> None:
    fields = {"name": "viewer", "password": PASSWORD}
    answer = house().client().post("/login", data=fields, follow_redirects=False)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_the_log_holds_neither_passwords_nor_tokens(house: Opens) -> None:
    opened = house()
    client = opened.client()
    client.post("/login", data={"name": "viewer", "password": PASSWORD})
    token = client.cookies[COOKIE]
    held = opened.ground.workspace.serving_log.read_bytes()
    held += opened.ground.workspace.serving_log.with_name("log.db-wal").read_bytes()
    assert b"sessions_of_user" in held
    assert PASSWORD.encode() not in held
    assert token.encode() not in held


def test_after_logging_out_the_session_opens_nothing(house: Opens) -> None:
    reader = house().reader("viewer")
    token = reader.client.cookies[COOKIE]
    reader.send("/logout")
    reader.client.cookies.set(COOKIE, token)
    assert reader.get("/").url.path == "/login"


def test_a_session_ends_when_nobody_is_there_and_after_a_day_of_work(house: Opens) -> None:
    ground = house().ground
    session = ground.sessions.begin(ground.users.all()[0], NOW)
    assert ground.sessions.find(session.token, NOW + IDLE - timedelta(seconds=1)) is not None
    again = ground.sessions.begin(ground.users.all()[0], NOW)
    assert ground.sessions.find(again.token, NOW + IDLE) is None
    at = NOW
    for _ in range(20):
        at += timedelta(hours=1)
        if ground.sessions.find(session.token, at) is None:
            break
    assert at - NOW >= LONGEST - timedelta(hours=1)
    assert ground.sessions.find(session.token, NOW + LONGEST) is None


def test_whoever_is_disabled_or_gets_another_password_is_logged_out(house: Opens) -> None:
    opened = house()
    reader = opened.reader("editor")
    opened.ground.users.change("editor", NOW, disabled=True)
    assert reader.get("/").url.path == "/login"
    assert reader.log_in("editor", PASSWORD).status_code == 403


def test_a_form_without_the_sessions_token_is_refused(house: Opens) -> None:
    reader = house().reader("publisher")
    reader.csrf = "0" * 64
    assert reader.send("/jobs/w_1/cancel").status_code == 403


def test_a_form_of_another_site_is_refused_whatever_it_brings(house: Opens) -> None:
    reader = house().reader("publisher")
    reader.client.headers["sec-fetch-site"] = "cross-site"
    assert reader.send("/jobs/w_1/cancel").status_code == 403
    del reader.client.headers["sec-fetch-site"]
    reader.client.headers["origin"] = "https://elsewhere.example"
    assert reader.send("/jobs/w_1/cancel").status_code == 403


def test_what_changes_something_can_not_be_a_viewers(house: Opens) -> None:
    with pytest.raises(ValueError, match="a viewer must not"):
        change("/x", lambda _: Response(), "viewer", says="nothing")
    assert house().reader("viewer").send("/jobs/w_1/cancel").status_code == 403


def test_every_try_to_change_something_is_written_down(house: Opens) -> None:
    opened = house()
    opened.reader("viewer").send("/jobs/w_1/cancel")
    opened.reader("editor").send("/jobs/w_1/cancel")
    noted = [
        (one.user, one.action, one.subject, one.status) for one in opened.ground.changes.newest()
    ]
    path = "/jobs/{job_id}/cancel"
    assert noted == [("editor", path, "w_1", 404), ("viewer", path, "w_1", 403)]


def test_a_member_in_an_address_is_readable_for_their_session_alone() -> None:
    user = User("v", "viewer", NOW)
    mine, others = Session("a" * 43, user), Session("b" * 43, user)
    for member in ("m-00000001", "王小明", "x" * 256):
        handle = mine.handle(member)
        assert member not in handle
        assert mine.handle(member) == handle, "visited pages are told from others by it"
        assert mine.member(handle) == member
        assert others.member(handle) is None
    handle = mine.handle("m-00000001")
    for other in ("nonsense", "", "=", "王小明", handle[1:], handle[:-4], "A" + handle):
        assert mine.member(other) is None, other


@pytest.mark.parametrize("name", ["", "a b", "<script>", "-x", "x" * 65])
def test_a_user_has_a_name_that_can_be_written(house: Opens, name: str) -> None:
    with pytest.raises(UserError, match="a name is"):
        house().ground.users.add(name, "viewer", PASSWORD, NOW)


def test_a_short_password_and_a_second_user_of_a_name_are_refused(house: Opens) -> None:
    users = house().ground.users
    with pytest.raises(UserError, match="wanted 12 to 200"):
        users.add("new", "viewer", "short", NOW)
    with pytest.raises(UserError, match="there is a user 'viewer' already"):
        users.add("viewer", "viewer", PASSWORD, NOW)


def test_who_knows_the_password_is_let_in_however_many_others_were(house: Opens) -> None:
    client = house().client()
    fields = {"name": "viewer", "password": PASSWORD}
    codes = [client.post("/login", data=fields).status_code for _ in range(9)]
    assert set(codes) == {200}


def test_without_a_log_in_only_this_machine_by_its_own_name_is_answered(house: Opens) -> None:
    client = house(open_to_all=True).client()
    assert client.get("http://127.0.0.1:8788/").status_code == 200
    assert client.get("http://localhost/").status_code == 200
    assert client.get("http://elsewhere.example/").status_code == 421


@pytest.mark.parametrize("database", ENGINES, indirect=True)
def test_users_sessions_and_changes_are_kept_in_either_database(house: Opens, log: Log) -> None:
    opened = house(log=log)
    opened.ground.users.add("anna", "editor", PASSWORD, NOW)
    reader = opened.reader("editor")
    reader.send("/jobs/w_1/cancel")
    assert [one.subject for one in opened.ground.changes.newest()] == ["w_1"]
    opened.ground.users.change("editor", NOW, disabled=True)
    assert reader.get("/").url.path == "/login"
    names = [one.name for one in opened.ground.users.all()]
    assert names == ["anna", "editor", "publisher", "viewer"]
