"""Random numbers that are the same wherever and whenever they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


def uniforms(salt: str, purpose: str, subject: str, members: Sequence[str]) -> NDArray[np.float64]:
    """One number in [0, 1) a member, from a hash of everything that may tell draws apart.

    The same arguments give the same number in every process and on every machine, so that a
    member asked about twice stays on the same side; another ``purpose`` or ``subject`` (a push)
    gives an independent number.

    Source: the first 53 bits of BLAKE2b-64 (RFC 7693) over the arguments, each with its length.
    """
    prefix = blake2b(digest_size=8)
    for part in (salt, purpose, subject):
        encoded = part.encode()
        prefix.update(len(encoded).to_bytes(4, "big") + encoded)
    digests = bytearray()
    for member in members:
        draw = prefix.copy()
        draw.update(member.encode())
        digests += draw.digest()
    bits = np.frombuffer(bytes(digests), dtype=">u8") >> np.uint64(11)
    return bits.astype(np.float64) / 2.0**53
