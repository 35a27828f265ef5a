"""A webhook between a campaign engine and the scorer: it writes back what became of each message.

The engine posts JSON to two paths, signed, and repeats what was not answered with 2xx:

    POST /about-to-send   {"push_id", "member_id"}
        -> asks for the decision, has the engine send the message, reports `sent` or `failed`
    POST /happened        [{"id", "message_id", "type", "at"}, ...]
        -> reports `delivered`, `opened`, ...; `message_id` is the decision's id

Nothing is kept here. The scorer gives a repeated question the same decision, the engine sends a
message id once, and outcomes are idempotent by their event id: so every step may be repeated after
a crash anywhere, and 503 means "repeat".
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Protocol

from examples.adapters.calls import NoAnswerError, RefusedError, Scorer

SIGNATURE = "X-Engine-Signature"
_MOST_BYTES = 1_000_000
# The engine's words, and the contract's.
_TYPES = {
    "delivered": "delivered", "opened": "opened", "clicked": "clicked",
    "unsubscribed": "unsubscribed", "complained": "complained", "bounced": "failed",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Handled:
    """left: whether the message went out. at: when it was tried first, ISO 8601 with an offset."""

    left: bool
    at: str


class Engine(Protocol):
    """What the adapter asks of the engine."""

    def send(self, message: Mapping[str, Any]) -> Handled:
        """Send a message once, by its ``message_id``; asked again, say what was said before.

        Raises:
            NoAnswerError: it does not answer.
        """


@dataclass(frozen=True, slots=True)
class Adapter:
    """scorer: with a key of the scopes ``decide`` and ``outcomes:write``."""

    scorer: Scorer
    engine: Engine

    def about_to_send(self, push_id: str, member_id: str) -> dict[str, Any]:
        """Decide, send, report. Raises ``NoAnswerError``: repeat; ``RefusedError``: do not."""
        query = {"push_id": push_id, "member_id": member_id}
        decision = self.scorer.get("/v1/decide", query)
        if not decision["send"]:
            return {"sent": False, "reason": decision["reason"]}
        if datetime.fromisoformat(decision["expires_at"]) <= datetime.now(UTC):
            return {"sent": False, "reason": "expired"}
        message_id = decision["decision_id"]
        tried = self.engine.send(
            {"message_id": message_id, "member_id": member_id, "offer_id": decision["offer_id"],
             "channel": decision["channel"], "send_after": decision["send_after"]}
        )  # fmt: skip
        outcome = "sent" if tried.left else "failed"
        self._report([_outcome(f"{message_id}.{outcome}", message_id, outcome, tried.at)])
        return {"sent": tried.left, "message_id": message_id}

    def happened(self, events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Report what became of messages; words that we do not know are counted and left out."""
        known = [one for one in events if one["type"] in _TYPES]
        receipt = self._report(
            [
                _outcome(str(one["id"]), one["message_id"], _TYPES[one["type"]], one["at"])
                for one in known
            ]
        )
        return {**receipt, "unknown": len(events) - len(known)}

    def _report(self, outcomes: list[dict[str, str]]) -> dict[str, Any]:
        if not outcomes:
            return {"accepted": 0, "duplicates": 0, "rejected": []}
        return self.scorer.post("/v1/outcomes", {"outcomes": outcomes})


def _outcome(event_id: str, decision_id: str, kind: str, at: str) -> dict[str, str]:
    return {"event_id": event_id, "decision_id": decision_id, "type": kind, "occurred_at": at}


def signature(secret: bytes, body: bytes) -> str:
    """What an engine that knows ``secret`` puts into the header ``SIGNATURE``."""
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


@contextmanager
def listening(adapter: Adapter, secret: bytes, port: int = 0) -> Iterator[str]:
    """The webhook on this machine, for as long as the block lasts; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, answer = self._answered()
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _answered(self) -> tuple[int, dict[str, Any]]:
            length = self.headers.get("Content-Length", "")
            if not length.isdigit() or int(length) > _MOST_BYTES:
                return 413, {"error": "too large"}
            body = self.rfile.read(int(length))
            given = self.headers.get(SIGNATURE, "").encode()
            if not hmac.compare_digest(given, signature(secret, body).encode()):
                return 401, {"error": "signature"}
            try:
                return 200, handled(adapter, self.path, json.loads(body))
            except NoAnswerError:
                return 503, {"error": "repeat"}
            except RefusedError as error:
                return 422, {"error": str(error)}
            except (KeyError, TypeError, ValueError):
                return 422, {"error": "not as agreed"}

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """No access log: bodies hold member ids."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def handled(adapter: Adapter, path: str, body: Any) -> dict[str, Any]:
    """One webhook's answer. ``KeyError``, ``TypeError``: it is not as agreed."""
    if path == "/about-to-send":
        return adapter.about_to_send(body["push_id"], body["member_id"])
    if path == "/happened":
        return adapter.happened(body)
    raise KeyError(path)
