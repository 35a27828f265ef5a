"""A plan's document in the reader's words: who drops out, what limits are worth, what conflicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from dashboard.numbers import Unit, told
from dashboard.web.language import noted
from training.charts import Chart, Series

Document: TypeAlias = Mapping[str, Any]
Words: TypeAlias = Callable[..., str]
STEP = 100  # of a limit: what one more unit earns is told for so many

STAGES: Mapping[str, str] = {
    "asked": noted("members of the release"),
    "eligible": noted("may be sent something"),
    "applicable": noted("and it makes sense now"),
    "suitable": noted("and it is right for them"),
    "sent": noted("get the push"),
}
REASONS: Mapping[str, str] = {
    "sent": noted("get the push"),
    "unknown_member_fallback": noted("not known to the release"),
    "suppressed": noted("must not be contacted"),
    "no_consent": noted("no consent for the channel"),
    "not_valid": noted("no offer is valid then"),
    "other_channel": noted("no offer goes by this channel"),
    "out_of_stock": noted("offers are out of stock"),
    "not_eligible": noted("not allowed by a rule or by the terms of the offers"),
    "duplicate": noted("got the same message already"),
    "frequency_cap": noted("got enough messages lately"),
    "quiet_hours": noted("quiet hours where they live"),
    "not_applicable": noted("makes no sense for them now"),
    "not_suitable": noted("not right for them"),
    "holdout": noted("held out, so that the effect can be measured"),
    "explored": noted("drawn by chance, to get nothing"),
    "no_positive_gain": noted("a push would earn nothing, or cost more than it earns"),
    "budget_spent": noted("others earn more within the limits"),
}
JOB_STAGES: Mapping[str, str] = {
    "waiting": noted("waits for its turn"),
    "loading": noted("loads the release"),
    "deciding": noted("decides for every member"),
    "summing": noted("adds up"),
    "tracing": noted("draws what more or less money brings"),
    "writing": noted("writes the files"),
}
JOB_STATES: Mapping[str, tuple[str, str]] = {
    "queued": ("wait", noted("waits")),
    "running": ("wait", noted("under way")),
    "done": ("good", noted("done")),
    "failed": ("bad", noted("failed")),
    "cancelled": ("bad", noted("cancelled")),
}
EVIDENCE: Mapping[str, str] = {
    "prior": noted("assumed: no randomised sends to learn from yet"),
    "randomised": noted("measured in randomised sends"),
    "modelled": noted("modelled on randomised sends"),
    "observational": noted("estimated from sends that were not randomised"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: what it is, how many, and their share of all."""

    name: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Remedy:
    """One limit of those that conflict. limit: as given; mended: where it would have to stand
    for the others to hold, None where that cannot be told."""

    name: str
    limit: str
    mended: str
    budget: float | None


def reason(words: Words, code: str) -> str:
    return words(REASONS[code]) if code in REASONS else code


def dropped_out(words: Words, funnel: Document) -> Sequence[Row]:
    """What became of the members, most frequent first."""
    members: Mapping[str, int] = funnel["members"]
    whole = sum(members.values()) or 1
    return [Row(reason(words, code), count, count / whole) for code, count in members.items()]


def funnel_chart(words: Words, funnel: Document) -> Chart:
    """How many members are left after each stage."""
    stages = [one for one in funnel["stages"] if one["stage"] in STAGES]
    names = [words(STAGES[one["stage"]]) for one in stages]
    left = [float(one["members"]) for one in stages]
    whole = max(left, default=0.0) or 1.0
    labels = [
        f"{told(count, 'count')} · {told(count / whole, 'share', decimals=1)}" for count in left
    ]
    bars = Series(words("members left"), names, left, "bars", labels=labels)
    return Chart(words("Who is left at each step"), words("step"), words("members"), (bars,))


