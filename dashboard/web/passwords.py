"""Passwords: kept so that whoever reads them cannot tell what they were."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading

SHORTEST = 12
LONGEST = 200
# 32 MiB and some 0.1 s for each guess.
_N, _R, _P = 2**15, 8, 3
_BYTES = 32
_one_at_a_time = threading.Lock()  # memory for one guess, whoever knocks how often


class WeakPasswordError(ValueError):
    """A password that is too short, too long, or the name of its user."""


def kept(password: str, name: str = "") -> str:
    """What to keep of a password: cost, salt and hash.

    Source: scrypt, RFC 7914, with a cost that OWASP's Password Storage Cheat Sheet lists.

    Raises:
        WeakPasswordError: of fewer than 12 or more than 200 characters, or just the ``name``.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPasswordError(
            f"the password has {len(password)} characters, wanted {SHORTEST} to {LONGEST}"
        )
    if password.casefold() == name.casefold():
        raise WeakPasswordError("the password is the name of its user; choose another")
    salt = secrets.token_bytes(16)
    return "$".join(("scrypt", f"{_N}:{_R}:{_P}", _text(salt), _text(_hash(password, salt))))


def fits(password: str, stored: str) -> bool:
    """Whether ``password`` is the one of which ``stored`` was kept; takes as long either way."""
    _, _, salt, wanted = stored.split("$")
    found = _hash(password[: LONGEST + 1], base64.b64decode(salt))
    return hmac.compare_digest(found, base64.b64decode(wanted))


# Compared with where there is no such user, so that the time does not tell.
NOBODY = (
    "scrypt$" + f"{_N}:{_R}:{_P}$" + "$".join(base64.b64encode(bytes(n)).decode() for n in (16, 32))
)


def _hash(password: str, salt: bytes) -> bytes:
    with _one_at_a_time:
        return hashlib.scrypt(
            password.encode(), salt=salt, n=_N, r=_R, p=_P, maxmem=2**26, dklen=_BYTES
        )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
