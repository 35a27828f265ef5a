"""The pages about pushes: what there is, one of them, and where its other pages begin."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from dashboard.areas import pushes_audience, pushes_form, pushes_plan, pushes_results
from dashboard.areas.pushes_known import (
    MEANINGS,
    SIGNS,
    STATES,
    KnownPush,
    asked_push,
    known_pushes,
)
from dashboard.areas.pushes_told import JOB_STATES
from dashboard.web.routing import look
from dashboard.web.visit import Visit
from serving.audiences import Audiences

_ON_A_PAGE = 25
_MOST_LETTERS = 256


def listed(visit: Visit) -> Response:
    """All pushes, by what is looked for and by state, page by page."""
    found = known_pushes(visit)
    wanted = visit.query("q")[:_MOST_LETTERS].strip()
    state = visit.query("state")
    chosen = [one for one in found if _fits(one, wanted, state)]
    last = max(1, ceil(len(chosen) / _ON_A_PAGE))
    number = visit.query("page", "1")
    page = min(max(int(number) if number.isdecimal() and len(number) < 9 else 1, 1), last)
    shown = chosen[(page - 1) * _ON_A_PAGE : page * _ON_A_PAGE]
    return visit.page(
        "pushes/list.html", pushes=shown, all=len(found), found=len(chosen), q=wanted, state=state,
        page=page, last=last, states=STATES, signs=SIGNS, meanings=MEANINGS,
        released=visit.ground.parts is not None, quote=quote,
    )  # fmt: skip


def shown(visit: Visit) -> Response:
    """One push: what it is, its plans, and what comes next."""
    push = asked_push(visit)
    plans = Audiences(visit.ground.log).of_push(push.push_id)
    release = _release_id(visit)
    drawn = any(one.state == "done" and one.release == release for one in plans)
    return visit.page(
        "pushes/push.html", push=push, states=STATES, signs=SIGNS, meanings=MEANINGS, plans=plans,
        job_states=JOB_STATES, release=release, here=f"/pushes/{quote(push.push_id)}", drawn=drawn,
    )  # fmt: skip


def _fits(push: KnownPush, wanted: str, state: str) -> bool:
    campaign = "" if push.push is None else push.push.campaign_id
    texts = (push.push_id, campaign, push.channel)
    found = any(wanted.lower() in text.lower() for text in texts)
    return found and state in ("", push.state)


def _release_id(visit: Visit) -> str:
    parts: Any = visit.ground.parts
    return "" if parts is None else str(parts.decider.release.versions.release)


ROUTES: Sequence[Route] = (
    look("/pushes", listed),
    *pushes_audience.ROUTES,
    *pushes_plan.ROUTES,
    *pushes_form.ROUTES,
    *pushes_results.ROUTES,
    look("/pushes/{push_id:path}", shown),
)