def prices_in_words(words: Words, summary: Document, limits: Document) -> Sequence[str]:
    """What each limit that binds is worth; the same as ``decisions.words`` says in English."""
    return list(_sentences(words, summary["prices"], summary["objective"], limits))


def _sentences(words: Words, prices: Document, objective: str, limits: Document) -> Iterator[str]:
    def worth(price: float) -> str:
        amount = _amount(price)
        if objective == "conversions":
            return words("%(amount)s conversions", amount=amount)
        return amount

    if prices["budget"] > 0:
        yield words(
            "%(step)s more of budget would earn %(worth)s.",
            step=STEP,
            worth=worth(prices["budget"]),
        )
    if prices["min_return"] > 0:
        yield words(
            "The required return of %(asked)s costs %(worth)s for each %(step)s of gain that it "
            "asks for.",
            asked=f"{limits['min_return']:g}", worth=worth(prices["min_return"]), step=STEP,
        )  # fmt: skip
    counted = [(words("members"), prices["audience"])]
    for kind, found in (
        (noted("contacts with %(name)s"), prices["offers"]),
        (noted("contacts by %(name)s"), prices["channels"]),
        (noted("members where %(name)s"), prices["segments"]),
    ):
        ordered = sorted(found.items(), key=lambda one: -abs(one[1]))
        counted += [(words(kind, name=name), price) for name, price in ordered]
    for what, price in counted:
        if price > 0:
            yield words(
                "%(step)s more %(what)s would earn %(worth)s.",
                step=STEP, what=what, worth=worth(price),
            )  # fmt: skip
        elif price < 0:
            yield words(
                "At least so many is asked for: %(step)s fewer %(what)s would earn %(worth)s.",
                step=STEP, what=what, worth=worth(-price),
            )  # fmt: skip


def remedies(words: Words, failure: Document) -> Sequence[Remedy]:
    """Each limit of those that conflict, and where it would have to stand."""
    return [_remedy(words, one) for one in failure.get("conflicts", ())]


def _remedy(words: Words, conflict: Document) -> Remedy:
    name, floor, short = conflict["name"], conflict["side"] == "floor", conflict["short"]
    unit: Unit = "money" if name in ("budget", "least return") else "count"
    mended = None
    if short is not None:
        mended = conflict["limit"] - short if floor else conflict["limit"] + short
    told_name = {
        "budget": words("the budget"),
        "least return": words("the gain that the least return asks for"),
        "the audience": words("fewest members") if floor else words("most members"),
    }.get(name)
    if told_name is None:
        told_name = words("fewest of %(name)s", name=name) if floor else words(
            "most of %(name)s", name=name
        )  # fmt: skip
    return Remedy(
        told_name,
        told(conflict["limit"], unit),
        told(mended, unit),
        mended if name == "budget" else None,
    )


def verdict(words: Words, measurable: Document) -> tuple[bool, str]:
    """Whether the holdout will show the gain, and why; see ``decisions.measurable``."""
    gain = told(measurable["gain"], "money")
    detectable = told(measurable["detectable"], "money")
    held = told(measurable["held"], "count")
    if measurable["measurable"]:
        return True, words(
            "%(held)s members held out show a gain of %(least)s per member; %(gain)s is expected.",
            held=held, least=detectable, gain=gain,
        )  # fmt: skip
    if not measurable["sent"]:
        return False, words("Nobody is sent anything.")
    if not measurable["held"]:
        return False, words("Nobody is held out; give the push a holdout.")
    if measurable["wanted"] is None:
        return False, words("No gain is expected.")
    return False, words(
        "%(held)s members held out show a gain of %(least)s per member, and %(gain)s is expected; "
        "it would take %(wanted)s members sent, with the same share held out.",
        held=held, least=detectable, gain=gain, wanted=told(measurable["wanted"], "count"),
    )  # fmt: skip


def _amount(price: float) -> str:
    amount = STEP * price
    return f"{amount:,.0f}" if amount >= 10 else f"{amount:.3g}"
