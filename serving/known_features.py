"""What a release knows of one member, in words and numbers."""

from __future__ import annotations

import math

from features.snapshot import Snapshot


def known_features(snapshot: Snapshot, member: str) -> dict[str, float | str | None]:
    """What a release knows of the member; empty for a stranger, None where a value is missing."""
    (row,) = snapshot.rows([member]).tolist()
    if row < 0:
        return {}
    encoding = snapshot.encoding
    found: dict[str, float | str | None] = {}
    for name, value in zip(encoding.names, snapshot.values[row].tolist(), strict=True):
        if math.isnan(value):
            found[name] = None
        elif name in encoding.categories:
            found[name] = encoding.categories[name][int(value)]
        else:
            found[name] = value
    return found
