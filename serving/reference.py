"""Pages made from the code: the API's schema, frozen, and its problems.

``python -m serving.reference openapi`` or ``problems`` prints one.
"""

from __future__ import annotations

import json
import sys

from serving.app import api
from serving.openapi import problems

_HEAD = """# Problems of the HTTP API

Errors are answered as RFC 9457 problems, `application/problem+json`. `type` is stable: programs
go by it. `detail` and `fix` are for people and may change. `errors` points at fields (JSON pointer
into the body, or the name of a parameter). Nothing that the caller sent is ever repeated. Made from
the code by `make docs`.

| status | type | detail, for example | what helps |
| --- | --- | --- | --- |
"""


def openapi_text() -> str:
    """What ``/openapi.json`` answers, laid out for comparing."""
    return json.dumps(api().openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def problems_text() -> str:
    """One line a problem, by status."""
    found = sorted(problems().values(), key=lambda one: (one.status, one.type))
    return _HEAD + "".join(
        f"| {one.status} | `{one.type}` | {_cell(one.detail)} | {_cell('; '.join(one.fix))} |\n"
        for one in found
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write({"openapi": openapi_text, "problems": problems_text}[sys.argv[1]]())
