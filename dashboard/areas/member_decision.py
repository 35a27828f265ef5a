"""Why a member got this offer: the explanation of one decision, as charts and tables need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dashboard.charts.figure import figure
from dashboard.web.language import Language, noted
from decisions.explanation import STAGES
from serving.explain_schemas import AttributionTold, Explained, OptionTold
from serving.explanation_words import knows, why
from serving.feature_words import phrase
from training.charts import Chart, Series

# What becomes of an option at each stage.
_STAGES = {
    "eligible": noted("may not have it"), "applicable": noted("makes no sense now"),
    "suitable": noted("does not suit"), "affordable": noted("fits into no limit any more"),
    "measured": noted("chance or the holdout decided"), "worthwhile": noted("is not worth it"),
    "best": noted("another one leaves more"), "sent": noted("sent"),
}  # fmt: skip
_CHARGES = {
    "budget": noted("price of the budget"), "min_return": noted("price of the least return"),
    "offer": noted("price of the offer"), "channel": noted("price of the channel"),
    "member": noted("price of a contact"),
}  # fmt: skip
_COSTS = (
    ("coupon", noted("coupon")), ("redemption", noted("redemption")),
    ("contact", noted("message")), ("unsubscribing", noted("risk of unsubscribing")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stage:
    """How many options left at a stage, and which."""

    text: str
    options: Sequence[OptionTold]


def stages(told: Explained, language: Language) -> Sequence[Stage]:
    """The candidates by where they dropped out, first to leave first."""
    found = []
    for name in STAGES:
        mine = [one for one in told.options if one.left_at == name]
        if mine:
            found.append(Stage(language.words(_STAGES[name]), mine))
    return found


def reasons(told: Explained, language: Language) -> Mapping[str, str]:
    """The reasons of the options, in words, by their codes."""
    codes = {one.reason for one in told.options if one.reason is not None}
    return {code: why(code, language.words) for code in codes if knows(code)}


def shown_option(told: Explained) -> OptionTold | None:
    """The option whose gain the page takes apart: the one sent, else the one that left most."""
    weighed = [one for one in told.options if one.parts is not None]
    sent = [one for one in weighed if one.left_at == "sent"]
    if sent:
        return sent[0]
    return max(weighed, key=lambda one: one.surplus or 0.0, default=None)


def parts_chart(one: OptionTold, unit: str, language: Language) -> Markup:
    """What the gain of an option is made of, and what the limits' prices take off it."""
    words, parts, charges = language.words, one.parts, one.charges
    if parts is None or charges is None:
        return Markup("")
    rows = [(words("extra conversions × worth"), parts.earned)]
    if unit == "money":
        rows += [(words(name), -getattr(parts, field)) for field, name in _COSTS]
    rows.append((words("gain"), parts.gain))
    charged = [(words(name), -getattr(charges, field)) for field, name in _CHARGES.items()]
    charged = [(name, value) for name, value in charged if value]
    rows += charged
    if charged:
        rows.append((words("left after the prices"), parts.gain + sum(v for _, v in charged)))
    axis = words("money") if unit == "money" else words("conversions")
    chart = Chart(
        words("Parts of the gain"), words("part"), axis,
        (Series(one.offer_id, [name for name, _ in rows], [value for _, value in rows], "bars"),),
    )  # fmt: skip
    says = words(
        "What sending %(offer)s by %(channel)s is expected to bring and to cost.",
        offer=one.offer_id, channel=one.channel,
    )  # fmt: skip
    return figure(chart, "gain", says, "money" if unit == "money" else "number", words)


def reasons_chart(told: AttributionTold, what: str, language: Language) -> Markup:
    """What the member's features add to an estimate, in percentage points (SHAP values).

    Args:
        what: the estimate, such as "the effect".
    """
    words = language.words
    rows = [(words("all members"), told.base)]
    rows += [(phrase(one.feature, one.value, words), one.part) for one in told.features]
    if told.rest:
        rows.append((words("everything else"), told.rest))
    rows.append((words("the estimate"), told.estimate))
    title = words("What makes %(what)s", what=words(what))
    chart = Chart(
        title, words("reason"), words("percentage points"),
        (Series(words(what), _apart(rows), [value for _, value in rows], "bars"),),
    )  # fmt: skip
    says = words("Each bar is what one thing known of the member adds or takes off.")
    return figure(chart, "reasons", says, "points", words)


def _apart(rows: Sequence[tuple[str, float]]) -> list[str]:
    """The names, told apart where two are the same: a chart has one place a name."""
    seen: dict[str, int] = {}
    found = []
    for name, _ in rows:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found
