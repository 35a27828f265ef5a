"""Plan a push: sliders over the frontier of a ready plan, and the job that plans for real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from pydantic import ValidationError
from starlette.responses import Response
from starlette.routing import Route

from dashboard.areas.pushes_curve import Curve, curve_chart
from dashboard.charts.figure import figure
from dashboard.web.errors import NotFound
from dashboard.web.language import noted
from dashboard.web.routing import change, look
from dashboard.web.visit import Visit
from decisions.catalogue import Push
from serving.audience_folder import AudienceFolder
from serving.audiences import Audience
from serving.errors import AudienceGone, InvalidRule
from serving.parts import Parts
from serving.routes.audiences import ask_for_audience
from serving.schemas import AudienceAsked

_FIELDS = ("budget", "max_audience", "min_audience", "rule")


@dataclass(frozen=True, slots=True)
class Ready:
    """A finished plan of the release in use with its frontier."""

    audience: Audience
    curve: Curve


def planner(visit: Visit) -> Response:
    """The sliders; asked for by the page's script, the place that they stand at alone."""
    parts, push = visit.parts, _push(visit)
    ready = ready_plan(parts, push)
    if ready is None:
        return _page(visit, push, None, {}, {})
    budget, size = _number(visit.query("budget")), _number(visit.query("size"))
    return _page(visit, push, ready, {"budget": budget, "size": size}, {})


def start(visit: Visit) -> Response:
    """Ask for the audience, as ``POST /v1/audiences`` does."""
    parts, push = visit.parts, _push(visit)
    given = {name: visit.form.get(name, "").strip() for name in _FIELDS}
    wanted: dict[str, Any] = {name: text for name, text in given.items() if text}
    if visit.form.get("whole") == "yes":
        wanted["max_audience"] = _everybody(parts)
    try:
        asked = AudienceAsked.model_validate({"push_id": push.push_id, **wanted}, strict=False)
        if _crossed(asked, push):
            told = visit.words("more members than there may be at most")
            return _refused(visit, push, given, {"min_audience": told})
        job = ask_for_audience(asked, parts, Response())
    except ValidationError as error:
        return _refused(visit, push, given, _faults(visit, error))
    except InvalidRule:
        told = visit.words("The rule does not parse, or names what the release does not know.")
        return _refused(visit, push, given, {"rule": told})
    return visit.to(f"/pushes/plans/{job.audience_id}")


def ready_plan(parts: Parts, push: Push) -> Ready | None:
    """The plan whose frontier reaches furthest, of the newest ones of the release in use."""
    release = parts.decider.release.versions.release
    everybody = _everybody(parts)
    found: Ready | None = None
    for one in parts.audiences.of_push(push.push_id):
        if one.state != "done" or one.release != release:
            continue
        limit = one.wanted.max_audience
        limit = push.max_audience if limit is None else limit
        whole = limit is None or limit >= everybody
        if found is not None and not whole:
            continue
        try:
            folder = AudienceFolder.open(parts.audience_files / one.audience_id)
            curve = Curve.of(folder.frontier())
        except AudienceGone:
            continue
        found = Ready(one, curve)
        if whole:
            break
    return found


def _page(
    visit: Visit,
    push: Push,
    ready: Ready | None,
    at: Mapping[str, float | None],
    errors: Mapping[str, str],
    given: Mapping[str, str] | None = None,
) -> Response:
    values: dict[str, Any] = {
        "push": push,
        "here": f"/pushes/{quote(push.push_id)}",
        "errors": errors,
        "given": given or dict.fromkeys(_FIELDS, ""),
        "everybody": _everybody(visit.parts),
        "ready": ready,
    }
    if ready is not None:
        values |= _standing(visit, push, ready, at)
    template = "pushes/place.html" if visit.partial and ready else "pushes/plan.html"
    return visit.page(template, 422 if errors else 200, **values)


def _standing(
    visit: Visit, push: Push, ready: Ready, at: Mapping[str, float | None]
) -> dict[str, Any]:
    """Where the sliders stand, the numbers there, and the chart with the mark."""
    budget = at.get("budget")
    size = at.get("size")
    first = budget is None and size is None
    money, members = ready.curve.sliders(
        push.budget if first else budget, push.max_audience if first else size
    )
    here = ready.curve.at(None if money is None else money.value, members.value)
    words = visit.words
    chart = curve_chart(ready.curve, here, words, words("your choice"), push.objective)
    drawn = figure(
        chart, "frontier", words("The best that can be done with every budget; the marks are the "
        "places to look at first."), "money", words,
    )  # fmt: skip
    return {"money": money, "members": members, "place": here, "curve": ready.curve, "chart": drawn}


def drawn_frontier(visit: Visit, curve: Curve, summary: Mapping[str, Any]) -> Markup:
    """The frontier of a plan with the plan's own place on it."""
    from dashboard.areas.pushes_curve import Place

    interval = summary["interval"]
    here = Place(
        0.0, summary["audience"], summary["expected_cost"], summary["expected_gain"],
        summary["calibrated_gain"], None if interval is None else (interval[0], interval[1]), 0.0,
    )  # fmt: skip
    words = visit.words
    chart = curve_chart(curve, here, words, words("this plan"), summary["objective"])
    return figure(
        chart, "frontier", words("What more or less money would bring, its other limits kept."),
        "money", words,
    )  # fmt: skip


def _push(visit: Visit) -> Push:
    push_id, release = visit.path("push_id"), visit.parts.decider.release
    if push_id not in release.pushes:
        raise NotFound(
            "the release in use has no such push; one of the catalogue can be planned once a "
            "release was built with it (`pushwise release build --publish`)"
        )
    return release.pushes[push_id]


def _refused(
    visit: Visit, push: Push, given: Mapping[str, str], errors: Mapping[str, str]
) -> Response:
    at = {"budget": _number(given["budget"]), "size": _number(given["max_audience"])}
    return _page(visit, push, ready_plan(visit.parts, push), at, errors, given)


def _crossed(asked: AudienceAsked, push: Push) -> bool:
    """Whether more members are asked for than there may be."""
    least = push.min_audience if asked.min_audience is None else asked.min_audience
    most = push.max_audience if asked.max_audience is None else asked.max_audience
    return least is not None and most is not None and least > most


def _faults(visit: Visit, error: ValidationError) -> Mapping[str, str]:
    told = {
        "budget": visit.words("wanted a number, 0 or more"),
        "max_audience": visit.words("wanted a whole number, 0 or more"),
        "min_audience": visit.words("wanted a whole number, 0 or more"),
        "rule": visit.words("wanted a rule of at most 4,096 characters"),
    }
    names = dict.fromkeys(str(one["loc"][0]) for one in error.errors() if one["loc"])
    return {name: told[name] for name in names if name in told}


def _number(text: str) -> float | None:
    """A number of an address; anything else is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e15 else None


def _everybody(parts: Parts) -> int:
    """Members that the release knows."""
    release: Any = parts.decider.release
    return len(release.snapshot.member_ids)


ROUTES: Sequence[Route] = (
    look("/pushes/{push_id:path}/plan", planner),
    change("/pushes/{push_id:path}/plan", start, says=noted("plan a push")),
)
