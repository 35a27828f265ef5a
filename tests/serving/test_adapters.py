"""The examples of docs/adapters.md, run against a real scorer over a tiny release."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from sqlalchemy import select

from examples.adapters import file_drop
from examples.adapters.calls import NoAnswerError, RefusedError, Scorer
from examples.adapters.file_drop import Drop
from examples.adapters.mock_engine import MockEngine
from examples.adapters.webhook import Adapter, Handled, listening
from serving import tables
from serving.auth import Keys, NewKey
from serving.log import Log
from serving.server import background
from serving.settings import Settings
from tests.conftest import REPOSITORY
from tests.serving.conftest import MEMBERS, SPRING

if TYPE_CHECKING:
    from tests.serving.conftest import Bench

SECRET = b"shared with the engine"


@pytest.fixture
def address(bench: Bench) -> Iterator[str]:
    """A scorer whose pushes are still to come, however late the tests run."""
    folder = bench.draft("r1")
    later = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    pushes = [replace(SPRING, send_at=later).to_json()]
    (folder / "pushes.json").write_text(json.dumps(pushes))
    golden(folder)
    bench.sealed(folder, "r1")
    with Log(bench.workspace.serving_log):  # made before the scorer asks for keys in it
        pass
    key_for(bench, "decide")
    with background(Settings(bench.workspace, port=0, release=folder)) as found:
        yield found


def golden(folder: Path) -> None:
    """The golden answers of a draft that was changed."""
    from serving.release import golden as answered

    asked = json.loads((folder / "golden.json").read_text())
    requests = [{name: one[name] for name in ("push_id", "at", "member_ids")} for one in asked]
    (folder / "golden.json").write_text(json.dumps(answered(folder, requests)))


def key_for(bench: Bench, *scopes: str) -> str:
    with Log(bench.workspace.serving_log) as log:
        return Keys(log).create(NewKey("live", scopes), datetime.now(UTC))


def outcomes(bench: Bench) -> list[dict[str, Any]]:
    with Log(bench.workspace.serving_log) as log, log.reading() as connection:
        return [json.loads(row) for row in connection.scalars(select(tables.outcomes.c.row))]


def nobody(free_port: int) -> str:
    return f"http://127.0.0.1:{free_port}"


@pytest.mark.slow
def test_a_template_asks_while_it_is_rendered(bench: Bench, address: str, free_port: int) -> None:
    pytest.importorskip("liquid", reason="requirements/checks.txt is not installed")
    from examples.adapters.liquid_content import TEMPLATE, message

    key = key_for(bench, "decide")
    template = TEMPLATE.read_text(encoding="utf-8")
    scorer = Scorer(address, key, timeout=5.0)

    def rendered(member: str, at: str = address, secret: str = key) -> str:
        given = {"scorer": at, "key": secret, "push_id": "spring", "member_id": member}
        return message(template, given)

    for member in MEMBERS[:12]:
        decision = scorer.get("/v1/decide", {"push_id": "spring", "member_id": member})
        text = rendered(member)
        assert bool(text) == decision["send"]
        if decision["send"]:
            assert (decision["offer_id"] in text) or "Ten percent" in text
        assert rendered(member, nobody(free_port)) == "", "nobody answers: nothing is sent"
        assert rendered(member, secret="pw_live_wrong") == ""
    assert rendered("a member&push_id=other") == rendered("a member&push_id=other")


@pytest.mark.slow
def test_webhooks_are_answered_sent_and_written_back_once(bench: Bench, address: str) -> None:
    scorer = Scorer(address, key_for(bench, "decide", "outcomes:write"), timeout=10.0)
    engine = MockEngine(SECRET, bounces=0.3)
    members = MEMBERS[:24]
    with listening(Adapter(scorer, engine), SECRET) as webhook:
        answers = engine.run(webhook, "spring", members)
        left = [message for message, handled in engine.sent.values() if handled.left]
        leaving = frozenset({left[0]["member_id"]})
        receipt = engine.tell(webhook, leaving)
        with pytest.raises(HTTPError, match="401"):
            replace(engine, secret=b"guessed").call(webhook + "/happened", [])
    assert sum(bool(answer["sent"]) for answer in answers) == len(left)
    assert 0 < len(left) < len(engine.sent) < len(members), "some bounced, some get nothing"
    assert engine.asked == 2 * len(engine.sent), "every webhook came twice"
    assert receipt == {
        "accepted": 2 * len(left) + 1, "duplicates": 0, "rejected": [], "unknown": len(left),
    }  # fmt: skip
    kinds = [row["type"] for row in outcomes(bench)]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "sent": len(left), "failed": len(engine.sent) - len(left), "delivered": len(left),
        "opened": len(left), "unsubscribed": 1,
    }  # fmt: skip
    [gone] = leaving
    asked = scorer.get("/v1/decide", {"push_id": "spring", "member_id": gone})
    assert (asked["send"], asked["reason"]) == (False, "suppressed")


def test_a_webhook_says_repeat_while_the_scorer_is_away(free_port: int) -> None:
    adapter = Adapter(Scorer(nobody(free_port), "pw_live_x_y"), MockEngine(SECRET))
    note = {"push_id": "spring", "member_id": "m1"}
    with listening(adapter, SECRET) as webhook, pytest.raises(HTTPError, match="503"):
        MockEngine(SECRET).call(webhook + "/about-to-send", note, tries=2)


@pytest.mark.slow
def test_a_crash_between_sending_and_reporting_reports_the_first_sending(
    bench: Bench, address: str
) -> None:
    scorer = Scorer(address, key_for(bench, "decide", "outcomes:write"), timeout=10.0)
    engine = MockEngine(SECRET, bounces=0.0)

    class Crashing:
        def send(self, message: dict[str, Any]) -> Handled:
            engine.send(message)
            raise NoAnswerError("the machine went away after the message had")

    sent = 0
    for member in MEMBERS[:10]:
        try:
            Adapter(scorer, Crashing()).about_to_send("spring", member)  # type: ignore[arg-type]
        except NoAnswerError:
            again = Adapter(scorer, engine).about_to_send("spring", member)
            assert again["sent"]
            sent += 1
    assert sent == len(engine.sent) == len(outcomes(bench)) > 0
    assert {row["occurred_at"] for row in outcomes(bench)} == {
        handled.at for _, handled in engine.sent.values()
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_files_go_in_audiences_come_out_and_results_come_back_once(
    bench: Bench, address: str, tmp_path: Path, kind: str
) -> None:
    key = key_for(bench, "audience:export", "outcomes:write")
    drop = Drop(Scorer(address, key, timeout=30.0), tmp_path / "drop")
    drop.step()
    requests, done = drop.folder / "requests", drop.folder / "done"
    (requests / "may.json").write_text(
        json.dumps({"push_id": "spring", "max_audience": 20, "format": kind})
    )
    (requests / "wrong.json").write_text(json.dumps({"push_id": "nowhere"}))
    (requests / "torn.json").write_text('{"push_id": ')
    until_done(drop)
    audience = drop.folder / "audiences" / f"may.{kind}"
    manifest = json.loads((drop.folder / "audiences/may.manifest.json").read_text())
    content = audience.read_bytes()
    assert manifest["sha256"] == hashlib.sha256(content).hexdigest()
    assert (manifest["bytes"], manifest["file"]) == (len(content), audience.name)
    rows = list(file_drop._rows(audience, kind))
    assert manifest["rows"] == len(rows) > 0
    assert json.loads((done / "wrong.refused.json").read_text())["title"] == "unknown push"
    assert (done / "torn.refused.json").exists()
    assert sorted(path.name for path in requests.iterdir()) == []

    results = written_results(drop.folder, rows, kind)
    text = results.read_bytes()
    drop.step()
    refused = json.loads((done / "may-results.refused.json").read_text())["rows"]
    assert [one["row"] for one in refused] == [len(rows) + 1]
    assert len(outcomes(bench)) == len(rows)
    results.write_bytes(text)  # the engine's job ran again
    drop.step()
    assert len(outcomes(bench)) == len(rows), "the same file again adds nothing"


def until_done(drop: Drop) -> None:
    give_up = time.monotonic() + 120
    while drop.step()["requests"]:
        assert time.monotonic() < give_up
        time.sleep(0.2)


def written_results(folder: Path, rows: list[dict[str, Any]], kind: str) -> Path:
    """One outcome a contact, and one that no scorer can take."""
    told = [
        {"push_id": row["push_id"], "member_id": row["member_id"], "type": "sent",
         "occurred_at": "2026-05-02T10:00:00Z"} for row in rows
    ]  # fmt: skip
    told.append({**told[0], "type": "vanished"})
    part = folder / "may-results.part"
    with part.open("w", newline="", encoding="utf-8") as file:
        if kind == "csv":
            writer = csv.DictWriter(file, told[0].keys())
            writer.writeheader()
            writer.writerows(told)
        else:
            file.writelines(json.dumps(row) + "\n" for row in told)
    return part.replace(folder / "results" / f"may-results.{kind}")


def test_a_drop_without_a_scorer_loses_nothing(tmp_path: Path, free_port: int) -> None:
    drop = Drop(Scorer(nobody(free_port), "pw_live_x_y"), tmp_path)
    assert drop.step() == {"requests": 0, "results": 0}
    asked, told = tmp_path / "requests/may.json", tmp_path / "results/may.csv"
    asked.write_text('{"push_id": "spring"}')
    told.write_text("push_id,member_id,type,occurred_at\nspring,m1,sent,2026-05-02T10:00:00Z\n")
    with pytest.raises(NoAnswerError):
        drop.step()
    assert asked.exists()
    assert told.exists()


@pytest.mark.slow
def test_a_key_without_the_scope_stops_the_drop_and_keeps_its_files(
    bench: Bench, address: str, tmp_path: Path
) -> None:
    drop = Drop(Scorer(address, key_for(bench, "decide"), timeout=10.0), tmp_path / "drop")
    drop.step()
    told = drop.folder / "results/may.ndjson"
    told.write_text('{"push_id": "spring"}\n')
    with pytest.raises(RefusedError, match="403"):
        drop.step()
    assert told.exists()


@pytest.mark.slow
def test_the_commands_of_the_page_run(bench: Bench, address: str) -> None:
    key = key_for(bench, "decide", "outcomes:write")
    lines = []
    for module in ("liquid_content", "mock_engine"):
        if module == "liquid_content":
            pytest.importorskip("liquid", reason="requirements/checks.txt is not installed")
        ran = subprocess.run(
            [sys.executable, "-m", f"examples.adapters.{module}", "--scorer", address, "--key", key,
             "--push", "spring", *MEMBERS[:3]],
            cwd=REPOSITORY, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        lines += [json.loads(line) for line in ran.stdout.splitlines()]
    assert [line["member_id"] for line in lines[:3]] == list(MEMBERS[:3])
    assert lines[3]["asked"] == 3


def test_what_is_no_webhook_is_told_so(free_port: int) -> None:
    adapter = Adapter(Scorer(nobody(free_port), "pw_live_x_y"), MockEngine(SECRET))
    engine = MockEngine(SECRET)
    with listening(adapter, SECRET) as webhook:
        for path, body in (("/about-to-send", {"push_id": "p"}), ("/happened", 3), ("/else", {})):
            with pytest.raises(HTTPError, match="422"):
                engine.call(webhook + path, body)
        with pytest.raises(HTTPError, match="401"), urlopen(Request(webhook, b"{}")):
            pass
