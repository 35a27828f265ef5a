"""A campaign engine as they are: it repeats its webhooks, and tells what happened out of order.

    python -m examples.adapters.mock_engine --scorer http://127.0.0.1:8787 --key "$KEY" \\
        --push winback-november 15098 12346

runs it and the webhook together and prints what came of it. The key needs the scopes decide and
outcomes:write.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from examples.adapters.calls import Scorer
from examples.adapters.webhook import SIGNATURE, Adapter, Handled, listening, signature


@dataclass
class MockEngine:
    """Sends to nobody, and remembers what it would have sent.

    bounces: share of messages that do not leave; drawn by ``seed``.
    """

    secret: bytes
    bounces: float = 0.1
    seed: int = 0
    sent: dict[str, tuple[dict[str, Any], Handled]] = field(default_factory=dict)  # by message id
    asked: int = 0  # how often it was asked to send, repetitions included
    _lock: Lock = field(default_factory=Lock)

    def send(self, message: Mapping[str, Any]) -> Handled:
        """Once per message id, whatever number of times it is asked."""
        message_id = message["message_id"]
        with self._lock:
            self.asked += 1
            if message_id not in self.sent:
                drawn = random.Random(f"{self.seed} {message_id}").random()  # noqa: S311 - no secret
                handled = Handled(drawn >= self.bounces, datetime.now(UTC).isoformat())
                self.sent[message_id] = (dict(message), handled)
            return self.sent[message_id][1]

    def run(self, webhook: str, push_id: str, members: Sequence[str]) -> list[dict[str, Any]]:
        """One campaign: each webhook at least twice; the answers to the first of each."""
        answers = []
        for member in members:
            note = {"push_id": push_id, "member_id": member}
            answers.append(self.call(webhook + "/about-to-send", note))
            self.call(webhook + "/about-to-send", note)
        return answers

    def tell(self, webhook: str, unsubscribing: frozenset[str] = frozenset()) -> dict[str, Any]:
        """What happened to what left: all of it, shuffled, twice; the first receipt."""
        begun = datetime.now(UTC)
        happened = [
            {"id": f"{kind}-{message['message_id']}", "message_id": message["message_id"],
             "type": kind, "at": (begun + timedelta(milliseconds=after)).isoformat()}
            for message, handled in self.sent.values() if handled.left
            for after, kind in enumerate(
                ("delivered", "opened", "snoozed",
                 *(["unsubscribed"] if message["member_id"] in unsubscribing else []))
            )
        ]  # fmt: skip
        random.Random(self.seed).shuffle(happened)  # noqa: S311 - no secret
        receipt = self.call(webhook + "/happened", happened)
        self.call(webhook + "/happened", happened)
        return receipt

    def call(self, url: str, body: object, tries: int = 5) -> dict[str, Any]:
        """What the webhook answers; repeated while it says 503."""
        content = json.dumps(body).encode()
        headers = {SIGNATURE: signature(self.secret, content), "Content-Type": "application/json"}
        for left in reversed(range(tries)):
            try:
                with urlopen(Request(url, content, headers), timeout=10) as got:  # noqa: S310 - the webhook's own address
                    answer: dict[str, Any] = json.load(got)
                    return answer
            except HTTPError as error:
                with error:
                    if error.code != 503 or not left:
                        raise
        raise AssertionError("unreachable")


def main() -> None:
    """Run a campaign through the webhook and print what came of it as one JSON line."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--scorer", required=True)
    options.add_argument("--key", required=True, help="of the scopes decide and outcomes:write")
    options.add_argument("--push", required=True)
    options.add_argument("members", nargs="+")
    asked = options.parse_args()
    engine = MockEngine(secrets.token_bytes(32))
    adapter = Adapter(Scorer(asked.scorer, asked.key, timeout=5.0), engine)
    with listening(adapter, engine.secret) as webhook:
        answers = engine.run(webhook, asked.push, asked.members)
        receipt = engine.tell(webhook)
    sent = sum(bool(answer["sent"]) for answer in answers)
    json.dump({"asked": len(answers), "sent": sent, "reported": receipt}, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
