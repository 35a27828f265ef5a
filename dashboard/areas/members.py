"""One member: who they are to us, what happened, why, and their rights.

No address names a member: who looks one up sends a form, and addresses hold a handle that this
session alone can read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from markupsafe import Markup
from starlette.responses import Response
from starlette.routing import Route

from dashboard.areas import member_decision as decided
from dashboard.areas import member_profile, member_rights, member_timeline
from dashboard.areas.member_profile import Profile
from dashboard.charts.figure import figure
from dashboard.pages import json_link
from dashboard.web.routing import ask, look
from dashboard.web.visit import Visit
from serving.errors import UnknownDecision
from serving.explanation import CHANCE, EFFECT, explained
from serving.parts import Parts
from serving.release import Release
from serving.replay import remade, replay
from serving.timeline import timeline
from training.charts import Chart, Series


def find(visit: Visit) -> Response:
    """Where a member is looked up."""
    return visit.page("members/find.html", ready=visit.ground.parts is not None, problem="")


def found(visit: Visit) -> Response:
    """From the id in the form to the member's page."""
    member = visit.form.get("member_id", "").strip()
    if not member or len(member) > 256:
        problem = visit.words("A member's id has 1 to 256 characters.")
        return visit.page("members/find.html", 422, ready=True, problem=problem)
    return visit.to(f"/members/{visit.handle(member)}")


def member(visit: Visit) -> Response:
    """Profile and timeline of a member, or that nothing is known of them."""
    return one_member(visit, visit.member())


def one_member(visit: Visit, member_id: str, status: int = 200, problem: str = "") -> Response:
    """The page of a member. problem: with the form to erase them."""
    parts = visit.parts
    release = _release(parts)
    if parts.log.erased([member_id]):
        return visit.page("members/unknown.html", 404, member_id=member_id, erased=True)
    after = member_timeline.place(visit.query("after"), visit)
    happened = timeline(parts.log, member_id, after, member_timeline.AT_ONCE)
    known = member_profile.profile(parts, release, member_id, visit.now, visit.words)
    if not known.known and not happened.entries and not happened.events and after is None:
        return visit.page("members/unknown.html", 404, member_id=member_id, erased=False)
    return visit.page(
        "members/member.html", status,
        member_id=member_id, handle=visit.handle(member_id), known=known, release=release.versions,
        lifecycles=member_profile.LIFECYCLES, tiers=member_profile.TIERS,
        affinities=_affinities(known, visit), happened=happened,
        lines=member_timeline.lines(happened, visit),
        events=member_timeline.events(happened, visit),
        following=member_timeline.following(happened, visit), newest=after is None,
        problem=problem,
    )  # fmt: skip


def why(visit: Visit) -> Response:
    """Why this offer: one decision about the member, explained."""
    member_id, decision_id = visit.member(), visit.path("decision_id")
    parts = visit.parts
    made = remade(parts.log, parts.archive, parts.decider, decision_id)
    if made.row.member_id != member_id:
        raise UnknownDecision
    replayed = replay(parts.log, parts.decider, made)
    told = explained(made, replayed, visit.words)
    option, language = decided.shown_option(told), visit.language
    charts = [] if option is None else [decided.parts_chart(option, told.unit, language)]
    charts += [
        decided.reasons_chart(one, what, language)
        for one, what in ((told.effect, EFFECT), (told.chance_without, CHANCE))
        if one is not None and one.features  # else it is alike for all members
    ]
    return visit.page(
        "members/why.html", why=told, handle=visit.handle(member_id), member_id=member_id,
        stages=decided.stages(told, language), reasons=decided.reasons(told, language),
        charts=charts, differs=replayed.differs,
        document=json_link(told.model_dump(mode="json")),
    )  # fmt: skip


def _affinities(known: Profile, visit: Visit) -> Markup:
    if not known.affinities:
        return Markup("")
    words = visit.words
    bars = Series(
        words("interest"), [one.category for one in known.affinities],
        [one.interest for one in known.affinities], "bars",
    )  # fmt: skip
    chart = Chart(words("Interest by category"), words("category"), words("interest"), (bars,))
    says = words("What was viewed, put into the cart and bought, the newer the more.")
    return figure(chart, "interests", says, "number", words)


def _release(parts: Parts) -> Release:
    # A decider's release is known by what answers calls need; what is served is always a whole one.
    return cast("Release", parts.decider.release)


ROUTES: Sequence[Route] = (
    look("/members", find),
    ask("/members", found),
    *member_rights.FIRST,
    look("/members/{handle}", member),
    look("/members/{handle}/decisions/{decision_id}", why),
    *member_rights.routes(one_member),
)
