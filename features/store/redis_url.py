"""A Redis URL as Feast writes it."""

from __future__ import annotations

import json
from urllib.parse import unquote, urlsplit

from features.errors import FeatureError

_TIMEOUT_SECONDS = 5
_IMPATIENT_SECONDS = 1


def connection_string(url: str, *, impatient: bool = False) -> str:
    """``redis[s]://[user:password@]host[:port][/database]`` for Feast, with timeouts.

    Args:
        impatient: give up after a second, and do not try again.

    Raises:
        FeatureError: no such URL, or one that Feast cannot write.
    """
    try:
        parts = urlsplit(url)
        port, database = parts.port or 6379, int(parts.path.strip("/") or 0)
    except ValueError as error:
        raise FeatureError(_wanted("it does not read")) from error
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise FeatureError(_wanted("it has another scheme, or no host"))
    if ":" in parts.hostname:
        raise FeatureError(_wanted("Feast takes no IPv6 address; give a host name"))
    timeout = _IMPATIENT_SECONDS if impatient else _TIMEOUT_SECONDS
    options: dict[str, object] = {
        "db": database,
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
    }
    if impatient:
        options["retry"] = None  # else redis-py tries three times more, seconds apart
    if parts.scheme == "rediss":
        options["ssl"] = True
    for name, given in (("username", parts.username), ("password", parts.password)):
        if given:
            options[name] = unquote(given)
    # Feast splits at commas and reads each value as JSON: text in quotes stays text.
    written = [f"{name}={json.dumps(value)}" for name, value in options.items()]
    if any("," in one for one in written):
        raise FeatureError(_wanted("Feast takes no comma in a user or password"))
    return ",".join([f"{parts.hostname}:{port}", *written])


def _wanted(why: str) -> str:
    # Never the URL itself: it may hold a password.
    return f"redis_url: {why}; wanted redis://[user:password@]host[:port][/database]"
