"""A message template that asks the scorer while it is rendered, as Braze's Connected Content does.

    python -m examples.adapters.liquid_content --scorer http://127.0.0.1:8787 --key "$KEY" \\
        --push winback-november 15098 12346

needs `pip install python-liquid`. The template is `message.liquid` beside this file. Its tag:

    {% connected_content URL :headers {"Name": "value"} :save NAME %}
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from liquid import Environment, Node, RenderContext, Tag, Token, TokenStream
from liquid.exceptions import LiquidSyntaxError
from liquid.token import TOKEN_EXPRESSION, TOKEN_TAG

TEMPLATE = Path(__file__).with_name("message.liquid")
# What a template finds where nobody answered: read like an answer, it says send nothing.
NOBODY = {"send": False, "reason": "no_answer", "degraded": ["no_answer"]}
_CALL = re.compile(
    r"(?P<url>\S.*?)\s+(?::headers\s+(?P<headers>\{.*\})\s+)?:save\s+(?P<name>\w+)\s*", re.DOTALL
)


class ConnectedContent(Tag):  # type: ignore[misc] # types of an extra that may be missing
    """``connected_content``: calls a URL and saves the JSON that it answers."""

    name = "connected_content"
    block = False

    def parse(self, stream: TokenStream) -> Node:
        token = stream.expect(TOKEN_TAG)
        next(stream)
        stream.expect(TOKEN_EXPRESSION)
        call = _CALL.fullmatch(stream.current.value)
        if call is None:
            raise LiquidSyntaxError(
                "connected_content wants URL, :headers {…} if needed, :save NAME", token=token
            )
        return _Call(token, self.env, call)


class _Call(Node):  # type: ignore[misc] # the same
    def __init__(self, token: Token, env: Environment, call: re.Match[str]) -> None:
        super().__init__(token)
        self._url = env.from_string(call["url"])
        self._headers = env.from_string(call["headers"] or "{}")
        self._name = call["name"]

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        given = {**context.globals, **context.locals}
        url, headers = self._url.render(given), json.loads(self._headers.render(given))
        context.assign(self._name, fetched(url, headers))
        return 0


def fetched(url: str, headers: Mapping[str, str], timeout: float = 0.5) -> dict[str, object]:
    """The JSON object at ``url`` with its status as ``__http_status__``; ``NOBODY`` else.

    Whatever goes wrong, the message is rendered: that is the template engine's promise.
    """
    try:
        with urlopen(Request(url, headers=dict(headers)), timeout=timeout) as got:  # noqa: S310 - the template's author names it
            found = json.loads(got.read())
            if isinstance(found, dict):
                return {**found, "__http_status__": got.status}
    except HTTPError as error:
        with error:
            return {**NOBODY, "__http_status__": error.code}
    except (OSError, ValueError):
        pass
    return {**NOBODY, "__http_status__": 0}


def message(template: str, given: Mapping[str, object]) -> str:
    """The message, empty where none is to be sent."""
    env = Environment()
    env.add_tag(ConnectedContent)
    return " ".join(env.from_string(template).render(**given).split())


def main() -> None:
    """Render the template for each member."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--scorer", required=True)
    options.add_argument("--key", required=True, help="of scope decide")
    options.add_argument("--push", required=True)
    options.add_argument("members", nargs="+")
    asked = options.parse_args()
    template = TEMPLATE.read_text(encoding="utf-8")
    for member in asked.members:
        given = {"scorer": asked.scorer, "key": asked.key, "push_id": asked.push}
        text = message(template, {**given, "member_id": member})
        sys.stdout.write(json.dumps({"member_id": member, "message": text or None}) + "\n")


if __name__ == "__main__":
    main()
