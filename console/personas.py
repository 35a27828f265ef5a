"""``pushwise personas``: named members with the decision expected of each, run as a test."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.plan import published_release, suppressed_members
from console.settings import WORKSPACE, AsJson, WorkspaceOption, load_workspace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from decisions.catalogue import Push
    from decisions.contacts import Contacts
    from decisions.personas import Found, Persona
    from serving.release import Release

app = typer.Typer(
    name="personas",
    no_args_is_help=True,
    help="Named members, and what is to be decided for them.",
)


@dataclass(frozen=True, slots=True)
class Checked:
    """One persona with what was decided. expected: what is not so, in words; empty = passed."""

    persona: Persona
    found: Found
    expected: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        gain = self.found.gain
        return {
            "name": self.persona.name,
            "push_id": self.persona.push,
            "passed": not self.expected,
            "expected": self.expected,
            "send": self.found.offer_id is not None,
            "offer_id": self.found.offer_id,
            "reason": self.found.reason or None,
            "expected_gain": None if math.isnan(gain) else gain,
        }


@app.callback()
def personas() -> None:
    """Named members, and what is to be decided for them."""


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="The personas: a TOML file (docs/personas.md).")],
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Decide for each persona as the published release would; exit 1 unless all are as expected.

    Nobody is held out or drawn at random: a persona asks what is chosen on purpose.
    """
    asked = read_personas(file)
    opened = load_workspace(workspace)
    release = published_release(opened)
    checked = checked_personas(release, asked, suppressed_members(opened))
    failed = sum(bool(one.expected) for one in checked)
    if as_json:
        document = {
            "release": release.versions.release,
            "passed": len(checked) - failed,
            "failed": failed,
            "personas": [one.to_json() for one in checked],
        }
        typer.echo(json.dumps(document))
    else:
        for one in checked:
            wanted = f"expected {', '.join(one.expected)}; found " if one.expected else ""
            verdict = "FAILED" if one.expected else "passed"
            typer.echo(f"{verdict}  {one.persona.name}: {wanted}{one.found}")
        typer.echo(
            f"{len(checked) - failed} of {len(checked)} as expected, release "
            f"{release.versions.release}"
        )
    if failed:
        raise typer.Exit(1)


def read_personas(path: Path) -> tuple[Persona, ...]:
    """Raises ``PersonaError`` when the file is missing, no TOML, or does not describe personas."""
    from decisions.personas import PersonaError, personas_from

    try:
        return personas_from(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise PersonaError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PersonaError(f"{path}: not TOML ({error})") from error
    except PersonaError as error:
        raise PersonaError(f"{path}: {error}") from error


def checked_personas(
    release: Release, asked: Sequence[Persona], suppressed: frozenset[str]
) -> list[Checked]:
    """Each persona's decision at the release's prices, without holdout and exploration.

    Raises:
        PersonaError: the release has no such push, offer, member, feature or category.
    """
    from decisions.personas import PersonaError, check_offers, shortfalls
    from decisions.rule_text import nearest

    for persona in asked:
        if persona.push not in release.pushes:
            raise PersonaError(
                f"persona {persona.name!r} asks about push {persona.push!r}, which release "
                f"{release.versions.release} does not have{nearest(persona.push, release.pushes)}"
            )
        check_offers(persona, release.pushes[persona.push].offer_ids)
    found: dict[str, Found] = {}
    for push_id in dict.fromkeys(persona.push for persona in asked):
        of_push = [persona for persona in asked if persona.push == push_id]
        decided = _found(release, push_id, of_push, suppressed)
        found |= {persona.name: one for persona, one in zip(of_push, decided, strict=True)}
    return [
        Checked(persona, found[persona.name], shortfalls(persona.expected, found[persona.name]))
        for persona in asked
    ]


def _found(
    release: Release, push_id: str, asked: Sequence[Persona], suppressed: frozenset[str]
) -> list[Found]:
    import numpy as np

    from decisions.decide import decide
    from decisions.exploration import NO_SEND
    from decisions.members import Members
    from decisions.personas import Found

    snapshot = release.snapshot
    # A member made up has no id of the release, so that nobody's suppression is theirs.
    ids = tuple(one.member or f"persona {one.name}" for one in asked)
    barred = suppressed & {one.member for one in asked}
    values = np.stack([_row(release, persona) for persona in asked])
    known = np.ones(len(asked), dtype=bool)
    members = Members(ids, values, known, snapshot.encoding, snapshot.as_of)
    push = replace(release.pushes[push_id], holdout=0.0, exploration=0.0)
    ask = release.ask(push, members, barred, _contacts(push, ids, asked))
    ask = replace(ask, policy=replace(ask.policy, global_holdout=0.0))
    decided = decide(ask, release.estimator)
    return [
        Found(
            None if offer == NO_SEND else push.offer_ids[offer],
            reason,
            float("nan") if offer == NO_SEND else float(gain),
        )
        for offer, reason, gain in zip(
            decided.offer.tolist(), decided.reason, decided.expected_gain, strict=True
        )
    ]


def _contacts(push: Push, ids: Sequence[str], asked: Sequence[Persona]) -> Contacts:
    """The contacts of members made up: by the push's channel, each of another push and offer."""
    from decisions.contacts import Contact, Contacts

    sent = int(push.send_at.timestamp())
    past = [
        Contact(member, sent - round(days * 86_400), "", push.channel, f"{number} before")
        for member, persona in zip(ids, asked, strict=True)
        for number, days in enumerate(persona.contacts)
    ]
    return Contacts.of(ids, past)


def _row(release: Release, persona: Persona) -> NDArray[np.float32]:
    import numpy as np

    from decisions.personas import PersonaError, described_row

    snapshot = release.snapshot
    after = persona.member or persona.like
    row = -1 if after is None else int(snapshot.rows([after])[0])
    if after is not None and row < 0:
        raise PersonaError(
            f"persona {persona.name!r} asks for member {after!r}, whom release "
            f"{release.versions.release} does not know"
        )
    base = snapshot.take(np.array([row]))[0]
    try:
        return described_row(persona.features, base, snapshot.encoding, snapshot.as_of)
    except PersonaError as error:
        raise PersonaError(f"persona {persona.name!r} {error}") from error
