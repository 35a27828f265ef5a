"""Put a push into the catalogue: a new one, or another version of one that has not gone out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from dashboard.areas.pushes_known import asked_push
from dashboard.web.language import noted
from dashboard.web.routing import change, look
from dashboard.web.visit import Visit
from features.contract import PUSHES
from features.rows import RowError, parse_value
from serving.catalogue import Version
from serving.errors import InvalidEntry, PreconditionFailed
from serving.preconditions import Conditions
from serving.routes.catalogue import kept_push

_MOST_LETTERS = 256
_LISTED = 200
# What is wrong with a field, by the code of the row's check; others are told in English.
FAULTS: Mapping[str, str] = {
    "missing_value": noted("wanted: it may not be empty"),
    "bad_time": noted("wanted a day and a time"),
    "naive_time": noted("wanted a day and a time"),
    "bad_money": noted("wanted an amount of money, 0 or more"),
    "bad_number": noted("wanted a number, 0 or more"),
    "bad_share": noted("wanted a share from 0 to 1"),
    "bad_integer": noted("wanted a whole number, 0 or more"),
    "out_of_range": noted("outside what is allowed"),
    "unknown_enum": noted("none of the choices"),
    "no_offers": noted("wanted at least one offer"),
    "unknown_offer": noted("names an offer that neither the catalogue nor the release has"),
    "invalid_rule": noted("The rule does not parse, or names what the release does not know."),
}
_TAKEN = noted("There is a push of this name already; open it to change it.")
_CHANGED = noted("Somebody changed it meanwhile. Below is their version; change it again.")
_BAD_NAME = noted("wanted a name of at most 256 letters that does not begin with - or a space")


def new(visit: Visit) -> Response:
    return _form(visit, "", dict.fromkeys(PUSHES.names, "") | {"objective": "margin"}, {})


def made(visit: Visit) -> Response:
    """Make it, unless the catalogue has one of that name."""
    given = _given(visit)
    errors = _name_fault(visit, given["push_id"]) | _faults(visit, given)
    taken = given["push_id"] in visit.parts.decider.release.pushes
    if taken:
        errors["push_id"] = visit.words(_TAKEN)
    if errors:
        return _form(visit, "", given, errors)
    return _put(visit, "", given, Conditions(if_none_match=True))


def edit(visit: Visit) -> Response:
    push = asked_push(visit)
    given = _shown(push.version) if push.version else _of_push(push.push)
    return _form(visit, push.push_id, given, {}, "" if push.version is None else push.version.etag)


def changed(visit: Visit) -> Response:
    """Make another version, unless somebody made one since the form was shown."""
    push = asked_push(visit)
    given = _given(visit) | {"push_id": push.push_id}
    errors = _faults(visit, given)
    etag = visit.form.get("etag", "")
    if errors:
        return _form(visit, push.push_id, given, errors, etag)
    conditions = Conditions((etag,)) if etag else Conditions(if_none_match=True)
    return _put(visit, push.push_id, given, conditions)


def _put(visit: Visit, push_id: str, given: Mapping[str, str], conditions: Conditions) -> Response:
    row = {name: value for name, value in _row(given).items() if value != ""}
    name = given["push_id"]
    try:
        kept = kept_push(name, row, f"user {visit.user.name}", conditions, visit.parts)
    except InvalidEntry as error:
        errors = {
            one.pointer.split("/")[1] if one.pointer else "": _told(visit, one.code, one.detail)
            for one in error.errors
        }
        return _form(visit, push_id, given, errors, visit.form.get("etag", ""))
    except PreconditionFailed:
        if not push_id:
            return _form(visit, "", given, {"push_id": visit.words(_TAKEN)})
        found = visit.parts.catalogue.find("pushes", push_id)
        shown = given if found is None else _shown(found)
        etag = "" if found is None else found.etag
        return _form(visit, push_id, shown, {"": visit.words(_CHANGED)}, etag)
    said = visit.words("Kept as version %(number)s.", number=kept.version.number)
    return visit.to(f"/pushes/{quote(name)}", said)


def _form(
    visit: Visit, push_id: str, given: Mapping[str, str], errors: Mapping[str, str], etag: str = ""
) -> Response:
    release, catalogue = visit.parts.decider.release, visit.parts.catalogue
    offers = sorted({*release.offers, *(v.entry_id for v in catalogue.page("offers", "", _LISTED))})
    channels = sorted({one.channel for one in release.pushes.values()} | {"push", "email", "sms"})
    return visit.page(
        "pushes/form.html", 422 if errors else 200, push_id=push_id, given=given, errors=errors,
        etag=etag, offers=offers[:_LISTED], more=max(len(offers) - _LISTED, 0), channels=channels,
        action=f"/pushes/{quote(push_id)}/edit" if push_id else "/pushes/catalogue/new",
    )  # fmt: skip


def _given(visit: Visit) -> dict[str, str]:
    return {name: visit.form.get(name, "").strip() for name in PUSHES.names}


def _row(given: Mapping[str, str]) -> dict[str, Any]:
    """As a body of ``PUT /v1/pushes/{id}``: the form's time is UTC, its offers one a line."""
    row: dict[str, Any] = dict(given)
    if given["send_at"]:
        row["send_at"] = _utc(given["send_at"])
    row["offer_ids"] = [line.strip() for line in given["offer_ids"].splitlines() if line.strip()]
    return row


def _utc(text: str) -> str:
    try:
        naive = datetime.fromisoformat(text).tzinfo is None
    except ValueError:
        return text
    return f"{text}+00:00" if naive else text


def _faults(visit: Visit, given: Mapping[str, str]) -> dict[str, str]:
    """One message for each field that does not fit the contract."""
    errors: dict[str, str] = {}
    row = _row(given)
    for column in PUSHES.columns:
        value = row[column.name]
        if value in ("", []):
            if column.required:
                code = "no_offers" if column.kind == "list" else "missing_value"
                errors[column.name] = visit.words(FAULTS[code])
            continue
        try:
            parse_value(column, value)
        except RowError as error:
            errors[column.name] = _told(visit, error.code, str(error))
    return errors


def _name_fault(visit: Visit, name: str) -> dict[str, str]:
    good = 0 < len(name) <= _MOST_LETTERS and not name.startswith("-")
    return {} if good else {"push_id": visit.words(_BAD_NAME)}


def _told(visit: Visit, code: str, detail: str) -> str:
    return visit.words(FAULTS[code]) if code in FAULTS else detail


def _shown(version: Version) -> dict[str, str]:
    """A version as the form shows it."""
    return {name: _text(value) for name, value in version.row.items()}


def _of_push(push: Any) -> dict[str, str]:
    """A push that came in a file: what the contract has of it."""
    return {name: _text(getattr(push, name)) for name in PUSHES.names}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M")
    if isinstance(value, (list, tuple)):
        return "\n".join(value)
    if isinstance(value, str):
        return value
    return f"{float(value):.10g}"


ROUTES: Sequence[Route] = (
    look("/pushes/catalogue/new", new, "editor"),
    change("/pushes/catalogue/new", made, says=noted("add a push to the catalogue")),
    look("/pushes/{push_id:path}/edit", edit, "editor"),
    change("/pushes/{push_id:path}/edit", changed, says=noted("change a push")),
)
