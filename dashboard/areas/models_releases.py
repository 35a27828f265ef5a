"""Releases: which there are, which serves, what differs between them; publish and roll back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from starlette.responses import Response

from dashboard.areas.models_read import registry
from dashboard.areas.models_words import MODELS, said
from dashboard.web.errors import BadForm, PageError
from dashboard.web.language import noted
from dashboard.web.routing import change, look
from dashboard.web.visit import Visit
from models.errors import ModelError
from models.keys import PUBLIC, trusted_keys
from models.manifest import MANIFEST, Manifest
from serving.errors import NoPublishing, ReleaseRefused, UnknownRelease
from serving.pointer import Listed
from serving.publishing import Publishing
from serving.watch import Published

_SHOWN = 30
_MOST_COMPARED = 4


@dataclass(frozen=True, slots=True)
class Releases:
    """shown: newest first. ages: by id, days since the moment whose knowledge it shows. older: how
    many more there are. history: ids as they were published,
    newest first. answering: what the scorer of this dashboard answers with; empty without one.
    refusal: why it is not the published one."""

    shown: Sequence[Listed]
    ages: Mapping[str, float | None]
    older: int
    history: Sequence[str]
    answering: str
    refusal: str

    @property
    def current(self) -> str:
        return self.history[0] if self.history else ""


@dataclass(frozen=True, slots=True)
class Side:
    """One release in a comparison. models: name to version. files: path to digest."""

    release: Listed
    models: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


class NotPublishedError(PageError):
    """A release that may not be published, or no earlier one to go back to; says why."""

    status = 409


def listed(visit: Visit) -> Releases:
    """Raises ``ReleaseRefused``: the pointer does not read."""
    publishing = _reading(visit)
    found = publishing.listed()[::-1]
    answering, refusal = _answering(visit)
    history = publishing.published()[::-1]
    shown = found[:_SHOWN]
    ages = {one.release_id: _age_days(visit, one.as_of) for one in shown}
    return Releases(shown, ages, len(found) - len(shown), history, answering, refusal)


def publish(visit: Visit) -> Response:
    release_id = visit.path("release_id")
    try:
        done = _publishing(visit).publish(release_id)
    except ReleaseRefused as error:
        raise _told(visit, error) from error
    return visit.to("/models", visit.words("Published %(release)s.", release=done))


def rollback(visit: Visit) -> Response:
    try:
        done = _publishing(visit).rollback()
    except ReleaseRefused as error:
        raise _told(visit, error) from error
    return visit.to("/models", visit.words("Went back to %(release)s.", release=done))


def compare(visit: Visit) -> Response:
    """What differs between two releases or more: moment, models, files."""
    asked = list(dict.fromkeys(visit.request.query_params.getlist("release")))
    if not 2 <= len(asked) <= _MOST_COMPARED:
        raise BadForm(f"choose 2 to {_MOST_COMPARED} releases to compare")
    by_id = {one.release_id: one for one in _reading(visit).listed()}
    for one in asked:
        if one not in by_id:
            raise UnknownRelease
    sides = [_side(visit, by_id[one]) for one in asked]
    names = sorted({name for side in sides for name in side.models})
    files = sorted({path for side in sides for path in side.files})
    changed = [path for path in files if len({side.files.get(path) for side in sides}) > 1]
    found = registry(visit)
    rows = [
        (
            said(visit, MODELS, name),
            [(name, side.models.get(name, "")) for side in sides],
            len({side.models.get(name) for side in sides}) > 1,
        )
        for name in names
    ]
    return visit.page(
        "models/releases.html", sides=sides, rows=rows, changed=changed, same=len(files),
        known=found.known, answering=_answering(visit)[0],
    )  # fmt: skip


def _age_days(visit: Visit, moment: str) -> float | None:
    """From a moment, ISO 8601, to now; None where it does not read."""
    try:
        return (visit.now - datetime.fromisoformat(moment)).total_seconds() / 86_400
    except ValueError:
        return None


def _side(visit: Visit, one: Listed) -> Side:
    path = visit.ground.workspace.releases / one.release_id / MANIFEST
    try:
        manifest = Manifest.from_json(path.read_text(encoding="utf-8"))
    except (ModelError, OSError, UnicodeDecodeError):
        return Side(one)
    models = {name: tracked.version for name, tracked in manifest.models.items()}
    return Side(one, models, {name: entry.sha256 for name, entry in manifest.files.items()})


def _reading(visit: Visit) -> Publishing:
    """To list what is there, whatever this dashboard's scorer serves."""
    return Publishing(visit.ground.workspace.releases, {})


def _publishing(visit: Visit) -> Publishing:
    """The scorer's; before the first release is published, the workspace's.

    Raises:
        NoPublishing: one folder is served and nothing else, or nobody has signed anything here.
    """
    parts = visit.ground.parts
    if parts is not None:
        if parts.publishing is None:
            raise NoPublishing
        return parts.publishing
    workspace = visit.ground.workspace
    try:
        return Publishing(workspace.releases, trusted_keys(workspace.keys / PUBLIC))
    except ModelError as error:
        raise NotPublishedError(_within(visit, str(error))) from error


def _told(visit: Visit, error: ReleaseRefused) -> NotPublishedError:
    """The refusal with its reason: a publisher has to know it to mend it."""
    why = str(error.__cause__) if error.__cause__ is not None else str(error)
    return NotPublishedError(_within(visit, why))


def _within(visit: Visit, text: str) -> str:
    """``text`` without where the workspace lies: that is nobody's business out there."""
    return text.replace(f"{visit.ground.workspace.root}", "the workspace")


def _answering(visit: Visit) -> tuple[str, str]:
    parts = visit.ground.parts
    if parts is None:
        return "", ""
    refusal = parts.decider.refusal if isinstance(parts.decider, Published) else ""
    return parts.decider.release.versions.release, _within(visit, refusal)


ROUTES = (
    look("/models/releases", compare),
    change(
        "/models/releases/{release_id}/publish",
        publish,
        "publisher",
        says=noted("publish a release"),
    ),
    change(
        "/models/rollback", rollback, "publisher", says=noted("roll back to an earlier release")
    ),
)
