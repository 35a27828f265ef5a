"""What monitors, their subjects and reasons are called on pages, and what to do where one alerts:
the runbook's first steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dashboard.web.language import noted


@dataclass(frozen=True, slots=True)
class Advice:
    """The beginning of a page of ``docs/runbook``. feel: what users feel. steps: what to do."""

    feel: str
    steps: Sequence[str]


TITLES: Mapping[str, str] = {
    "freshness": noted("Feeds, features and release are new enough"),
    "feature_drift": noted("Features are spread as in training"),
    "score_drift": noted("Estimates are spread as after the release"),
    "calibration": noted("As many convert as was predicted"),
    "sample_ratio": noted("Experiments split members as set"),
    "unsubscribes": noted("No more members leave than before"),
    "pacing": noted("Pushes spend at the pace of their plan"),
    "volume": noted("As many decisions as usual"),
    "outcome_feed": noted("Sends are followed by outcomes"),
}
SUBJECTS: Mapping[str, Mapping[str, str]] = {
    "freshness": {
        "events": noted("events"), "decisions": noted("decisions made"),
        "outcomes": noted("outcomes"),
        "features": noted("features"), "release": noted("published release"),
    },
    "score_drift": {
        "p_if_sent": noted("chance of buying if sent"),
        "p_if_not": noted("chance of buying if not sent"),
    },
    "calibration": {
        "sent": noted("members who were sent something"),
        "held_out": noted("members held out by chance"),
        "not_chosen": noted("members chosen for nothing"),
    },
    "volume": {
        "last_hour": noted("last full hour"), "last_6_hours": noted("last 6 hours"),
        "last_day": noted("last 24 hours"),
    },
    "outcome_feed": {
        "all": noted("all outcomes"),
        "sent": noted("sends reported"),
        "delivered": noted("deliveries reported"),
        "opened": noted("openings reported"),
        "clicked": noted("clicks reported"),
        "redeemed": noted("redemptions reported"),
        "converted": noted("conversions reported"),
        "unsubscribed": noted("unsubscriptions reported"),
    },
}  # fmt: skip
ALL = noted("all of it")


def subject_words(monitor: str, name: str, words: Callable[[str], str]) -> str:
    """What a monitor's subject is called; a push or a feature has its own name.

    Args:
        words: to the reader's language.
    """
    known = SUBJECTS.get(monitor, {}).get(name, ALL if name == "all" else None)
    return name if known is None else words(known)


ADVICE: Mapping[str, Advice] = {
    "freshness": Advice(
        noted("Decisions rest on older knowledge: offers fit worse by the day."),
        (
            noted("See whether whoever sends the rows runs, and whether its key still opens."),
            noted("Mend it and send the backlog: a row that came before counts once."),
            noted("Features or release: build and publish them again."),
        ),
    ),
    "feature_drift": Advice(
        noted("Nothing at once; but estimates rest on members of another kind."),
        (
            noted("Look at the feature then and now on the page Data."),
            noted("Its source changed: mend it and build again. Members changed: train anew."),
        ),
    ),
    "score_drift": Advice(
        noted("Nothing at once; but budgets follow the estimates."),
        (
            noted("See whether features drift too, and whether answers were lesser."),
            noted("Roll back the release where it began with it; else train anew."),
        ),
    ),
    "calibration": Advice(
        noted("Money goes to members who would buy anyway, or past those who would not."),
        (
            noted("Held-out members off too: see whether purchases come in completely."),
            noted("Train anew on decisions of now; be careful with budgets until then."),
        ),
    ),
    "sample_ratio": Advice(
        noted("No figure of the experiment can be trusted."),
        (
            noted("See whether answers of one arm are slower, or dropped by the engine."),
            noted("Stop it, mend the cause, and start another. Correct no figure by hand."),
        ),
    ),
    "unsubscribes": Advice(
        noted("Members are annoyed, and gone for good."),
        (
            noted("Stop the push in the engine."),
            noted("See what is new: the text, the hour, the audience, more messages a week."),
        ),
    ),
    "pacing": Advice(
        noted("Ahead: late members get nothing. Behind: budget stays unspent."),
        (
            noted("See whether sends are reported: what nobody reports is given back."),
            noted("Plan the push again on the members who are asked about."),
        ),
    ),
    "volume": Advice(
        noted("Fewer: members get no offer of ours. More: budgets are used sooner."),
        (
            noted("See whether the engine's calls arrive, and with which status."),
            noted("Another schedule: nothing; in a few weeks it is the usual."),
        ),
    ),
    "outcome_feed": Advice(
        noted("Budgets stay held, and members who unsubscribe are not heard."),
        (
            noted("See whether the engine's write-back runs, and whether its key still opens."),
            noted("Mend it and send the backlog: a row that came before counts once."),
        ),
    ),
}
LIMITS: Mapping[str, str] = {"money": noted("budget"), "contacts": noted("contacts")}
LACKING: Mapping[str, str] = {
    "features_late": noted("fresh features came too late"),
    "features_unavailable": noted("fresh features could not be read"),
    "features_last_known": noted("fresh features of an earlier read were used"),
    "model_failed": noted("the model failed; averages answered"),
    "averages_failed": noted("averages failed too"),
    "default_failed": noted("nothing could answer"),
    "suppression_unreadable": noted("the list of suppressions could not be read"),
    "log_unavailable": noted("the log could not be written"),
    "deadline": noted("the deadline passed"),
    "overload": noted("too many calls at once"),
    "rate_limit": noted("a key called more often than it may"),
}
