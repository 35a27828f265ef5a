"""What browsers are told to refuse, and what a form must prove."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import Request

CSRF_FIELD = "csrf"
CSRF_HEADER = "x-csrf-token"
# Styles, scripts and pictures of ours alone, and nothing inline: text that came in as a name cannot
# run, whatever a template forgets. `data:` is for the charts' files.
CONTENT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
NOT_KEPT = {"Cache-Control": "no-store"}  # pages show members; the next at this desk must not


def from_here(request: Request) -> bool:
    """Whether a browser says that a page of this very address sends the form.

    Source: Fetch Metadata Request Headers, W3C; ``Origin`` where a browser knows none of these.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


def of_this_machine(request: Request) -> bool:
    """Whether the browser asked for this machine by a name of its own.

    Where nobody logs in, a page elsewhere could else have its own name mean this machine, and read
    what we answer (DNS rebinding).
    """
    return request.url.hostname in ("localhost", "127.0.0.1", "::1")


def proves(request: Request, form: Mapping[str, object], wanted: str) -> bool:
    """Whether the form, or the header of a call by script, brings the session's token."""
    given = request.headers.get(CSRF_HEADER) or form.get(CSRF_FIELD)
    return isinstance(given, str) and hmac.compare_digest(given.encode(), wanted.encode())
