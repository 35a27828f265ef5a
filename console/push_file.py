"""A push in a file: the contract's columns in TOML, its own offers under ``[[offers]]``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from decisions.catalogue import Offer, Push
from decisions.errors import DecisionError
from decisions.records import CatalogueError
from decisions.rules import parse


@dataclass(frozen=True, slots=True)
class PushFile:
    push: Push
    offers: tuple[Offer, ...]


def read_push(path: Path) -> PushFile:
    """Read a push and the offers described beside it; others it names are in the offers table.

    Raises:
        CatalogueError: the file is missing, no TOML, or does not describe a push; or a rule in it
            does not parse.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogueError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path}: not TOML ({error})") from error
    described = content.pop("offers", [])
    if not isinstance(described, list) or not all(isinstance(one, dict) for one in described):
        raise CatalogueError(
            f"{path}: offers are described as tables under [[offers]]; their ids go into offer_ids"
        )
    try:
        offers = tuple(Offer.from_json(offer) for offer in described)
        push = Push.from_json(content)
        for rule in (push.eligibility, *(offer.eligibility for offer in offers)):
            if rule:  # whether its features exist only a release can tell
                parse(rule)
    except DecisionError as error:
        raise CatalogueError(f"{path}: {error}") from error
    return PushFile(push, offers)
