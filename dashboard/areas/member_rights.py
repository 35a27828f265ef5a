"""The rights of a member: everything that is held of them as a file, and to be forgotten."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence

from starlette.responses import Response
from starlette.routing import Route

from dashboard.web.language import noted
from dashboard.web.routing import change, look
from dashboard.web.visit import Visit
from serving.rights import exported, forgotten

Shows = Callable[[Visit, str, int, str], Response]


def export(visit: Visit) -> Response:
    """What the API's export tells. It changes nothing; who took it along is written down."""
    held = exported(visit.parts, visit.member())
    # No name of a file tells whose it is: it stands in the browser's list of downloads.
    return visit.file("member.json", held.model_dump_json(indent=1), "application/json")


def erasure(visit: Visit) -> Response:
    """How far an erasure is; it names nobody."""
    told = visit.parts.erasures.find(visit.path("erasure_id"))
    removed = {place: many for place, many in told.removed.items() if place != "left" and many}
    template = "members/erasure_piece.html" if visit.partial else "members/erasure.html"
    return visit.page(template, erasure=told, removed=removed, left=told.removed.get("left", ()))


def routes(shows: Shows) -> Sequence[Route]:
    """The forms on a member's page. shows: that page, with a problem."""

    def erase(visit: Visit) -> Response:
        member = visit.member()
        typed = visit.form.get("confirm", "").strip()
        if not hmac.compare_digest(typed.encode(), member.encode()):
            told = visit.words("Nothing was erased: what you typed is not the member's id.")
            return shows(visit, member, 422, told)
        asked = forgotten(visit.parts, [member], visit.now)
        return visit.to(f"/members/erasures/{asked.erasure_id}")

    return (
        change("/members/{handle}/export", export, "editor", says=noted("export a member's data")),
        change("/members/{handle}/erase", erase, "publisher", says=noted("erase a member")),
    )


# Before the addresses with a handle: an erasure's is longer lived than any session.
FIRST: Sequence[Route] = (look("/members/erasures/{erasure_id}", erasure),)
