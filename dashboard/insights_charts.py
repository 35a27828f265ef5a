"""The charts of the analyses of all members, from their documents, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from dashboard.charts.figure import Frame, Words, figure
from dashboard.charts.flow import Flow, flow_figure
from dashboard.charts.heat import Cell, Heat, heat_figure
from dashboard.insights_words import STAGES, TIERS, day, named, why
from dashboard.numbers import told
from training.charts import Chart, Series

Document = Mapping[str, Any]
_JOINED = "joined"


def lifecycle_figures(document: Document, words: Words) -> list[Markup]:
    """Flow between stages, and the share of each at every moment."""
    names = named(STAGES, words)
    flow = Flow(words("Lifecycle flow"), _moments(document), names, _moves(document["flows"]))
    says = words(
        "Members by stage at the end of each month, and who moved from which to which; the table "
        "has every month."
    )
    where = words("Share of the members in each stage, at the end of each month.")
    title = words("Members by stage")
    return [
        flow_figure(flow, Frame(flow.title, says, "lifecycle-flow", words)),
        heat_figure(_standing(document, names, title, words),
                    Frame(title, where, "lifecycle-stages", words)),
    ]  # fmt: skip


def tier_figures(document: Document, words: Words) -> list[Markup]:
    """From which tier to which, over the whole span, and members by tier."""
    names = named(TIERS, words)
    overall = document["overall"]
    pairs = {(one["from"], one["to"]): one for one in overall["moves"]}
    was = [name for name in (*document["tiers"], _JOINED) if any(w == name for w, _ in pairs)]
    cells = [[_moved(pairs.get((w, now))) for now in document["tiers"]] for w in was]
    title = words("Movement between value tiers")
    heat = Heat(
        title, words("was in"), [names[w] for w in was], [names[n] for n in document["tiers"]],
        cells,
    )  # fmt: skip
    says = words(
        "Of the members who were in a tier (rows) at the beginning, the share in each tier "
        "(columns) at the end."
    )
    span = f"{says} {day(overall['begins'])} – {day(overall['ends'])}"
    share = words("Members by value tier")
    where = words("Share of the members in each tier, at the end of each month.")
    return [
        heat_figure(heat, Frame(title, span, "tier-movement", words)),
        heat_figure(_standing(document, names, share, words),
                    Frame(share, where, "tiers", words)),
    ]  # fmt: skip


def repeat_figure(document: Document, words: Words) -> Markup:
    """The curves of the second to fourth purchase."""
    names = {
        2: words("second purchase"), 3: words("third purchase"), 4: words("fourth purchase"),
    }  # fmt: skip
    series = [
        Series(
            names[curve["purchase"]],
            [one["day"] for one in curve["points"]],
            [one["value"] for one in curve["points"]],
            "line",
            ends=[(one["low"], one["high"]) for one in curve["points"]],
        )
        for curve in document["curves"]
        if curve["points"]
    ]
    if not series:
        return Markup("")
    chart = Chart(
        words("Buying again"), words("days since the first purchase"),
        words("share of the members"), tuple(series),
    )  # fmt: skip
    says = words(
        "The share of members who have bought again by so many days after their first purchase, "
        "with its interval; members who could not be watched so long count as long as they "
        "were (Kaplan and Meier)."
    )
    return figure(chart, "buying-again", says, "share", words)


def second_figure(cohorts: Sequence[Document], words: Words, name: str) -> Markup:
    """By cohort and day, the share with a second purchase."""
    return _by_cohort(
        cohorts, "second", words, name, words("Second purchase by cohort"),
        words("Share of those who bought with a second purchase within so many days of the first."),
    )  # fmt: skip


def conversion_figure(cohorts: Sequence[Document], words: Words) -> Markup:
    """By cohort and day, the share with a first purchase."""
    return _by_cohort(
        cohorts, "conversion", words, "conversion", words("First purchase by cohort"),
        words("Share of those who joined with a purchase within so many days."),
    )  # fmt: skip


def pushes_figure(document: Document, words: Words) -> Markup:
    """Margin and cost per member of each push beyond the members held out."""
    series = []
    for field, name in (("margin", words("margin")), ("cost", words("cost"))):
        known = [one for one in document["shown"] if "value" in one.get(field, {})]
        series.append(
            Series(
                name,
                [one["push_id"] for one in known],
                [one[field]["value"] for one in known],
                "points",
                ends=[_ends(one[field]) for one in known],
                labels=[told(one[field]["value"], "money", signed=True) for one in known],
            )
        )
    if not any(len(one.x) for one in series):
        return Markup("")
    chart = Chart(
        words("What each push added"), words("push"), words("money per member assigned"),
        tuple(series),
    )  # fmt: skip
    says = words(
        "Margin and cost per member beyond members held out by chance, with the interval; "
        "the last push first."
    )
    return figure(chart, "pushes", says, "money", words)


def _by_cohort(
    cohorts: Sequence[Document], field: str, words: Words, name: str, title: str, says: str
) -> Markup:
    if not cohorts:
        return Markup("")
    days = list(cohorts[0][field])
    cells = [[_cell(one[field][day], words) for day in days] for one in cohorts]
    across = [words("%(days)s days") % {"days": day} for day in days]
    heat = Heat(title, words("month"), [one["month"] for one in cohorts], across, cells)
    return heat_figure(heat, Frame(title, says, name, words))


def _cell(one: Document, words: Words) -> Cell:
    if "told" in one:
        return Cell(None, note=why(one, words))
    return Cell(one["value"], one["low"], one["high"], one["members"])


def _moved(one: Document | None) -> Cell:
    return Cell(0.0, members=0) if one is None else Cell(one["share"], members=one["members"])


def _standing(document: Document, names: Mapping[str, str], title: str, words: Words) -> Heat:
    groups = document["stages"] if "stages" in document else document["tiers"]
    standing = document["standing"]
    cells = [
        [Cell(one["of"][name]["share"], members=one["of"][name]["members"]) for name in groups]
        for one in standing
    ]
    down = [day(one["at"]) for one in standing]
    return Heat(title, words("day"), down, [names[name] for name in groups], cells)


def _moments(document: Document) -> list[str]:
    return [day(one["at"]) for one in document["standing"]]


def _moves(flows: Sequence[Document]) -> list[dict[tuple[str, str], int]]:
    return [{(one["from"], one["to"]): one["members"] for one in flow["moves"]} for flow in flows]


def _ends(estimate: Document) -> tuple[float, float] | None:
    low, high = estimate.get("low"), estimate.get("high")
    return None if low is None or high is None else (low, high)
