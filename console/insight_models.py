"""The document ``models``: what every trained version was found to be, as pages read it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.workspace import Workspace

if TYPE_CHECKING:
    from features.progress import Progress
    from training.tracking import Version

_MOST = 20  # versions of a model; those that have a name or are in a release come on top
_STAGE = "models"
_NAMES = frozenset({"trees", "linear", "names", "member_names"})  # of features, in artifacts


def models_document(workspace: Workspace, as_of: datetime, progress: Progress) -> dict[str, Any]:
    """Every version that is new enough, serves, or is in a release, by name and newest first.

    versions: facts, promotions, figures, checks, features, card and the data of the charts.
    left_out: how many older ones there are.
    """
    from training.tracking import versions

    found = versions(workspace)
    wanted = _wanted(found, _released(workspace))
    told = []
    for done, one in enumerate(wanted, start=1):
        told.append(_version(one))
        progress(_STAGE, done, len(wanted))
    return {"versions": told, "left_out": len(found) - len(wanted)}


def _wanted(found: Iterable[Version], released: set[tuple[str, str]]) -> list[Version]:
    seen: dict[str, int] = defaultdict(int)
    wanted = []
    for one in found:  # newest first
        seen[one.name] += 1
        released_too = (one.name, one.tracked.version) in released
        if seen[one.name] <= _MOST or one.aliases or released_too:
            wanted.append(one)
    return wanted


def _released(workspace: Workspace) -> set[tuple[str, str]]:
    """Name and version of the models in releases."""
    from models.manifest import MANIFEST, Manifest, ManifestError

    found = set()
    for path in workspace.releases.glob(f"[!.]*/{MANIFEST}"):
        try:
            manifest = Manifest.from_json(path.read_text(encoding="utf-8"))
        except (ManifestError, OSError, UnicodeDecodeError):
            continue  # the page tells of it where it lists the releases
        found |= {(name, tracked.version) for name, tracked in manifest.models.items()}
    return found


def _version(one: Version) -> dict[str, Any]:
    from console.models import measured_of
    from training.tracking import PROMOTIONS
    from training.trained import CARD

    facts = dict(one.tags)
    promotions = facts.pop(PROMOTIONS, "").splitlines()
    measured = measured_of(one)
    card = one.artifacts / CARD
    told: dict[str, Any] = _finite(
        {
            "name": one.name,
            "version": one.tracked.version,
            "run_id": one.tracked.run_id,
            "aliases": list(one.aliases),
            "created_at": one.created_at.isoformat(),
            "facts": facts,
            "promotions": promotions,
            "figures": measured.get("figures", []),
            "checks": measured.get("checks", []),
            "features": _features(one.artifacts / one.name),
            "card": card.read_text(encoding="utf-8") if card.exists() else "",
            "charts": _read(one.artifacts / "charts.json"),
        }
    )
    return told


def _features(folder: Path) -> list[str]:
    """Names of what the model reads, each once."""
    config = _read(folder / "artifact.json").get("config", {})
    return list(dict.fromkeys(_named(config)))


def _named(config: object) -> Iterator[str]:
    if not isinstance(config, Mapping):
        return
    for key, value in config.items():
        if isinstance(value, list):
            if key in _NAMES or key == "":
                yield from (name for name in value if isinstance(name, str))
        elif key in _NAMES and isinstance(value, Mapping):
            yield from (name for part in value.values() for name in part if isinstance(name, str))
        else:
            yield from _named(value)


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is no file."""
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _finite(value: Any) -> Any:
    """``value`` with null for what is no finite number: JSON has no other word for it."""
    match value:
        case dict():
            return {key: _finite(one) for key, one in value.items()}
        case list():
            return [_finite(one) for one in value]
        case float() if not isfinite(value):
            return None
    return value
