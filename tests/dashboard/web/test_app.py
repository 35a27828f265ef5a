"""What every answer carries, the languages, and what an empty workspace shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.extract import extract
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.testclient import TestClient

import dashboard
from dashboard.areas import AREAS
from dashboard.web.app import beside
from dashboard.web.language import CODES, language
from dashboard.web.routing import COOKIE
from dashboard.web.security import HEADERS
from features.insights.prepared import keep
from tests.dashboard.web.conftest import House, Opens
from tests.serving.real_scorer import RealScorer

PACKAGE = Path(dashboard.__file__).parent


def test_every_answer_tells_browsers_what_to_refuse(house: Opens) -> None:
    reader = house().reader()
    for path in ("/", "/login", "/static/pages.css", "/nowhere", "/static/none"):
        answer = reader.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, (path, name)
    assert reader.get("/").headers["cache-control"] == "no-store"


def test_whoever_restarts_it_need_not_log_in(house: Opens) -> None:
    answer = house().reader().get("/livez")
    assert (answer.status_code, answer.text) == (200, "alive\n")


def test_no_page_has_style_or_script_inside(house: Opens) -> None:
    page = house().reader().get("/").text
    assert "<style" not in page
    assert " style=" not in page
    assert page.count("<script") == page.count('<script src="')


def test_an_empty_workspace_says_what_to_do_first(house: Opens) -> None:
    text = house().reader("viewer").text("/")
    assert text.index("pushwise ingest") < text.index("pushwise features build")
    assert text.index("pushwise train") < text.index("pushwise release build")


def test_a_reader_gets_the_language_of_the_browser_and_may_choose_another(house: Opens) -> None:
    reader = house().reader("viewer", "zh-TW,zh;q=0.9,en;q=0.5")
    page = reader.get("/").text
    assert '<html lang="zh-Hant">' in page
    assert "開始使用" in page
    reader.send("/language", {"language": "en", "next": "/"})
    assert '<html lang="en">' in reader.get("/").text


def messages() -> Iterator[tuple[str, str]]:
    """Every text of the pages, and where it stands."""
    keywords = {"words": None, "noted": None, "_": None, "counted": (1, 2), "ngettext": (1, 2)}
    for path in sorted(PACKAGE.rglob("*")):
        method = {".py": "python", ".html": "jinja2.ext:babel_extract"}.get(path.suffix)
        if method is None:
            continue
        options = {"extensions": "jinja2.ext.i18n", "trimmed": "true", "newstyle_gettext": "true"}
        found = extract(method, BytesIO(path.read_bytes()), keywords, options=options)
        for line, message, *_ in found:
            first = message if isinstance(message, str) else message[0]
            yield first, f"{path.relative_to(PACKAGE)}:{line}"


@pytest.mark.parametrize("code", [code for code in CODES if code != "en"])
def test_every_text_has_a_translation(code: str) -> None:
    texts = language(code).texts
    missing = [f"{where}: {message}" for message, where in messages() if message not in texts]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("code", [code for code in CODES if code != "en"])
def test_a_text_is_translated_in_one_place(code: str) -> None:
    places: dict[str, list[str]] = {}
    for file in sorted((PACKAGE / "locale" / code.replace("-", "_")).glob("*.po")):
        for message in re.findall(r'^msgid ((?:".*"\n?)+)', file.read_text("utf-8"), re.MULTILINE):
            text = "".join(re.findall(r'"(.*)"', message))
            places.setdefault(text, []).append(file.name)
    twice = {text: files for text, files in places.items() if text and len(files) > 1}
    assert not twice, "one of two would win by its file's name; keep shared texts in web.po"


@pytest.mark.parametrize("code", [code for code in CODES if code != "en"])
def test_a_translation_keeps_the_names_of_its_values(code: str) -> None:
    for english, text in language(code).texts.items():
        found = [{part.split(")")[0] for part in one.split("%(")[1:]} for one in (english, text)]
        assert found[0] == found[1], english


def test_mounted_beside_an_api_the_pages_keep_to_their_place(house: Opens) -> None:
    opened = house()
    app = opened.client().app
    both = TestClient(beside("/dashboard", app, Starlette()), "http://dashboard")
    answer = both.get("/dashboard", follow_redirects=False)
    assert answer.headers["location"] == "/dashboard/login"
    fields = {"name": "viewer", "password": "a long enough password"}
    page = both.post("/dashboard/login", data=fields)
    assert page.url.path == "/dashboard/"
    assert 'href="/dashboard/static/pages.css"' in page.text
    assert both.get("/v1/x").status_code == 404
    assert "content-security-policy" not in both.get("/v1/x").headers


def test_a_workspace_with_a_release_is_shown_with_it(served: House, scorer: RealScorer) -> None:
    assert served.ground.parts is scorer.parts
    assert served.reader().get("/").status_code == 200


def test_the_first_page_shows_what_wants_a_look_and_what_was_changed(house: Opens) -> None:
    opened = house()
    result = {"monitor": "freshness", "subject": "events", "state": "alert",
              "words": "events <b>stopped</b> 3 days ago"}  # fmt: skip
    drifted = {"monitor": "feature_drift", "subject": "ignored_in_row", "state": "warn",
               "words": "stability index 0.13"}  # fmt: skip
    fine = {"monitor": "volume", "subject": "last_day", "state": "ok", "words": "all is well"}
    now = datetime.now(UTC)
    document = {"results": [result, drifted, fine]}
    keep(opened.ground.workspace, "monitor", document, as_of=now, made_at=now)
    editor = opened.reader("editor")
    editor.send("/jobs/w_1/cancel")
    text = editor.text("/")
    assert "new enough : events events <b>stopped</b> 3 days ago" in text
    assert "as in training : ignored_in_row stability index 0.13" in text
    assert "all is well" not in text
    assert "cancel work under way: w_1" in text
    assert "取消進行中的工作: w_1" in opened.reader("viewer", "zh-TW").text("/")


def test_what_could_not_be_judged_is_not_well(house: Opens) -> None:
    opened = house()
    now, unsaid = datetime.now(UTC), {"state": "cannot_say", "words": "never had a row"}
    keep(opened.ground.workspace, "monitor", {"results": [unsaid]}, as_of=now, made_at=now)
    text = opened.reader("viewer").text("/")
    assert "… cannot say" in text
    assert "✓" not in text


def test_rolled_events_are_no_built_features(house: Opens) -> None:
    opened = house()
    (opened.ground.workspace.features / "rolled").mkdir(parents=True)
    assert "pushwise features build" in opened.reader("viewer").text("/")


NAMES = ("lifecycle", "cohorts", "values", "pushes", "demand", "quality", "models", "monitor")
# As prepared documents are shown.
SHOWING = ("/", "/pushes", "/models", "/data", "/data/features/a/b", "/segments", "/health")


@pytest.mark.parametrize("damaged", [False, True])
def test_a_document_of_an_earlier_version_is_told_and_no_fault(house: Opens, damaged: bool) -> None:
    opened = house()
    workspace, now, reader = opened.ground.workspace, datetime.now(UTC), opened.reader("viewer")
    for name in NAMES:
        keep(workspace, name, {}, as_of=now, made_at=now)
        if damaged:
            (workspace.insights / f"{name}.json").write_text("{", encoding="utf-8")
    codes = {path: reader.get(path).status_code for path in SHOWING}
    assert codes == dict.fromkeys(SHOWING, 422) | {"/": 200, "/pushes": 200}
    assert "pushwise insights refresh --only quality" in reader.get("/data").text
    assert "make it anew with `pushwise monitor`" in reader.get("/health").text


def faulty(app: Starlette) -> TestClient:
    """A browser that gets answers, whatever the application raises."""
    return TestClient(app, "http://dashboard", raise_server_exceptions=False)


def test_a_fault_is_told_with_all_that_browsers_are_to_refuse(
    house: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = house()
    editor = opened.reader("editor")
    client = faulty(editor.client.app)  # type: ignore[arg-type]
    client.cookies = editor.client.cookies
    monkeypatch.setattr(opened.ground.work, "cancel", None)
    answer = client.post("/jobs/w_1/cancel", data={"csrf": editor.csrf})
    assert answer.status_code == 500
    assert {name: answer.headers[name] for name in HEADERS} == dict(HEADERS)
    assert answer.headers["cache-control"] == "no-store"
    # It may have changed half of something: so it is written down.
    assert [(one.action, one.status) for one in opened.ground.changes.newest()] == [
        ("/jobs/{job_id}/cancel", 500)
    ]


def test_without_its_log_the_dashboard_says_so_and_leads_nowhere(house: Opens) -> None:
    opened = house()
    reader = opened.reader()
    with opened.ground.log.reading() as connection:
        engine = connection.engine
    engine.dispose()
    event.listen(engine, "do_connect", _no_database)
    for client in (faulty(reader.client.app), reader.client):  # type: ignore[arg-type]
        for path in ("/", "/login", "/health", "/nowhere"):
            answer = client.get(path, follow_redirects=False)
            asked = client is reader.client or path == "/login"
            assert answer.status_code == (503 if asked else 303), path


def _no_database(*_: object) -> None:
    raise OperationalError("", None, OSError("gone"))


def test_no_address_and_no_field_holds_what_a_log_cannot(house: Opens) -> None:
    reader = house().reader()
    for path in ("/experiments/%00", "/experiments?after=%00", "/%00"):
        assert reader.get(path).status_code == 400
    assert reader.send("/experiments/a/stop", {"why": "a\x00"}).status_code == 422
    assert reader.client.post("/login", data={"name": "a\x00"}).url.path == "/login"


_LINK = re.compile(r' (href|action|src|formaction|hx-get|hx-post)="([^"]*)"')


def test_mounted_every_page_leads_to_places_below_its_own(
    served: House, scorer: RealScorer
) -> None:
    app, reader = served.client().app, served.reader()
    both = TestClient(beside("/dashboard", app, Starlette()), "http://dashboard")
    both.cookies = reader.client.cookies
    scorer.decide("m01")
    session = served.ground.sessions.find(both.cookies[COOKIE], datetime.now(UTC))
    assert session is not None
    waiting, seen = ["/dashboard/", f"/dashboard/members/{session.handle('m01')}"], set[str]()
    while waiting:
        answer = both.get(waiting.pop(), follow_redirects=False)
        assert answer.status_code < 500, answer.url
        if "html" not in answer.headers.get("content-type", ""):
            continue
        for kind, place in _LINK.findall(unescape(answer.text)):
            inside = place.startswith(("/dashboard/", "#", "data:"))
            assert inside, f"{answer.url}: {kind} {place}"
            # A handle may hold the letters by chance; as a part of its own they are the id.
            assert place.startswith("data:") or "m01" not in re.split(r"[/?&=#]", place)
            if kind in ("href", "hx-get") and place[0] == "/" and place not in seen:
                seen.add(place)
                waiting.append(place)
    assert {f"/dashboard{area.path}" for area in AREAS} < seen
    assert any("/decisions/" in place for place in seen)
