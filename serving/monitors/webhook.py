"""Alerts told to a webhook: one POST each, to a host that the settings name, and to no other."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import re
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from time import monotonic, sleep
from typing import Any
from urllib.parse import SplitResult, urlsplit

from serving.monitors.alerts import Notice
from serving.scorer_error import ScorerError

SECONDS = 5.0  # that a connection, and an answer, may take
WAITS = (1.0, 4.0)  # seconds before the second try, and before the third
SIGNATURE, EVENT = "Pushwise-Signature", "Pushwise-Event"
_LONGEST = 4_096  # bytes that are read to find the status
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r\n]")
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class WebhookError(ScorerError):
    """A webhook that may not be called, or that did not take what it was told."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where alerts go.

    hosts: that ``url`` may name; private_hosts: those of them whose addresses may be private.
    secret: signs every call; without one nothing is sent. dashboard: address of the dashboard,
    before links; empty where there is none. runbooks: the same of where ``docs/`` is shown.

    Raises:
        WebhookError: the URL may not be called.
    """

    url: str
    hosts: tuple[str, ...]
    secret: bytes = field(repr=False)
    private_hosts: tuple[str, ...] = ()
    dashboard: str = ""
    runbooks: str = ""

    def __post_init__(self) -> None:
        parts = _split(self.url)
        host = parts.hostname or ""
        if host not in self.hosts:
            raise WebhookError(
                f"[monitor] webhook_url goes to {host!r}, which webhook_hosts does not name; "
                f"it names {', '.join(self.hosts) or 'nothing'}"
            )
        if parts.scheme != "https" and not (parts.scheme == "http" and _loopback(host)):
            raise WebhookError(
                f"[monitor] webhook_url begins with {parts.scheme}:, wanted https: "
                "(http: to this machine alone)"
            )
        if not self.secret:
            raise WebhookError(
                "[monitor] webhook_secret is empty: receivers know our calls by it; set it, best "
                "as PUSHWISE_MONITOR__WEBHOOK_SECRET"
            )


@dataclass(frozen=True, slots=True)
class Delivered:
    """keys: of the notices that were taken. failed: why the first that was not was not; then no
    other was tried. Empty where all were taken."""

    keys: tuple[str, ...]
    failed: str = ""


def deliver(
    webhook: Webhook,
    notices: Sequence[Notice],
    now: datetime,
    wait: Callable[[float], None] = sleep,
) -> Delivered:
    """Tell each notice, in order, until one is not taken after three tries.

    Args:
        wait: waits so many seconds.
    """
    taken: list[str] = []
    try:
        address = _address(webhook) if notices else None
        for notice in notices:
            body = json.dumps(told(notice, webhook), ensure_ascii=False).encode()
            _post_patiently(webhook, str(address), body, notice.event, now, wait)
            taken.append(notice.key)
    except WebhookError as error:
        return Delivered(tuple(taken), str(error))
    return Delivered(tuple(taken))


def told(notice: Notice, webhook: Webhook) -> dict[str, Any]:
    """The body of a call, see ``docs/monitor.md``; it names no member."""
    written = notice.result.to_json()
    page = written["link"]
    written["link"] = f"{webhook.dashboard.rstrip('/')}{page}" if webhook.dashboard else ""
    if webhook.runbooks:
        written["runbook"] = f"{webhook.runbooks.rstrip('/')}/{written['runbook']}"
    return {"event": notice.event, **written, "since": notice.since.isoformat()}


def signature(secret: bytes, at: datetime, body: bytes) -> str:
    """``t=SECONDS,v1=HEX``: HMAC-SHA256 over ``SECONDS.`` and the body, so that a call cannot be
    told again later."""
    moment = str(int(at.timestamp()))
    digest = hmac.new(secret, moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def _post_patiently(
    webhook: Webhook,
    address: str,
    body: bytes,
    event: str,
    now: datetime,
    wait: Callable[[float], None],
) -> None:
    for seconds in (*WAITS, None):
        try:
            status = _post(webhook, address, body, event, now)
        except (OSError, http.client.HTTPException) as error:
            status, why = 0, f"does not answer ({type(error).__name__})"
        else:
            why = f"answered {status}"
        if 200 <= status < 300:
            return
        if 300 <= status < 400:
            why += "; redirects are not followed"
        if seconds is None or (status and status not in _AGAIN):
            raise WebhookError(f"the webhook at {_split(webhook.url).hostname} {why}")
        wait(seconds)


def _post(webhook: Webhook, address: str, body: bytes, event: str, now: datetime) -> int:
    """The status of one try."""
    parts = _split(webhook.url)
    host, secure = str(parts.hostname), parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    # The address that was checked, not the name: it could resolve to another by now.
    opened = socket.create_connection((address, port), timeout=SECONDS)
    try:
        if secure:
            opened = ssl.create_default_context().wrap_socket(opened, server_hostname=host)
        connection.sock = opened
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "pushwise",
            EVENT: event,
            SIGNATURE: signature(webhook.secret, now, body),
        }
        connection.request("POST", path, body, headers)
        return _status(opened)
    finally:
        connection.close()
        opened.close()


def _status(opened: socket.socket) -> int:
    """Of the answer, and no more of it: who has told the status took the call, whatever becomes of
    the rest. All of the line within ``SECONDS``, however slowly it drips.

    Raises:
        OSError: it did not come. http.client.HTTPException: it is none.
    """
    line, until = b"", monotonic() + SECONDS
    while b"\n" not in line and len(line) < _LONGEST:
        left = until - monotonic()
        if left <= 0:
            raise TimeoutError
        opened.settimeout(left)
        part = opened.recv(_LONGEST)
        if not part:
            break
        line += part
    found = _STATUS.match(line)
    if found is None:
        raise http.client.BadStatusLine("no status")
    return int(found[1])


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        named = parts.hostname is not None and (parts.port is None or parts.port > 0)
    except ValueError:
        named = False
    plain = url.isascii() and url.isprintable() and " " not in url
    if not named or parts.username is not None or parts.fragment or not plain:
        raise WebhookError(
            "[monitor] webhook_url does not read; wanted https://HOST/PATH without a user name, "
            "other characters as %XX, another alphabet's host as xn--…"
        )
    return parts


def _address(webhook: Webhook) -> IPv4Address | IPv6Address:
    """The host's address, looked up once and checked."""
    parts = _split(webhook.url)
    host = str(parts.hostname)
    try:
        found = socket.getaddrinfo(host, parts.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # the latter of a label longer than 63
        raise WebhookError(f"the webhook's host {host} has no address ({error})") from error
    address = ip_address(str(found[0][4][0]).split("%", 1)[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    own = _loopback(host) and address.is_loopback
    if not (own or address.is_global or host in webhook.private_hosts):
        raise WebhookError(
            f"the webhook's host {host} stands at a private address; name it in "
            "[monitor] webhook_private_hosts if that is meant"
        )
    return address


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
