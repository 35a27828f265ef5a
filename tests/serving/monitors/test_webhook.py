"""The webhook, against real servers on this machine."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any

import pytest

from serving.monitors.alerts import Notice
from serving.monitors.result import Result
from serving.monitors.webhook import (
    EVENT,
    SIGNATURE,
    WAITS,
    Webhook,
    WebhookError,
    deliver,
    told,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECRET = b"of both"
NOTICE = Notice(
    "alert",
    Result("pacing", "spring\x00<b> money", "alert", "behind", NOW, -0.25, 0.17),
    datetime(2026, 5, 1, 9, tzinfo=UTC),
)


@dataclass
class Receiver:
    """Answers with ``statuses`` in turn, the last one for ever; keeps what it was told."""

    url: str
    statuses: Sequence[int]
    location: str = ""
    met: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def receiver(*statuses: int, location: str = "") -> Iterator[Receiver]:
    found = Receiver("", statuses or (204,), location)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.met.append((dict(self.headers), body))
            status = found.statuses[min(len(found.met), len(found.statuses)) - 1]
            self.send_response(status)
            if found.location:
                self.send_header("Location", found.location)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/hook?team=growth"
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def webhook(url: str, *hosts: str, private: Sequence[str] = ()) -> Webhook:
    return Webhook(url, hosts or ("127.0.0.1",), SECRET, tuple(private), "https://push.example/")


def no_wait() -> tuple[list[float], Callable[[float], None]]:
    waited: list[float] = []
    return waited, waited.append


def test_an_alert_arrives_signed_with_links_and_without_control_characters() -> None:
    with receiver() as here:
        done = deliver(webhook(here.url), [NOTICE], NOW)
    assert (done.keys, done.failed) == ((NOTICE.key,), "")
    headers, body = here.met[0]
    assert json.loads(body) == {
        "event": "alert",
        "monitor": "pacing",
        "subject": "spring <b> money",
        "state": "alert",
        "words": "behind",
        "value": -0.25,
        "limit": 0.17,
        "as_of": "2026-05-01T12:00:00+00:00",
        "since": "2026-05-01T09:00:00+00:00",
        "link": "https://push.example/health#pacing",
        "runbook": "docs/runbook/BudgetOffPace.md",
    }
    at, digest = headers[SIGNATURE].removeprefix("t=").split(",v1=")
    assert int(at) == NOW.timestamp()
    assert digest == hmac.new(SECRET, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers[EVENT] == "alert"
    named = replace(webhook(here.url), runbooks="https://git.example/")
    assert told(NOTICE, named)["runbook"] == "https://git.example/docs/runbook/BudgetOffPace.md"


def test_a_redirect_is_not_followed() -> None:
    with receiver() as elsewhere, receiver(302, location=elsewhere.url) as here:
        done = deliver(webhook(here.url), [NOTICE, NOTICE], NOW)
    assert done.keys == ()
    assert done.failed == "the webhook at 127.0.0.1 answered 302; redirects are not followed"
    assert len(here.met) == 1
    assert not elsewhere.met


def test_a_receiver_that_stumbles_is_asked_again_and_one_that_refuses_is_not() -> None:
    waited, wait = no_wait()
    with receiver(503, 500, 200) as here:
        assert deliver(webhook(here.url), [NOTICE], NOW, wait).failed == ""
    assert len(here.met) == 3
    assert waited == list(WAITS)
    with receiver(401) as refusing:
        done = deliver(webhook(refusing.url), [NOTICE], NOW, wait)
    assert done.failed == "the webhook at 127.0.0.1 answered 401"
    assert len(refusing.met) == 1


def test_what_was_taken_before_a_failure_is_told() -> None:
    with receiver(200, 400) as here:
        done = deliver(webhook(here.url), [NOTICE, NOTICE, NOTICE], NOW)
    assert done.keys == (NOTICE.key,)
    assert done.failed


def test_nobody_there_is_a_failure_in_one_line() -> None:
    waited, wait = no_wait()
    with receiver() as gone:
        pass
    done = deliver(webhook(gone.url), [NOTICE], NOW, wait)
    assert done.failed == "the webhook at 127.0.0.1 does not answer (ConnectionRefusedError)"
    assert len(waited) == 2


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://elsewhere.example/", "webhook_hosts does not name"),
        ("http://hooks.example/", "wanted https:"),
        ("ftp://127.0.0.1/", "wanted https:"),
        ("https://user@hooks.example/", "without a user name"),
        ("https://hooks.example:99999/", "does not read"),
        ("https:///path", "does not read"),
        ("https://hooks.example/\r\nHost: other", "does not read"),
        ("https://hooks.example/höok", "does not read"),
        ("https://hooks.example/a b", "does not read"),
        ("https://höoks.example/", "does not read"),
        ("nonsense", "does not read"),
    ],
)
def test_a_url_that_may_not_be_called_is_refused(url: str, words: str) -> None:
    with pytest.raises(WebhookError, match=words):
        webhook(url, "hooks.example", "127.0.0.1")


def test_a_webhook_needs_a_secret_and_never_shows_it() -> None:
    with pytest.raises(WebhookError, match="webhook_secret is empty"):
        Webhook("https://hooks.example/", ("hooks.example",), b"")
    assert "of both" not in repr(webhook("http://127.0.0.1/"))


def test_a_host_that_cannot_be_one_is_an_alert_not_told() -> None:
    host = f"{'a' * 70}.example"
    assert "has no address" in deliver(webhook(f"https://{host}/", host), [NOTICE], NOW).failed


def test_an_answer_whose_end_does_not_come_was_given_all_the_same() -> None:
    """A server may keep the connection open without saying how long its answer is."""
    held: list[socket.socket] = []

    def answer(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        held.append(connection)
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer, args=(listening,))
        thread.start()
        here = webhook(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        assert deliver(here, [NOTICE], NOW, no_wait()[1]).keys == (NOTICE.key,)
        thread.join()
    held[0].close()


def test_an_answer_that_drips_is_none_after_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.monitors.webhook.SECONDS", 0.3)
    over = threading.Event()

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.recv(65_536)
            while not over.wait(0.05):
                connection.sendall(b"H")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=drip, args=(listening,), daemon=True).start()
        here = webhook(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        began = monotonic()
        done = deliver(here, [NOTICE], NOW, no_wait()[1])
    over.set()
    assert done.failed == "the webhook at 127.0.0.1 does not answer (TimeoutError)"
    assert monotonic() - began < 3 * 0.3 + 2


@pytest.mark.parametrize(
    "url", ["https://10.0.0.7/", "https://169.254.169.254/", "https://[::ffff:10.0.0.7]/"]
)
def test_a_private_address_is_called_only_where_it_is_meant(url: str) -> None:
    host = url.removeprefix("https://").strip("/[]")
    done = deliver(webhook(url, host), [NOTICE], NOW)
    assert "stands at a private address" in done.failed
