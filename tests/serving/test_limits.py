"""What is too much is refused while it arrives, before anyone parses it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serving.limits import MAX_BODY, MAX_HEADER_BYTES, MAX_HEADERS, MAX_URL, LimitedBody, Limits
from tests.serving.asgi_calls import Answer, Asked, answer


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    message = await receive()
    await Response(message.get("body", b""))(scope, receive, send)


def ask(asked: Asked, limits: Limits = Limits()) -> Answer:  # noqa: B008 - frozen
    return asyncio.run(answer(LimitedBody(echo, limits), asked))


def refusal(found: Answer) -> tuple[int, str]:
    problem: dict[str, Any] = json.loads(found.body)
    assert found.headers[b"connection"] == b"close"
    return found.status, problem["type"].rpartition(":")[2]


def test_a_body_comes_through_whole_however_it_arrives() -> None:
    chunked = Asked("POST", "/", [b'{"a', b"", b'": 1}'], [(b"transfer-encoding", b"chunked")])
    assert ask(chunked).body == b'{"a": 1}'
    assert ask(Asked("POST", "/", [b"", b"x"], headers=[])).body == b"x"
    assert ask(Asked("GET", "/")).status == 200


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (Asked("POST", "/", [b" " * MAX_BODY, b" "]), (413, "body_too_large")),
        (
            Asked("POST", "/", [b""], [(b"content-length", b"%d" % (MAX_BODY + 1))]),
            (413, "body_too_large"),
        ),
        (Asked("GET", "/", [b""], [(b"content-length", b"-1")]), (413, "body_too_large")),
        (Asked("POST", "/", [b"[" * 10, b"[" * 10], ends=False), (400, "body_too_deep")),
        (Asked("POST", "/", [b"[", b"0," * 60_000], ends=False), (413, "too_many_values")),
        (Asked("GET", "/" + "a" * MAX_URL), (414, "url_too_long")),
        (Asked("GET", "/", query=b"a" * MAX_URL), (414, "url_too_long")),
        (Asked("GET", "/", headers=[(b"x", b"y")] * (MAX_HEADERS + 1)), (431, "headers_too_large")),
        (
            Asked("GET", "/", headers=[(b"cookie", b"a" * MAX_HEADER_BYTES)]),
            (431, "headers_too_large"),
        ),
    ],
    ids=[
        "bytes", "claimed", "negative", "depth", "values", "path", "query", "headers", "header",
    ],
)  # fmt: skip
def test_too_much_is_refused_at_once(asked: Asked, wanted: tuple[int, str]) -> None:
    assert refusal(ask(asked)) == wanted


def test_a_body_that_does_not_end_is_refused_after_a_while() -> None:
    slow = Asked("POST", "/", [b'{"push_id"'], ends=False)
    assert refusal(ask(slow, Limits(seconds=0.05))) == (408, "body_too_slow")


def test_a_caller_that_hangs_up_gets_no_answer() -> None:
    assert ask(Asked("POST", "/", [])).status == 0
