"""Hand-written rules: whom one picks, and what past random sends say that it earns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast, get_args

from markupsafe import Markup
from starlette.responses import Response
from starlette.routing import Route

from dashboard.areas import rule_audience, rule_language
from dashboard.areas.rule_audience import Audience
from dashboard.charts.figure import figure
from dashboard.pages import json_link
from dashboard.rule_charts import DIFFERENCES, GROUPS, verdict_chart
from dashboard.web.errors import BadForm
from dashboard.web.language import noted
from dashboard.web.routing import ask, look
from dashboard.web.visit import Visit
from decisions.rules import RuleError
from experiments.panel import CannotSay
from experiments.trial import Objective
from serving.court import Audit, Court, Pool, Question
from serving.release import Release

POOLS = {
    "offer": noted("this offer alone"),
    "scope": noted("any past offer about the same things"),
    "all": noted("any past offer"),
}
OBJECTIVES = {"margin": noted("money"), "conversions": noted("conversions")}


@dataclass(frozen=True, slots=True)
class Wrong:
    """A rule that does not hold. Around the place where it stops making sense: what stands before
    it, at it and behind it; ``at`` counts characters from 1, 0 where there is no place."""

    message: str
    at: int = 0
    before: str = ""
    here: str = ""
    behind: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """What is said of a rule. audit: None where the release has no evidence, or no offer was
    asked about."""

    question: Question
    wrong: Wrong | None
    audience: Audience | None
    audit: Audit | None


def page(visit: Visit) -> Response:
    """The form, with nothing asked yet."""
    if visit.ground.parts is None:
        return visit.page("rules/empty.html")
    return _shown(visit, None)


def answer(visit: Visit) -> Response:
    """A rule's audience, and the court's verdict over it."""
    release = _release(visit)
    question = _question(visit, release.court)
    return _shown(visit, _answered(visit, release, question))


def features(visit: Visit) -> Response:
    """The features that a rule may name, those that fit what is looked for."""
    find = visit.query("find")[:100]
    found = rule_language.features(_release(visit).encoding, find)
    template = "rules/features_piece.html" if visit.partial else "rules/features.html"
    return visit.page(template, features=found, find=find)


def _question(visit: Visit, court: Court | None) -> Question:
    """What the form asks. Raises ``BadForm``."""
    rule = visit.form.get("rule", "").strip()
    pool, objective = visit.form.get("pool", "all"), visit.form.get("objective", "margin")
    if not rule:
        raise BadForm("the rule is empty; wanted a sentence over features")
    if pool not in get_args(Pool) or objective not in get_args(Objective):
        raise BadForm(f"pool is {pool!r} and objective {objective!r}, wanted one of the form's")
    offer = visit.form.get("offer_id", "") or None
    if offer is None and pool != "all" and court is not None:
        pool = "all"
    return Question(
        rule, offer, cast("Pool", pool), bool(visit.form.get("in_scope")),
        cast("Objective", objective),
    )  # fmt: skip


def _answered(visit: Visit, release: Release, question: Question) -> Answered:
    try:
        audience = rule_audience.audience(question.rule, release.snapshot)
        audit = release.court.audit(question, visit.words) if release.court else None
    except RuleError as error:
        return Answered(question, _wrong(str(error), question.rule), None, None)
    return Answered(question, None, audience, audit)


def _wrong(message: str, rule: str) -> Wrong:
    at = rule_audience.wrong_at(message, rule)
    if at is None:
        return Wrong(message)
    end = at + 1
    while end < len(rule) and (rule[end].isalnum() or rule[end] in "_`"):
        end += 1
    return Wrong(
        rule_audience.without_place(message), at + 1, rule[:at], rule[at:end] or "␣", rule[end:]
    )


def _shown(visit: Visit, told: Answered | None) -> Response:
    release = _release(visit)
    template = "rules/answer.html" if visit.partial and told is not None else "rules/rules.html"
    return visit.page(
        template,
        answered=told, release=release.versions, pools=POOLS, objectives=OBJECTIVES,
        offers=_offers(release), has_court=release.court is not None,
        examples=rule_language.examples(release.encoding),
        spreads=_spreads(told, visit), picture=_picture(told, visit), rows=_rows(told),
        differences=_differences(told),
        documents={} if told is None else _documents(told),
    )  # fmt: skip


def _offers(release: Release) -> Sequence[str]:
    """Those that the evidence is about first, then the others of the release."""
    past = () if release.court is None else release.court.evidence.offers
    return list(dict.fromkeys((*sorted(one.offer_id for one in past), *sorted(release.offers))))


def _spreads(told: Answered | None, visit: Visit) -> Sequence[Markup]:
    if told is None or told.audience is None:
        return ()
    return [rule_audience.spread_chart(one, visit.language) for one in told.audience.spreads]


def _picture(told: Answered | None, visit: Visit) -> Markup:
    if told is None or told.audit is None or isinstance(told.audit.ruling.answer, CannotSay):
        return Markup("")
    found = told.audit.ruling.answer
    chart = verdict_chart(found, told.question.rule, visit.words)
    says = visit.words("What a push to them changed, beside no send at 0.")
    unit = "money" if found.objective == "margin" else "number"
    return figure(chart, "verdict", says, unit, visit.words)  # type: ignore[arg-type]


def _rows(told: Answered | None) -> Sequence[tuple[str, object]]:
    """The groups that the court compares, by their names."""
    if told is None or told.audit is None or isinstance(told.audit.ruling.answer, CannotSay):
        return ()
    return [(words, getattr(told.audit.ruling.answer, name)) for name, words in GROUPS.items()]


def _differences(told: Answered | None) -> Sequence[tuple[str, object]]:
    if told is None or told.audit is None or isinstance(told.audit.ruling.answer, CannotSay):
        return ()
    found = told.audit.ruling.answer
    return [(words, getattr(found, name)) for name, words in DIFFERENCES.items()]


def _documents(told: Answered) -> dict[str, str]:
    """What was found as data, by the names of the files."""
    found = {"audience.json": told.audience, "verdict.json": told.audit}
    return {name: json_link(one.to_json()) for name, one in found.items() if one is not None}


def _release(visit: Visit) -> Release:
    # A decider's release is known by what answers calls need; what is served is always a whole one.
    return cast("Release", visit.parts.decider.release)


ROUTES: Sequence[Route] = (
    look("/rules", page),
    ask("/rules", answer),
    look("/rules/features", features),
)
